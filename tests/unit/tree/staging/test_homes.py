"""With --temp-dir, files are staged in a directory of their own there, if a rename leads from it into place."""

from __future__ import annotations

import errno
import os
import struct
import time
from pathlib import Path

import pytest

from mrsync.errors import FileError
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.acl import ACCESS, DEFAULT
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from mrsync.tree.staging.homes import StagingArea, foresee_area
from tests.unit.tree.breaking import PAGE, Session
from tests.unit.tree.syncing import small_file_system

SHORT_TICK_NS = 20_000_000
INSIDE = Policy(temp_dir="sub")


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    for name in ("source/sub", "dest", "temporary"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "source/f").write_bytes(os.urandom(5 * PAGE))
    (tmp_path / "source/sub/g").write_bytes(os.urandom(3 * PAGE))
    return tmp_path


def session(trees: Path, dest: str = "dest") -> Session:
    return Session(trees / "source", trees / dest, policy=Policy(temp_dir="../temporary"))


def staged(trees: Path) -> list[Path]:
    return [path for path in (trees / "temporary").rglob("*") if path.is_file()]


def check_equal(trees: Path, dest: str = "dest") -> None:
    for name in ("f", "sub/g"):
        assert (trees / dest / name).read_bytes() == (trees / "source" / name).read_bytes()


def test_files_are_staged_there_and_nothing_is_left(trees: Path) -> None:
    run = session(trees)
    run.cast(run.pages[:4])
    assert len(staged(trees)) == 1
    assert [path.name for path in (trees / "dest").iterdir() if not path.name.endswith(".journal")] == []
    run.cast(run.pages[4:])
    assert run.finish().errors == 0
    check_equal(trees)
    assert list((trees / "temporary").iterdir()) == []


