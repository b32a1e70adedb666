"""A prefix is what a file held at one moment, or it is not read at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mrsync.tree.model.failure import Changed
from mrsync.tree.source import prefix as module
from mrsync.tree.source.prefix import Prefix

SIZE = 1000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES_MIN", 64)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "log"
    path.write_bytes(bytes(range(250)) * 4)
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


def taken(fd: int, size: int = SIZE) -> Prefix:
    return Prefix(fd, size, lambda: None)


@pytest.mark.parametrize("blocks_max", [1 << 20, 4, 1])
def test_any_range_of_a_file_that_grew_is_read(log: int, blocks_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCKS_MAX", blocks_max)
    prefix = taken(log)
    os.pwrite(log, b"more" * 100, SIZE)
    whole = bytes(range(250)) * 4
    for position, length in ((0, SIZE), (0, 1), (63, 2), (64, 64), (SIZE - 1, 1), (500, 0), (130, 700)):
        assert prefix.read(log, position, length) == whole[position : position + length]
    assert prefix.is_of(os.fstat(log))


@pytest.mark.parametrize("position", [0, 63, 64, 500, SIZE - 1])
def test_a_byte_that_was_overwritten_is_never_read(log: int, position: int) -> None:
    prefix = taken(log)
    os.pwrite(log, b"\xff", position)
    with pytest.raises(Changed, match="it was written to"):
        prefix.read(log, position, 1)
    with pytest.raises(Changed):
        prefix.read(log, 0, SIZE)


def test_a_file_that_became_shorter_is_another_one(log: int) -> None:
    prefix = taken(log)
    os.ftruncate(log, SIZE - 1)
    assert not prefix.is_of(os.fstat(log))
    with pytest.raises(Changed, match="shorter"):
        prefix.read(log, 0, SIZE)
    with pytest.raises(Changed, match="shorter"):
        taken(log)


def test_another_file_is_none_that_it_is_of(log: int, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(bytes(2 * SIZE))
    assert not taken(log).is_of((tmp_path / "other").stat())


def test_reading_can_be_ended(log: int) -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Prefix(log, SIZE, stop)
