"""The destination is opened or made, or refused with one sentence; its directories change only where they are real."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mrsync.errors import FileError
from mrsync.tree.destination.destination import Destination, rename_file
from mrsync.tree.destination.root import check_absent_root
from mrsync.tree.filter.rules import Rule
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from mrsync.tree.source.selection import Operand, Selection
from tests.unit.tree.syncing import as_nobody, nobodys_directory, small_file_system


def bound(source: Path, dest: Path, *, deletes: bool = True) -> tuple[Destination, Manifest]:
    manifest = scan(os.fsencode(source), Policy(deletes=deletes)).manifest
    destination = Destination(os.fsencode(dest))
    destination.bind(manifest)
    return destination, manifest


def entry_of(manifest: Manifest, path: bytes) -> int:
    return next(entry for entry in range(len(manifest)) if manifest.path(entry) == path)


def test_a_root_is_made_where_its_parent_exists(tmp_path: Path) -> None:
    Destination(os.fsencode(tmp_path / "new")).close()
    assert (tmp_path / "new").is_dir()
    with pytest.raises(FileError, match=r"its parent directory does not exist; --mkpath makes it$"):
        Destination(os.fsencode(tmp_path / "not" / "there"))
    assert not (tmp_path / "not").exists()


def test_made_parents_let_others_in(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        Destination(os.fsencode(tmp_path / "not" / "there" / "new"), makes_parents=True).close()
    finally:
        assert os.umask(before) == 0o077
    modes = [stat.S_IMODE((tmp_path / path).stat().st_mode) for path in ("not", "not/there", "not/there/new")]
    assert modes == [0o755, 0o755, 0o700]


def test_made_parents_inherit_the_group(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "top").chmod(0o2750)
    before = os.umask(0o077)
    try:
        Destination(os.fsencode(tmp_path / "top" / "a" / "b" / "new"), makes_parents=True).close()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / "top" / path).stat().st_mode) for path in ("", "a", "a/b")]
    assert modes == [0o2750, 0o2755, 0o2755]


def test_the_umask_stays_while_parents_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("other threads make files meanwhile"))
    Destination(os.fsencode(tmp_path / "not" / "there" / "new"), makes_parents=True).close()


@pytest.mark.parametrize("above", ["file", "dangling", "file/x"])
def test_parents_cannot_be_made_below_a_file(tmp_path: Path, above: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    dest = os.fsencode(tmp_path / above / "there" / "new")
    for attempt in (check_absent_root, Destination):
        with pytest.raises(FileError, match=f"/{above[:4]}[a-z]* is not a directory$"):
            attempt(dest, makes_parents=True)


def test_a_root_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    destination = Destination(os.fsencode(tmp_path / "link"))
    assert os.path.samestat(os.fstat(destination.root_fd), (tmp_path / "real").stat())
    destination.close()


def test_a_file_is_not_a_root(tmp_path: Path) -> None:
    (tmp_path / "file\n").touch()
    with pytest.raises(FileError, match=r"^the destination .*/file\\n is not a directory$"):
        Destination(os.fsencode(tmp_path / "file\n"))
    with pytest.raises(FileError, match=r"is not a directory$"):
        Destination(os.fsencode(tmp_path / "file\n" / "below"))


def test_a_read_only_file_system_is_refused() -> None:
    with small_file_system(1 << 20) as mount:
        os.system(f"mount -o remount,ro {mount}")
        with pytest.raises(FileError, match=r"^cannot write to the destination .*: Read-only file system$"):
            Destination(os.fsencode(mount))
        with pytest.raises(FileError, match=r"^cannot use the destination .*: Read-only file system$"):
            Destination(os.fsencode(mount / "new"))


def test_a_root_cannot_be_made_in_a_directory_of_others() -> None:
    def run(top: Path) -> None:
        with pytest.raises(
            FileError, match=r"^cannot use the destination .*: Permission denied; with --sudo, root writes there$"
        ):
            Destination(b"/usr/new")
        (top / "locked").mkdir(mode=0o500)
        Destination(os.fsencode(top / "locked")).close()

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


@pytest.mark.parametrize("obstacle", ["none", "file", "link", "fifo", "directory"])
def test_directories_are_made_in_the_place_of_anything(tmp_path: Path, obstacle: str) -> None:
    (tmp_path / "source" / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    dest = tmp_path / "dest"
    dest.mkdir()
    if obstacle == "file":
        (dest / "a").touch()
    elif obstacle == "link":
        (dest / "a").symlink_to("../outside")
    elif obstacle == "fifo":
        os.mkfifo(dest / "a")
    elif obstacle == "directory":
        (dest / "a" / "b").mkdir(parents=True)
    destination, manifest = bound(tmp_path / "source", dest)
    c = entry_of(manifest, b"a/b/c")
    fd = destination.ensure(c)
    assert os.path.samestat(os.fstat(fd), (dest / "a" / "b" / "c").stat())
    assert os.path.samestat(os.fstat(destination.ensure(c)), os.fstat(fd))
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o700
    assert destination.made == ({c} if obstacle == "directory" else {c - 2, c - 1, c})
    assert list((tmp_path / "outside").iterdir()) == []
    destination.close()


@pytest.mark.parametrize("deletes", [True, False])
def test_way_is_made_for_a_file(tmp_path: Path, deletes: bool) -> None:
    (tmp_path / "source").mkdir()
    dest = tmp_path / "dest"
    (dest / "full" / "sub").mkdir(parents=True)
    (dest / "empty").mkdir()
    (dest / "file").touch()
    destination, _ = bound(tmp_path / "source", dest, deletes=deletes)
    for name in (b"file", b"empty", b"nothing"):
        destination.removals.clear(0, name)
    if deletes:
        destination.removals.clear(0, b"full")
        assert list(dest.iterdir()) == []
    else:
        with pytest.raises(OSError, match=r"not empty"):
            destination.removals.clear(0, b"full")
        assert [path.name for path in dest.iterdir()] == ["full"]
    destination.close()


def test_names_change_in_our_own_locked_directory() -> None:
    def run(top: Path) -> None:
        for tree in ("source", "dest"):
            (top / tree / "locked").mkdir(parents=True)
            (top / tree / "locked" / "file").touch()
        (top / "dest" / "locked").chmod(0o500)
        destination, manifest = bound(top / "source", top / "dest")
        locked = entry_of(manifest, b"locked")
        destination.removals.clear(locked, b"file")
        assert destination.directories.touched == {locked}
        assert not (top / "dest" / "locked" / "file").exists()
        destination.close()
        assert stat.S_IMODE((top / "dest" / "locked").stat().st_mode) == 0o500

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_the_only_file_gets_the_name_of_dest_unless_rules_exclude_it(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    for is_there in (True, False):
        operand = Operand(os.fsencode(tmp_path), (b"f",))
        rules = () if is_there else (Rule(b"f", 0),)
        manifest = scan(os.fsencode(tmp_path), Policy(), Selection(operands=(operand,), rules=rules)).manifest
        assert rename_file(manifest, b"/dest/name") == b"/dest"
        assert [manifest.path(entry) for entry in range(1, len(manifest))] == [b"name"] * is_there