def test_a_run_that_broke_is_resumed_and_another_destination_is_left_alone(
    trees: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", SHORT_TICK_NS)
    time.sleep(2 * SHORT_TICK_NS / 1e9)  # a file that may still change is not resumed
    run = session(trees)
    run.cast(run.pages[:6]).break_off()
    assert len(staged(trees)) == 2
    (trees / "other").mkdir()
    assert session(trees, "other").cast().finish().errors == 0
    assert len(staged(trees)) == 2
    again = session(trees)
    assert again.pages == [6, 7]
    assert again.cast().finish().errors == 0
    check_equal(trees)
    assert list((trees / "temporary").iterdir()) == []


def test_files_of_another_mount_are_staged_beside_their_names(trees: Path) -> None:
    (trees / "dest/sub").mkdir()
    (trees / "elsewhere").mkdir()
    if os.geteuid() or os.system(f"mount --bind {trees}/elsewhere {trees}/dest/sub"):
        pytest.skip("needs root and the right to mount")
    try:
        run = session(trees)
        run.cast(run.pages[:7])
        assert [path.name[:8] for path in (trees / "elsewhere").iterdir()] == [".mrsync-"]
        run.cast(run.pages[7:])
        assert run.finish().errors == 0
        check_equal(trees)
    finally:
        os.system(f"umount {trees}/dest/sub")


def test_a_directory_on_another_file_system_is_refused(trees: Path) -> None:
    with small_file_system(1 << 20) as other, pytest.raises(FileError, match="on another file system than"):
        StagingArea(Destination(os.fsencode(trees / "dest")), str(other), "")


@pytest.mark.parametrize("name", ["../missing", "../source/f"])
def test_a_non_directory_is_refused(trees: Path, name: str) -> None:
    with pytest.raises(FileError, match="--temp-dir"):
        StagingArea(Destination(os.fsencode(trees / "dest")), name, "")


def test_a_link_where_files_are_to_be_staged_is_refused(trees: Path) -> None:
    destination = Destination(os.fsencode(trees / "dest"))
    area = StagingArea(destination, "../temporary", "")
    (own,) = (trees / "temporary").iterdir()
    area.close()
    own.symlink_to(trees / "source")
    with pytest.raises(FileError, match="--temp-dir"):
        StagingArea(destination, "../temporary", "")


def test_a_dry_run_makes_nothing(trees: Path) -> None:
    area = StagingArea(Destination(os.fsencode(trees / "dest"), is_dry_run=True), "../temporary", "")
    assert area.leftovers() == []
    area.close()
    assert list((trees / "temporary").iterdir()) == []


def test_files_are_staged_beside_names_to_which_no_rename_leads(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is what a subvolume of btrfs does, or a directory with a quota of its own, within one mount."""
    (trees / "dest/sub").mkdir()
    above, rename = os.stat(trees / "dest/sub"), os.rename

    def refuse(name: bytes, new: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        if src_dir_fd != dst_dir_fd and os.path.samestat(os.fstat(dst_dir_fd), above):
            raise OSError(errno.EXDEV, "refused")
        rename(name, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", refuse)
    run = session(trees)
    run.cast(run.pages[:7])
    assert [path.name[:8] for path in (trees / "dest/sub").iterdir()] == [".mrsync-"]
    run.cast(run.pages[7:])
    assert run.finish().errors == 0
    check_equal(trees)
    assert list((trees / "temporary").iterdir()) == []


def _own(trees: Path) -> Path:
    """Return the path of the directory in which files are staged; it is not there."""
    area = StagingArea(Destination(os.fsencode(trees / "dest")), "../temporary", "")
    (own,) = (trees / "temporary").iterdir()
    area.close()
    return own


@pytest.mark.parametrize("mode", [0o700, 0o770, 0o702])
def test_a_directory_that_belongs_to_others_is_refused(trees: Path, mode: int) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    own = _own(trees)
    own.mkdir()
    own.chmod(mode)
    if mode == 0o700:
        os.chown(own, 1001, 1001)
    with pytest.raises(FileError, match="belongs to somebody else"):
        session(trees)
    assert list(own.iterdir()) == []


def test_files_get_no_rights_from_where_they_are_staged(trees: Path) -> None:
    nobody = 0xFFFFFFFF
    entries = [(1, 7, nobody), (2, 7, 1001), (4, 7, nobody), (0x10, 7, nobody), (0x20, 0, nobody)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(trees / "temporary", DEFAULT, acl)
    except OSError:
        pytest.skip("no ACLs here")
    (trees / "source/f").chmod(0o664)
    assert session(trees).cast().finish().errors == 0
    assert ACCESS.decode() not in os.listxattr(trees / "dest/f")


def test_a_directory_within_the_destination_keeps_its_time(trees: Path) -> None:
    (trees / "dest/sub").mkdir()
    for _ in range(2):
        (trees / "source/f").write_bytes(os.urandom(5 * PAGE))
        run = Session(trees / "source", trees / "dest", policy=INSIDE)
        assert run.cast().finish().errors == 0
        assert os.stat(trees / "dest/sub").st_mtime_ns == os.stat(trees / "source/sub").st_mtime_ns
    assert list(run.comparison.mended) == []


def test_leftovers_within_the_destination_are_neither_sent_nor_deleted(
    trees: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", SHORT_TICK_NS)
    time.sleep(2 * SHORT_TICK_NS / 1e9)  # of a file that may still change nothing is left
    (trees / "dest/sub").mkdir()
    run = Session(trees / "source", trees / "dest", policy=INSIDE)
    run.cast(run.pages[:2]).break_off()
    assert len(list((trees / "dest/sub").iterdir())) == 1
    names = scan(os.fsencode(trees / "dest"), Policy()).manifest.names
    assert [name for name in names if name.startswith(b".mrsync")] == []
    again = Session(trees / "source", trees / "dest", policy=INSIDE)
    assert again.comparison.extraneous == []
    assert again.cast().finish().errors == 0
    check_equal(trees)
    assert [path.name for path in (trees / "dest/sub").iterdir()] == ["g"]


def test_no_link_within_the_destination_is_followed(trees: Path) -> None:
    (trees / "dest/a").mkdir()
    (trees / "dest/a/link").symlink_to("../../temporary")
    (trees / "temporary/b").mkdir()
    (trees / "alias").symlink_to("dest")
    (trees / "above").symlink_to(".")
    for name in ("a/link", "a/link/b", "../alias/a/link", str(trees / "dest/a/link"), str(trees / "alias/a/link")):
        for dest in ("alias", "dest", "above/alias"):
            with pytest.raises(FileError, match="--temp-dir"):
                StagingArea(Destination(os.fsencode(trees / dest)), name, "")
    StagingArea(Destination(os.fsencode(trees / "alias")), str(trees / "dest/a"), "").close()


def test_refusals_are_foreseen_for_an_absent_destination(trees: Path) -> None:
    near = os.open(trees, os.O_RDONLY)
    absent = os.fsencode(trees / "absent")
    try:
        foresee_area(absent, near, "../temporary", "")
        for name in ("../missing", "missing", "../source/f"):
            with pytest.raises(FileError, match="--temp-dir"):
                foresee_area(absent, near, name, "")
        with small_file_system(1 << 20) as other, pytest.raises(FileError, match="on another file system than"):
            foresee_area(absent, near, str(other), "")
    finally:
        os.close(near)
