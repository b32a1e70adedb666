"""A listing has every attribute of every entry, sorted by name as bytes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mrsync.tree.model.listing import TIME_MAX, Listing, sorted_names
from tests.trees import AWKWARD_NAMES


def listing_of(path: Path) -> Listing:
    fd = os.open(path, os.O_RDONLY)
    try:
        return Listing(fd, finds_holes=True)
    finally:
        os.close(fd)


def test_names_are_bytes_in_order(tmp_path: Path) -> None:
    names = [*AWKWARD_NAMES, b"\xed\xb2\x80", "\N{GRINNING FACE}".encode(), "\uffee".encode()]
    for name in names:
        os.close(os.open(os.path.join(os.fsencode(tmp_path), name), os.O_CREAT))
    fd = os.open(tmp_path, os.O_RDONLY)
    assert sorted_names(fd) == sorted(names)
    assert Listing(fd).names == sorted(names)
    assert sorted_names(fd) == sorted(names)
    os.close(fd)


def test_an_empty_directory_has_nothing(tmp_path: Path) -> None:
    found = listing_of(tmp_path)
    assert (found.names, len(found.modes), found.failures) == ([], 0, [])


def test_more_entries_than_are_read_at_a_time(tmp_path: Path) -> None:
    for i in range(5000):
        os.symlink(str(i), tmp_path / f"{i:04}")
    os.mkfifo(tmp_path / "fifo")
    with open(tmp_path / "holes", "wb") as file:
        file.truncate(1 << 20)
    os.link(tmp_path / "holes", tmp_path / "twin")
    found = listing_of(tmp_path)
    assert len(found.names) == len(found.modes) == len(found.mtimes) == len(found.sizes) == 5003
    assert all(found.links[i] == b"%d" % i for i in range(5000))
    holes, twin = found.names.index(b"holes"), found.names.index(b"twin")
    status = (tmp_path / "holes").stat()
    assert found.inodes == {holes: (status.st_dev, status.st_ino), twin: (status.st_dev, status.st_ino)}
    assert found.sparse == [holes, twin]
    assert [found.sizes[position] for position in (0, holes, twin)] == [0, 1 << 20, 1 << 20]


def test_times_beyond_64_bits_are_kept_beside(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "near").touch()
    os.utime(tmp_path / "file", ns=(0, 15_000_000_000 * 10**9 + 5))
    true = (tmp_path / "file").stat().st_mtime_ns
    if true <= TIME_MAX:
        pytest.skip("needs a file system whose times reach beyond 2262")
    found = listing_of(tmp_path)
    assert found.far_times == {0: true}
    assert found.mtimes[0] == TIME_MAX
    assert found.mtimes[1] == (tmp_path / "near").stat().st_mtime_ns


def test_entries_that_vanish_before_stat_are_omitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "c"):
        (tmp_path / name).touch()
    (tmp_path / "d").symlink_to("a")
    monkeypatch.setattr(os, "listdir", lambda fd: ["d", "c", "b", "a"])
    found = listing_of(tmp_path)
    assert found.names == [b"a", b"c", b"d"]
    assert found.links == {2: b"a"}
    assert found.failures == [(errno.ENOENT, b"b")]
    assert len(found.modes) == 3
