"""Manifests survive encoding and decoding; a hostile one is refused with one sentence, before it is used."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.errors import ProtocolDataError
from mrsync.tree.model.columns import NameColumn
from mrsync.tree.model.limits import DEPTH_MAX
from mrsync.tree.model.manifest import DIRECTORY, LINK, NO_OWNER, Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from tests.trees import YEAR_9999_NS, build_awkward_tree, remove_tree

FILE = stat.S_IFREG | 0o644
FOLDER = stat.S_IFDIR | 0o755
SOFT = stat.S_IFLNK | 0o777


def sample() -> Manifest:
    r"""The root with a/ (with "file", "member"), "b", "link" -> "b"; "member" is another name of "b"."""
    manifest = Manifest()
    manifest.names = NameColumn([b"", b"a", b"b", b"link", b"file", b"member"])
    manifest.parents = array("I", [0, 0, 0, 0, 1, 1])
    manifest.modes = array("H", [FOLDER, FOLDER, FILE, SOFT, FILE, FILE])
    manifest.uids = array("I", [0, 1, 2, 3, 4, 2])
    manifest.gids = array("I", [0, 1, 2, 3, 4, 2])
    manifest.sizes = array("q", [0, 0, 10, 0, 0, 10])
    manifest.mtimes = array("q", [1, -2, (1 << 63) - 1, 0, 5, (1 << 63) - 1])
    manifest.far_times = {2: YEAR_9999_NS, 5: YEAR_9999_NS}
    manifest.link_targets = {3: b"b"}
    manifest.leaders = {5: 2}
    manifest.users = {0: b"root"}
    manifest.groups = {0: b"root", 4: b"adm"}
    manifest.directories = array("I", [0, 1])
    manifest.child_starts = array("I", [1, 4, 6])
    return manifest


def test_an_encoded_manifest_is_decoded_unchanged() -> None:
    manifest = sample()
    assert vars(Manifest.decode(manifest.encode())) == vars(manifest)


def test_the_manifest_of_an_awkward_tree_is_decoded_unchanged(tmp_path: Path) -> None:
    build_awkward_tree(tmp_path / "tree", 1)
    try:
        manifest = scan(os.fsencode(tmp_path / "tree")).manifest
    finally:
        remove_tree(tmp_path / "tree")
    assert vars(Manifest.decode(manifest.encode())) == vars(manifest)


def test_the_manifest_of_an_empty_tree_is_decoded_unchanged(tmp_path: Path) -> None:
    manifest = Manifest.decode(scan(os.fsencode(tmp_path), Policy(deletes=False, numeric_ids=True)).manifest.encode())
    assert len(manifest) == 1
    assert manifest.policy == Policy(deletes=False, numeric_ids=True)


def test_paths_kinds_times_and_contents_of_entries() -> None:
    manifest = sample()
    assert manifest.path(0) == b""
    assert manifest.path(4) == b"a/file"
    assert (manifest.kind(1), manifest.kind(3)) == (DIRECTORY, LINK)
    assert manifest.mtime_ns(2) == YEAR_9999_NS
    assert manifest.mtime_ns(1) == -2
    assert [entry for entry in range(6) if manifest.has_contents(entry)] == [2, 4]


def _rename(entry: int, name: bytes) -> Callable[[Manifest], None]:
    def change(manifest: Manifest) -> None:
        names = list(manifest.names)
        names[entry] = name
        manifest.names = NameColumn(names)

    return change


def _set(column: str, entry: int, value: int) -> Callable[[Manifest], None]:
    return lambda manifest: getattr(manifest, column).__setitem__(entry, value)


def _replace(attribute: str, value: object) -> Callable[[Manifest], None]:
    return lambda manifest: setattr(manifest, attribute, value)


def _digests(count: int) -> Callable[[Manifest], None]:
    def change(manifest: Manifest) -> None:
        manifest.policy = manifest.policy._replace(checksum=True)
        manifest.digests = bytes(16 * count)

    return change


HOSTILE: dict[str, tuple[Callable[[Manifest], None], str]] = {
    "a path": (_rename(2, b"b/../../etc"), "slash"),
    "an absolute path": (_rename(2, b"/etc"), "slash"),
    "above": (_rename(1, b".."), "'..'"),
    "above, at the end": (_rename(5, b".."), "'..'"),
    "here": (_rename(1, b"."), "'.'"),
    "no name": (_rename(1, b""), "empty"),
    "no name at the end": (_rename(5, b""), "empty"),
    "NUL": (_rename(2, b"b\0c"), "strings instead"),
    "a long name": (_rename(2, b"b" * 256), "too long"),
    "a named root": (_rename(0, b"root"), "root has a name"),
    "the same name twice": (_rename(2, b"a"), "twice"),
    "out of order": (_rename(2, b"z"), "out of order"),
    "a root that is a file": (_set("modes", 0, FILE), "root is not a directory"),
    "a directory without children": (_set("modes", 4, FOLDER), "column"),
    "a file with children": (_set("modes", 1, FILE), "column"),
    "an unknown type": (_set("modes", 2, 0o170644), "unknown type"),
    "an omitted file with a size": (_set("modes", 2, 0o644), "not a file has a size"),
    "a negative size": (_set("sizes", 2, -1), "negative"),
    "a directory with a size": (_set("sizes", 1, 1), "not a file has a size"),
    "an owner that is none": (_set("uids", 2, NO_OWNER), "owner"),
    "a group that is none": (_set("gids", 2, NO_OWNER), "owner"),
    "a link without target": (_replace("link_targets", {}), "impossible target"),
    "a link to nothing": (_replace("link_targets", {3: b""}), "impossible target"),
    "a link to NUL": (_replace("link_targets", {3: b"a\0b"}), "strings"),
    "a link too long": (_replace("link_targets", {3: b"x" * 4096}), "impossible target"),
    "more targets than links": (_replace("link_targets", {3: b"x", 4: b"y"}), "strings"),
    "a member before its leader": (_replace("leaders", {2: 5}), "hard link"),
    "a leader of itself": (_replace("leaders", {5: 5}), "hard link"),
    "a chain of leaders": (_replace("leaders", {4: 2, 5: 4}), "hard link"),
    "a leader that is a directory": (_replace("leaders", {5: 1}), "hard link"),
    "a leader that is a link": (_replace("leaders", {5: 3}), "hard link"),
    "a member that is a link": (_replace("leaders", {3: 2}), "hard link"),
    "a member outside": (_replace("leaders", {6: 2}), "hard links are not in order"),
    "a leader outside": (_replace("leaders", {5: 6}), "hard link"),
    "members out of order": (_replace("leaders", {5: 2, 4: 2}), "hard links are not in order"),
    "a far time that is near": (_replace("far_times", {1: 5}), "far time"),
    "a far time on the wrong side": (_replace("far_times", {2: -YEAR_9999_NS}), "far time"),
    "a far time outside": (_replace("far_times", {6: YEAR_9999_NS}), "far times are not in order"),
    "children of a later directory": (_replace("child_starts", array("I", [1, 1, 6])), "comes after its children"),
    "digests of others": (_digests(5), "one digest"),
    "too many digests": (_digests(7), "one digest"),
    "too few children": (_replace("child_starts", array("I", [1, 4, 5])), "do not hold all"),
    "too many children": (_replace("child_starts", array("I", [1, 4, 7])), "do not hold all"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_manifest_is_refused(what: str) -> None:
    change, reason = HOSTILE[what]
    manifest = sample()
    change(manifest)
    with pytest.raises(ProtocolDataError, match=f"^the manifest is damaged: .*{reason}"):
        Manifest.decode(manifest.encode())


@pytest.mark.parametrize("at_once", range(1, 6))
def test_names_are_in_order_where_two_pieces_meet(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("mrsync.tree.model.manifest._NAMES_AT_ONCE", at_once)
    Manifest.decode(sample().encode())
    for what in ("out of order", "the same name twice"):
        test_a_hostile_manifest_is_refused(what)


def test_no_entry_at_all_is_refused() -> None:
    with pytest.raises(ProtocolDataError):
        Manifest.decode(Manifest().encode())


def chain(depth: int) -> Manifest:
    """Directories within directories; the last one is `depth` below the root."""
    manifest = Manifest()
    manifest.names = NameColumn([b"", *[b"d"] * depth])
    manifest.parents = array("I", [0, *range(depth)])
    manifest.modes = array("H", [FOLDER] * (depth + 1))
    manifest.uids = manifest.gids = array("I", [0] * (depth + 1))
    manifest.sizes = manifest.mtimes = array("q", [0] * (depth + 1))
    manifest.directories = array("I", range(depth + 1))
    manifest.child_starts = array("I", [*range(1, depth + 2), depth + 1])
    return manifest


def test_too_deep_a_manifest_is_refused() -> None:
    assert len(Manifest.decode(chain(DEPTH_MAX).encode())) == DEPTH_MAX + 1
    with pytest.raises(ProtocolDataError, match="directories deep"):
        Manifest.decode(chain(DEPTH_MAX + 1).encode())


@given(st.data())
def test_bytes_changed_anywhere_are_refused_or_harmless(data: st.DataObject) -> None:
    encoded = bytearray(sample().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        encoded[data.draw(st.integers(16, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        manifest = Manifest.decode(bytes(encoded))
    except ProtocolDataError:
        return
    assert manifest.names == sample().names


@given(st.data())
def test_every_shorter_manifest_is_refused(data: st.DataObject) -> None:
    encoded = sample().encode()
    with pytest.raises(ProtocolDataError):
        Manifest.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


def test_entries_are_found_by_their_paths(tmp_path: Path) -> None:
    for path in ("b/c", "b/d/e", "a", "z/d"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "b" / "f").touch()
    manifest = scan(os.fsencode(tmp_path)).manifest
    for entry in range(len(manifest)):
        assert manifest.find(manifest.path(entry)) == entry
    assert {manifest.find(path) for path in (b"c", b"b/a", b"b/z", b"b/f/g", b"a/x", b"b/d/e/x")} == {-1}
