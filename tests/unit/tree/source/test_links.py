"""Soft links of the source are followed or left out as rsync does it."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from mrsync.tree.model.manifest import DIRECTORY, LINK, OMITTED, REGULAR, Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.links import leads_out
from mrsync.tree.source.scan import scan
from mrsync.tree.source.scanner import Scan
from mrsync.tree.source.selection import Selection


@pytest.mark.parametrize(
    ("target", "depth", "is_unsafe"),
    [
        (b"a", 0, False),
        (b"sub/a", 0, False),
        (b"/a", 5, True),
        (b"", 5, True),
        (b"..", 0, True),
        (b"..", 1, False),
        (b"../a", 1, False),
        (b"../a", 0, True),
        (b"../../a", 1, True),
        (b"../..", 5, True),  # rsync takes every end in /.. for unsafe
        (b"sub/../a", 5, True),
        (b"sub/..", 5, True),
    ],
)
def test_a_link_is_unsafe_if_it_leads_out(target: bytes, depth: int, is_unsafe: bool) -> None:
    assert leads_out(target, depth) is is_unsafe


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_text("out")
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "f").write_text("in")
    for name, target in {"in": "sub/f", "out": "../outside", "dir": "sub", "nowhere": "gone", "sub/up": ".."}.items():
        (source / name).symlink_to(target)
    return source


def kinds(found: Scan) -> dict[str, int]:
    manifest = found.manifest
    return {os.fsdecode(manifest.path(entry)): manifest.kind(entry) for entry in range(1, len(manifest))}


def test_all_links_are_followed_except_loops_and_broken_ones(tree: Path) -> None:
    found = scan(os.fsencode(tree), Policy(), Selection(copies_links=True))
    assert {name: kind for name, kind in kinds(found).items() if kind == DIRECTORY} == dict.fromkeys(
        ("sub", "dir"), DIRECTORY
    )
    assert {name for name, kind in kinds(found).items() if kind == REGULAR} == {"in", "out", "sub/f", "dir/f"}
    assert sorted(failure.errno for failure in found.errors) == [errno.ELOOP, errno.ELOOP, errno.ENOLINK]
    assert not found.deletes


def test_only_links_to_directories_or_only_unsafe_links(tree: Path) -> None:
    found = kinds(scan(os.fsencode(tree), Policy(), Selection(copies_dir_links=True)))
    assert (found["dir"], found["in"], found["out"]) == (DIRECTORY, LINK, LINK)
    found = kinds(scan(os.fsencode(tree), Policy(), Selection(copies_unsafe_links=True)))
    assert (found["dir"], found["in"], found["out"]) == (LINK, LINK, REGULAR)
    found = kinds(scan(os.fsencode(tree), Policy(), Selection(skips_unsafe_links=True)))
    assert (found["dir"], found["in"], found["out"]) == (LINK, LINK, OMITTED)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="times beyond the year 2262 need a tmpfs")
def test_followed_links_to_hard_links_and_far_times_make_a_manifest() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as source:
        last = Path(source, "z")
        last.write_text("contents")
        os.utime(last, (0, 1 << 34))
        Path(source, "y").hardlink_to(last)
        Path(source, "b").symlink_to("y")
        Path(source, "a").symlink_to("z")
        manifest = Manifest.decode(scan(os.fsencode(source), Policy(), Selection(copies_links=True)).manifest.encode())
    assert manifest.leaders == {2: 1, 3: 1, 4: 1}
    assert set(manifest.far_times) == {1, 2, 3, 4}
