"""A scan finds every entry as it is, and says what it could not read."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from mrsync.errors import LimitError, SelectionError
from mrsync.tree.fs.handles import Handle
from mrsync.tree.fs.xattrs import XattrSelection
from mrsync.tree.model.attributes import UNKNOWN, Attributes
from mrsync.tree.model.limits import DEPTH_MAX
from mrsync.tree.model.manifest import OMITTED, REGULAR, Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.roots import OpenRoots
from mrsync.tree.source.scan import scan
from mrsync.tree.source.selection import Operand, Selection
from tests.trees import DEEP_LEVELS, build_awkward_tree, remove_tree
from tests.unit.tree.syncing import as_nobody, nobodys_directory


def paths(found: object) -> set[bytes]:
    manifest = found.manifest  # type: ignore[attr-defined]
    return {manifest.path(entry) for entry in range(len(manifest))}


def test_every_entry_is_found_as_it_is(tmp_path: Path) -> None:
    build_awkward_tree(tmp_path / "tree", 2)
    root = os.fsencode(tmp_path / "tree")
    try:
        found = scan(root)
        manifest = found.manifest
        expected = 1
        for directory, subdirectories, files, fd in os.fwalk(root, follow_symlinks=False):
            expected += len(subdirectories) + len(files)
            assert fd >= 0
            assert directory.startswith(root)
        assert len(manifest) == expected
        fds = {0: os.open(root, os.O_RDONLY)}
        for entry in range(1, len(manifest)):
            parent = fds[manifest.parents[entry]]
            status = os.stat(manifest.names[entry], dir_fd=parent, follow_symlinks=False)
            assert manifest.modes[entry] == status.st_mode
            assert (manifest.uids[entry], manifest.gids[entry]) == (status.st_uid, status.st_gid)
            assert manifest.mtime_ns(entry) == status.st_mtime_ns
            assert manifest.sizes[entry] == (status.st_size if stat.S_ISREG(status.st_mode) else 0)
            assert (entry in found.sparse) == (status.st_blocks * 512 < manifest.sizes[entry])
            if stat.S_ISLNK(status.st_mode):
                assert manifest.link_targets[entry] == os.readlink(manifest.names[entry], dir_fd=parent)
            if stat.S_ISDIR(status.st_mode):
                fds[entry] = os.open(manifest.names[entry], os.O_RDONLY, dir_fd=parent)
        for fd in fds.values():
            os.close(fd)
    finally:
        remove_tree(tmp_path / "tree")
    assert found.errors == []
    assert manifest.policy.deletes
    assert all(abs(time) >= 1 << 63 for time in manifest.far_times.values())
    assert any(manifest.path(entry).count(b"/") == DEEP_LEVELS for entry in range(len(manifest)))


def test_temporary_files_are_not_part_of_the_tree(tmp_path: Path) -> None:
    for name in (".mrsync-0a-7", ".mrsync-0a-l3", ".mrsync-0a.journal", ".mrsync", ".mrsync-notes", "a", "~"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".mrsync-0b-8").mkdir()
    found = scan(os.fsencode(tmp_path))
    assert paths(found) == {b"", b".mrsync", b".mrsync-0b-8", b".mrsync-notes", b"a", b"~"}
    assert sorted(found.temporary) == [b".mrsync-0a-7", b".mrsync-0a-l3", b".mrsync-0a.journal"]
    assert len(found.inodes) == len(found.ctimes) == len(found.manifest) == 6


def test_children_are_contiguous_and_sorted(tmp_path: Path) -> None:
    for path in ("b/two", "b/one", "a/x/y", "c"):
        (tmp_path / path).mkdir(parents=True)
    found = scan(os.fsencode(tmp_path)).manifest
    assert [found.path(entry) for entry in range(len(found))] == [
        b"", b"a", b"b", b"c", b"a/x", b"b/one", b"b/two", b"a/x/y",
    ]  # fmt: skip
    assert found.directories.tolist() == list(range(8))
    assert found.child_starts.tolist() == [1, 4, 5, 7, 7, 8, 8, 8, 8]


def test_hard_links_lead_to_the_first_of_their_group(tmp_path: Path) -> None:
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "one").write_text("x")
    (tmp_path / "single").write_text("x")
    os.link(tmp_path / "z" / "one", tmp_path / "two")
    os.link(tmp_path / "z" / "one", tmp_path / "z" / "three")
    root = os.fsencode(tmp_path)
    manifest = scan(root).manifest
    groups = {manifest.path(member): manifest.path(leader) for member, leader in manifest.leaders.items()}
    assert groups == {b"z/one": b"two", b"z/three": b"two"}
    assert scan(root, Policy(hard_links=False)).manifest.leaders == {}


def test_two_names_of_a_soft_link_are_hard_links(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("x")
    os.link(tmp_path / "one", tmp_path / "two", follow_symlinks=False)
    manifest = scan(os.fsencode(tmp_path)).manifest
    assert manifest.leaders == {2: 1}
    assert manifest.link_targets == {1: b"x", 2: b"x"}


def test_owners_are_named(tmp_path: Path) -> None:
    manifest = scan(os.fsencode(tmp_path)).manifest
    if os.geteuid() == 0:
        assert manifest.users == {0: b"root"}
        assert manifest.groups == {0: b"root"}


def test_specials_are_listed_and_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("x")
    found = scan(os.fsencode(tmp_path))
    assert [found.manifest.path(entry) for entry in found.skipped] == [b"fifo"]
    assert found.manifest.policy.deletes


def test_links_are_never_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to("../outside")
    assert paths(scan(os.fsencode(tmp_path / "tree"))) == {b"", b"link"}


def test_a_source_behind_a_link_is_read(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("x")
    (tmp_path / "link").symlink_to("tree")
    assert paths(scan(os.fsencode(tmp_path / "link"))) == {b"", b"file"}


def test_unreadable_entries_are_reported_and_stop_deletions() -> None:
    def run(top: Path) -> None:
        (top / "locked").mkdir()
        (top / "locked" / "file").write_text("x")
        (top / "readable").mkdir()
        (top / "readable" / "file").write_text("x")
        os.chmod(top / "locked", 0)
        os.chmod(top / "readable", 0o444)  # names can be listed, nothing else
        found = scan(os.fsencode(top))
        assert paths(found) == {b"", b"locked", b"readable"}
        assert {(error.path, error.errno) for error in found.errors} == {
            (b"locked", errno.EACCES),
            (b"readable/file", errno.EACCES),
        }
        assert not found.manifest.policy.deletes
        assert stat.S_IMODE((top / "locked").stat().st_mode) == 0

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_entries_that_vanish_meanwhile_are_omitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").write_text("x")
    (tmp_path / "gone").symlink_to("x")
    names = os.listdir(tmp_path)
    os.unlink(tmp_path / "gone")
    monkeypatch.setattr(os, "listdir", lambda fd: names)
    found = scan(os.fsencode(tmp_path))
    assert paths(found) == {b"", b"here"}
    assert [(error.errno, error.path) for error in found.errors] == [(errno.ENOENT, b"gone")]
    assert found.manifest.policy.deletes


def test_too_deep_tree_is_reported(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(DEPTH_MAX + 1):
        os.mkdir(b"d", dir_fd=fd)
        below = os.open(b"d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    try:
        found = scan(os.fsencode(tmp_path))
    finally:
        os.system(f"rm -rf {tmp_path}/d")
    assert len(found.manifest) == DEPTH_MAX + 1
    assert [error.errno for error in found.errors] == [errno.ELOOP]
    assert not found.manifest.policy.deletes


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_source_that_is_not_a_directory_is_refused(tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "file").write_text("x")
    with pytest.raises(SelectionError, match=f"cannot read the source .*/{kind}: "):
        scan(os.fsencode(tmp_path / kind))


def test_activity_is_reported(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"d{i}").mkdir()
    told: list[int] = []
    scan(os.fsencode(tmp_path), on_activity=told.append)
    assert sum(told) == 30


def test_more_entries_than_a_session_can_have_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.tree.source.scanner.ENTRIES_MAX", 4)
    for name in "abc":
        (tmp_path / name).touch()
    assert len(scan(os.fsencode(tmp_path)).manifest) == 4
    (tmp_path / "d").touch()
    with pytest.raises(LimitError, match="more than 4 entries in SOURCE"):
        scan(os.fsencode(tmp_path))


def test_a_file_of_more_data_than_a_session_can_cast_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mrsync.tree.source.scanner.FILE_BYTES_MAX", 100_000)
    (tmp_path / "data").write_bytes(b"x" * 100_001)
    (tmp_path / "fits").write_bytes(b"x" * 100_000)
    with open(tmp_path / "holes", "wb") as file:
        file.write(b"x")
        file.truncate(1 << 30)
    (tmp_path / "two names").hardlink_to(tmp_path / "data")
    found = scan(os.fsencode(tmp_path))
    assert [found.manifest.kind(entry) for entry in range(1, 5)] == [OMITTED, REGULAR, REGULAR, OMITTED]
    assert [failure.sentence for failure in found.errors] == [
        "cannot cast data: File too large",
        "cannot cast two names: File too large",
    ]
    assert found.deletes
    assert found.vanished == 0
    assert Manifest.decode(found.manifest.encode()).leaders == {}


def test_a_huge_file_whose_data_cannot_be_found_out_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.tree.source.scanner.FILE_BYTES_MAX", 5)

    def look(top: Path) -> None:
        (top / "file").write_text("contents")
        (top / "file").chmod(0)
        assert [failure.sentence for failure in scan(os.fsencode(top)).errors] == [
            "cannot cast file: Permission denied"
        ]

    with nobodys_directory() as top:
        as_nobody(lambda: look(top))


def test_vanished_entries_are_distinguished_from_unreadable_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "bad").mkdir()
    real = os.listdir

    def listdir(fd: int) -> list[str]:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))
        if name in ("gone", "bad"):
            raise OSError(errno.ENOENT if name == "gone" else errno.EIO, "no")
        return real(fd)

    monkeypatch.setattr(os, "listdir", listdir)
    found = scan(os.fsencode(tmp_path))
    assert [failure.sentence for failure in found.errors] == [
        "cannot read bad: Input/output error",
        "cannot read gone: No such file or directory",
    ]
    assert found.vanished == 1
    assert not found.deletes
    listed = scan(os.fsencode(tmp_path), Policy(), Selection(files=(b"missing",)))
    assert (len(listed.errors), listed.vanished) == (1, 0)


@pytest.mark.parametrize("is_link", [False, True], ids=["file", "followed link"])
def test_attributes_are_read_only_from_the_listed_entry(tmp_path: Path, is_link: bool) -> None:
    """A user who may rename things there could give a capability of root's program to one of their own."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "own").write_bytes(b"own")
    (tmp_path / "program").write_bytes(b"program")
    (tmp_path / "program").chmod(0o711)
    for name in ("own", "program"):
        try:
            os.setxattr(tmp_path / name, "user.of", name.encode())
        except OSError:
            pytest.skip("the file system has no extended attributes")
    place = tree / "name"
    if is_link:
        place.symlink_to("../own")
    else:
        os.link(tmp_path / "own", place)
    real = XattrSelection.read

    def swapped(policy: XattrSelection, target: Handle) -> Attributes:
        if not stat.S_ISDIR(target.status().st_mode):  # the root is not listed yet
            with suppress(FileNotFoundError):
                (tmp_path / "program").rename(tmp_path / "own" if is_link else place)
        return real(policy, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(XattrSelection, "read", swapped)
        found = scan(os.fsencode(tree), Policy(xattrs=True), Selection(copies_links=is_link))
    assert found.manifest.attribute_numbers[1] == UNKNOWN
    assert [failure.path for failure in found.errors] == [b"name"]


@pytest.mark.parametrize("operands", [1, 2])
def test_a_closed_directory_stays_closed_whatever_name_it_gets(tmp_path: Path, operands: int) -> None:
    """Somebody who may rename things swaps it for an open one after that was listed."""
    tree, other = tmp_path / "tree", tmp_path / "other"
    for folder in (tree / "open", tree / "vault", other):
        folder.mkdir(parents=True)
    (tree / "vault" / "secret").touch()
    (tree / "vault").chmod(0o700)
    real = OpenRoots.directory

    def swapped(roots: OpenRoots, entry: int, root: int = 0) -> int:
        if entry and not (tree / "aside").exists():
            (tree / "open").rename(tree / "aside")
            (tree / "vault").rename(tree / "open")
        return real(roots, entry, root)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OpenRoots, "directory", swapped)
        selection = Selection(operands=(Operand(bytes(tree)), Operand(bytes(other)))) if operands > 1 else Selection()
        manifest = scan(bytes(tree), selection=selection).manifest
    entry = manifest.find(b"open/secret")
    assert manifest.modes[manifest.parents[entry]] & 0o777 == 0o700
