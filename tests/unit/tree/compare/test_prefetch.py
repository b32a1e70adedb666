"""A prefetch reads every listing that a comparison would read, once."""

from __future__ import annotations

import os
from array import array
from pathlib import Path

from mrsync.tree.compare.prefetch import Prefetch
from mrsync.tree.model.columns import NameColumn
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.source.scan import scan
from tests.trees import build_awkward_tree, remove_tree
from tests.unit.tree.syncing import as_nobody, nobodys_directory


def named(*names: bytes) -> Manifest:
    """Only what a prefetch asks for: a root, and these names in it."""
    manifest = Manifest()
    manifest.names = NameColumn([b"", *names])
    manifest.parents = array("I", [0] * len(manifest.names))
    return manifest


def test_prefetching_nothing_does_no_harm(tmp_path: Path) -> None:
    prefetch = Prefetch()
    prefetch.read(os.fsencode(tmp_path / "missing"), lambda entries: None)
    assert prefetch.take(named(), 0) is None


def test_prefetch_reads_every_directory_once(tmp_path: Path) -> None:
    build_awkward_tree(tmp_path / "tree", 4)
    try:
        prefetch, told = Prefetch(), list[int]()
        prefetch.read(os.fsencode(tmp_path / "tree"), told.append)
        manifest = scan(os.fsencode(tmp_path / "tree")).manifest
    finally:
        remove_tree(tmp_path / "tree")
    assert sum(told) >= len(manifest) - 1
    for turn, directory in enumerate(manifest.directories):
        listing = prefetch.take(manifest, directory)
        assert listing is not None
        assert listing.names == manifest.names[manifest.child_starts[turn] : manifest.child_starts[turn + 1]]
        assert prefetch.take(manifest, directory) is None


def test_incompletely_read_directories_are_left_to_the_comparison() -> None:
    def run(top: Path) -> None:
        for name, mode in (("closed", 0o000), ("unsearchable", 0o400), ("open", 0o700)):
            (top / name).mkdir()
            (top / name / "file").touch()
            (top / name).chmod(mode)
        prefetch = Prefetch()
        prefetch.read(os.fsencode(top), lambda entries: None)
        manifest = named(b"closed", b"unsearchable", b"open")
        found = {name: prefetch.take(manifest, entry) is not None for entry, name in enumerate(manifest.names)}
        assert found == {b"": True, b"closed": False, b"unsearchable": False, b"open": True}

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to("../outside")
    prefetch = Prefetch()
    prefetch.read(os.fsencode(tmp_path / "tree"), lambda entries: None)
    assert prefetch.take(named(), 0) is not None
    assert prefetch.take(named(b"link"), 1) is None
