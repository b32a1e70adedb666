"""A table of statx tells what os.stat tells."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from mrsync.tree.model.listing import Listing
from mrsync.tree.model.status_table import (
    BLOCKS,
    CTIMES,
    GIDS,
    INODES,
    LINK_COUNTS,
    MODES,
    MTIMES,
    ROWS,
    SIZES,
    UIDS,
    StatusRows,
    StatusTable,
    read_statuses,
)

COLUMNS = (LINK_COUNTS, UIDS, GIDS, MODES, INODES, SIZES, BLOCKS)


def make_one_of_each_kind(folder: Path) -> None:
    folder.mkdir()
    with open(folder / "holes", "wb") as file:
        file.truncate((1 << 40) + 1)
    os.utime(folder / "holes", ns=(1, -1_500_000_001))
    os.link(folder / "holes", folder / "twin")
    (folder / "setuid").touch(0o600)
    (folder / "setuid").chmod(0o6711)
    os.symlink("nowhere", folder / "link")
    os.mkdir(folder / "directory")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{folder}/socket")
    if os.geteuid() == 0:
        os.mknod(folder / "device", stat.S_IFCHR | 0o600, os.makedev(4000, 70_000))
        os.chown(folder / "setuid", 4_000_000_000, 3_000_000_000)


def assert_same(fd: int, names: list[bytes]) -> None:
    table = read_statuses(fd, names)
    assert table is not None, "this system has no statx"
    rows = StatusRows([os.stat(name, dir_fd=fd, follow_symlinks=False) for name in names])
    for column in COLUMNS:
        assert table.column(column) == rows.column(column), column.attribute
    for column in (CTIMES, MTIMES):
        assert list(table.times(column)) == rows.times(column)
    for position in range(len(names)):
        assert table.device(position) == rows.device(position)
        assert table.special(position) == rows.special(position)


def test_every_number_of_every_kind_of_entry(tmp_path: Path) -> None:
    make_one_of_each_kind(tmp_path / "tree")
    for folder in (str(tmp_path / "tree"), "/dev", "/proc"):
        fd = os.open(folder, os.O_RDONLY)
        names = [os.fsencode(name) for name in os.listdir(folder) if not name.isdigit()][:ROWS]
        if folder == "/proc":
            names = [b"sys", b"net", b"version"]  # whose times stand still
        assert_same(fd, names)
        os.close(fd)


def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fd = os.open(tmp_path, os.O_RDONLY)
    assert read_statuses(fd, [b"file", b"gone"]) is None
    assert read_statuses(fd, [b"file"]) is not None
    os.close(fd)


def test_a_thread_has_a_table_of_its_own() -> None:
    fd = os.open("/", os.O_RDONLY)
    tables: list[StatusTable | None] = [read_statuses(fd, [b"proc"])]
    thread = threading.Thread(target=lambda: tables.append(read_statuses(fd, [b"proc"])))
    thread.start()
    thread.join()
    assert tables[0] is read_statuses(fd, [b"proc"])
    assert tables[0] is not tables[1]
    os.close(fd)


def test_a_listing_without_statx_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_one_of_each_kind(tmp_path / "tree")
    fd = os.open(tmp_path / "tree", os.O_RDONLY)
    with_statx = vars(Listing(fd, finds_holes=True, has_identities=True))
    monkeypatch.setattr("mrsync.tree.model.listing.read_statuses", lambda directory_fd, names: None)
    assert vars(Listing(fd, finds_holes=True, has_identities=True)) == with_statx
    os.close(fd)
