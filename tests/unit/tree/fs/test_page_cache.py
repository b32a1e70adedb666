"""What was copied does not stay in the page cache; on file systems that keep it anywhere else than in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mrsync.tree.fs.page_cache import STEP_BYTES, forget_read, forget_whole, forget_written
from tests.support.page_cache import cached_bytes

PIECE = 62_000
SIZE = 3 * STEP_BYTES + 12_345


def pieces() -> Iterator[tuple[int, int]]:
    for position in range(0, SIZE, PIECE):
        yield position, min(PIECE, SIZE - position)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file on the disk of which nothing is cached."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    with open(path, "rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cached_bytes(path):
        pytest.skip("this file system keeps all files in memory")
    return path


def test_pages_that_were_read_are_forgotten_step_by_step(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY)
    for position, length in pieces():
        os.pread(fd, length, position)
        is_end = position + length == SIZE
        if is_end:
            assert cached_bytes(file) <= STEP_BYTES  # the step that is not complete
        forget_read(fd, position, length, is_end=is_end)
    assert cached_bytes(file) == 0
    os.close(fd)


def test_pages_that_were_written_are_forgotten_step_by_step(file: Path) -> None:
    fd = os.open(file, os.O_RDWR)
    for position, length in pieces():
        os.pwrite(fd, os.urandom(length), position)
        forget_written(fd, position, length)
    assert cached_bytes(file) < STEP_BYTES
    forget_whole(fd, SIZE)
    assert cached_bytes(file) == 0
    os.close(fd)
