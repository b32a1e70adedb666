"""Attributes are set on the entry itself, not on what a link leads to, with and without /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mrsync.tree.fs import handles
from mrsync.tree.fs.handles import Opened, entry_in, pinned


@pytest.fixture(params=[True, False], ids=["proc", "no proc"])
def place(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(handles, "_has_proc", lambda: request.param)
    (tmp_path / "file").touch(0o600)
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo", 0o600)
    here = os.getcwd()
    yield tmp_path
    assert os.getcwd() == here


def test_a_link_itself_is_changed(place: Path) -> None:
    before = (place / "file").stat()
    fd = os.open(place, os.O_RDONLY)
    with pinned(fd, b"link") as handle:
        handle.utime(1, 10**18)
        assert handle.status().st_mtime_ns == (place / "link").lstat().st_mtime_ns == 10**18
        with pytest.raises(OSError, match=r"link|supported"):
            handle.chmod(0o777)
    os.close(fd)
    assert (place / "file").stat() == before


@pytest.mark.parametrize("name", ["file", "fifo"])
def test_mode_and_time_are_set_by_name(place: Path, name: str) -> None:
    fd = os.open(place, os.O_RDONLY)
    with pinned(fd, name.encode()) as handle:
        handle.chmod(0o641)
        handle.utime(1, 10**18)
        handle.chown(-1, -1)
    os.close(fd)
    assert (place / name).stat().st_mode & 0o7777 == 0o641
    assert (place / name).stat().st_mtime_ns == 10**18


def test_extended_attributes_are_read_by_name(place: Path) -> None:
    try:
        os.setxattr(place / "file", "user.test", b"1")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")
    fd = os.open(place, os.O_RDONLY)
    entry = entry_in(fd, b"file")
    assert entry.xattr_names() == [b"user.test"]
    assert entry.xattr(b"user.test") == b"1"
    entry.set_xattr(b"user.more", b"2")
    entry.remove_xattr(b"user.test")
    assert os.listxattr(place / "file") == ["user.more"]
    assert entry_in(fd, b"link").xattr_names() == []
    os.close(fd)


def test_attributes_go_to_the_open_file_not_to_its_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    fd = os.open(path, os.O_RDWR)
    try:
        path.rename(tmp_path / "moved")
        path.touch(0o600)
        handle = Opened(fd)
        handle.chown(os.getuid(), os.getgid())
        handle.chmod(0o640)
        handle.utime(1, 2_000_000_003)
        found = handle.status()
    finally:
        os.close(fd)
    assert (found.st_mode & 0o7777, found.st_mtime_ns) == (0o640, 2_000_000_003)
    assert os.path.samestat(found, (tmp_path / "moved").stat())
    assert path.stat().st_mode & 0o7777 == 0o600
