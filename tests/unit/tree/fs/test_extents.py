"""Data and holes are told apart, and no data is left out."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.tree.fs import extents
from mrsync.tree.fs.extents import BLOCK_BYTES, HOLE_BYTES_MIN, can_have_holes, clear, data_extents

BLOCK = 4096
SIZE_MAX = (1 << 63) - 1


def extents_of(path: Path) -> list[tuple[int, int]]:
    with open(path, "rb") as file:
        return data_extents(file.fileno(), os.fstat(file.fileno()).st_size)


@given(st.lists(st.tuples(st.integers(0, 1 << 22), st.integers(1, 100_000)), max_size=8), st.integers(0, 1 << 22))
def test_all_data_is_inside_the_extents(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int]], size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "extents"
    with open(path, "wb") as file:
        for offset, length in pieces:
            file.seek(offset)
            file.write(b"x" * length)
        file.truncate(size)
    data = path.read_bytes()
    position = 0
    for offset, length in extents_of(path):
        assert position <= offset
        assert not any(data[position:offset])
        position = offset + length
    assert position <= size
    assert not any(data[position:])


def test_a_hole_is_not_an_extent_and_a_small_one_is_not_a_hole(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:
        file.write(b"x" * BLOCK)
        file.seek(HOLE_BYTES_MIN)
        file.write(b"x" * BLOCK)
        file.seek(1 << 20)
        file.write(b"x" * BLOCK)
        file.truncate(2 << 20)
    assert extents_of(tmp_path / "file") == [(0, HOLE_BYTES_MIN + BLOCK), (1 << 20, BLOCK)]


def test_data_that_came_after_the_scan_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    with open(tmp_path / "file", "rb") as file:
        assert data_extents(file.fileno(), 5000) == [(0, 5000)]
        assert data_extents(file.fileno(), 0) == []


def test_data_whose_end_cannot_be_found_are_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the file had become shorter since their beginning was found."""
    path, seek = tmp_path / "file", os.lseek
    path.write_bytes(b"x" * 1000)

    def find(fd: int, position: int, how: int) -> int:
        if how == os.SEEK_HOLE:
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
        return seek(fd, position, how)

    monkeypatch.setattr(os, "lseek", find)
    with path.open("rb") as file:
        assert data_extents(file.fileno(), 1000) == [(0, 1000)]


def test_an_empty_file_and_a_hole_have_no_data(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert extents_of(tmp_path / "file") == []
    os.truncate(tmp_path / "file", 1 << 20)
    assert extents_of(tmp_path / "file") == []


def test_a_file_that_ends_where_offsets_do_is_one_extent() -> None:
    """A tmpfs then tells an offset that no program understands."""
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        try:
            file.truncate(SIZE_MAX)
        except OSError:
            pytest.skip("no file can have 8 EiB here")
        os.pwrite(file.fileno(), b"x" * BLOCK, SIZE_MAX - BLOCK)
        extents = data_extents(file.fileno(), SIZE_MAX)
    assert sum(extents[-1]) == SIZE_MAX


OLD = b"x" * (32 * BLOCK_BYTES)
SPANS = [(0, len(OLD)), (5, 6), (5, 3 * BLOCK_BYTES + 5), (BLOCK_BYTES, 30 * BLOCK_BYTES), (len(OLD) - 1, 2 * len(OLD))]


@pytest.mark.parametrize("can_punch", [True, False])
@pytest.mark.parametrize(("start", "end"), [*SPANS, (7, 7), (len(OLD), 2 * len(OLD))])
def test_bytes_become_zeros_and_the_size_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_punch: bool, start: int, end: int
) -> None:
    if not can_punch:  # as on file systems that cannot make holes
        monkeypatch.setattr(extents, "_fallocate", lambda: None)
    (tmp_path / "file").write_bytes(OLD)
    with open(tmp_path / "file", "r+b") as file:
        clear(file.fileno(), start, end)
        clear(file.fileno(), start, end)
    end = min(end, len(OLD))
    assert (tmp_path / "file").read_bytes() == OLD[:start] + bytes(end - start) + OLD[end:]


def test_whole_blocks_become_a_hole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    with open(tmp_path / "file", "r+b") as file:
        if not can_have_holes(file.fileno()):
            pytest.skip("no holes can be made here")
        assert (tmp_path / "file").read_bytes() == OLD
        clear(file.fileno(), len(OLD) - 5, len(OLD))
        clear(file.fileno(), BLOCK_BYTES, len(OLD) - 5)
        assert data_extents(file.fileno(), len(OLD)) == [(0, BLOCK_BYTES)]
        assert os.fstat(file.fileno()).st_size == len(OLD)


def test_few_zeros_make_no_hole_and_fill_none(tmp_path: Path) -> None:
    end = 4 * BLOCK_BYTES + 10
    with open(tmp_path / "file", "w+b") as file:
        for start in (0, 2 * BLOCK_BYTES, 4 * BLOCK_BYTES):
            os.pwrite(file.fileno(), OLD[:BLOCK_BYTES], start)
        blocks = os.fstat(file.fileno()).st_blocks
        clear(file.fileno(), BLOCK_BYTES - 1, end)
        assert os.fstat(file.fileno()).st_blocks == blocks
        assert (tmp_path / "file").read_bytes() == OLD[: BLOCK_BYTES - 1].ljust(end, b"\0") + OLD[: BLOCK_BYTES - 10]
