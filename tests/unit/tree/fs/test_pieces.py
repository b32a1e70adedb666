"""Runs are cut where files end; only whole blocks of zeros are left out, wherever the data begins."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from mrsync.tree.fs import extents
from mrsync.tree.fs.extents import BLOCK_BYTES, can_have_holes, data_extents
from mrsync.tree.fs.pieces import cut, data_spans, write_sparsely


def test_spans_hold_everything_but_zeros() -> None:
    block, zeros = b"x" * BLOCK_BYTES, bytes(BLOCK_BYTES)
    assert list(data_spans(b"", 0)) == []
    assert list(data_spans(zeros * 3, 0)) == []
    assert list(data_spans(block + zeros + block, 0)) == [(0, BLOCK_BYTES), (2 * BLOCK_BYTES, 3 * BLOCK_BYTES)]
    assert list(data_spans(zeros + b"x", 5)) == [(BLOCK_BYTES - 5, BLOCK_BYTES + 1)]


def test_written_data_equals_the_input(tmp_path: Path) -> None:
    chance = random.Random(1)
    for _ in range(50):
        pieces = [chance.choice((bytes, chance.randbytes))(chance.randrange(20_000)) for _ in range(5)]
        position = chance.randrange(10_000)
        with open(tmp_path / "file", "w+b") as file:
            write_sparsely(file.fileno(), pieces, position)
            os.truncate(file.fileno(), position + sum(map(len, pieces)))
            assert file.read() == bytes(position) + b"".join(pieces)


@pytest.mark.parametrize("can_punch", [True, False])
def test_old_data_where_zeros_are_written_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_punch: bool
) -> None:
    if not can_punch:  # as on file systems that cannot make holes
        monkeypatch.setattr(extents, "_fallocate", lambda: None)
    chance = random.Random(3)
    for _ in range(50):
        pieces = [chance.choice((bytes, chance.randbytes))(chance.randrange(20_000)) for _ in range(5)]
        position, old = chance.randrange(10_000), chance.randbytes(chance.randrange(150_000))
        new = b"".join(pieces)
        (tmp_path / "file").write_bytes(old)
        with open(tmp_path / "file", "r+b") as file:
            write_sparsely(file.fileno(), pieces, position, is_empty=False)
            os.truncate(file.fileno(), max(len(old), position + len(new)))
        given = (tmp_path / "file").read_bytes()
        assert given == old[:position].ljust(position, b"\0") + new + old[position + len(new) :]


def test_holes_are_made_where_there_was_data(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+b") as file:
        file.write(bytes(64 * BLOCK_BYTES))
        file.flush()
        if not can_have_holes(file.fileno()):
            pytest.skip("no holes can be made here")
        assert data_extents(file.fileno(), 64 * BLOCK_BYTES) == [(0, 64 * BLOCK_BYTES)]
        write_sparsely(file.fileno(), [b"x" * BLOCK_BYTES, bytes(63 * BLOCK_BYTES)], 0, is_empty=False)
        assert data_extents(file.fileno(), 64 * BLOCK_BYTES) == [(0, BLOCK_BYTES)]


def test_pieces_are_those_of_the_joined_run() -> None:
    chance = random.Random(2)
    for _ in range(200):
        run = [chance.randbytes(chance.randrange(1, 30)) for _ in range(chance.randrange(1, 6))]
        whole = b"".join(run)
        ends = sorted(chance.randrange(len(whole) + 1) for _ in range(chance.randrange(5)))
        lengths = [end - first for first, end in zip([0, *ends], [*ends, len(whole)], strict=True)]
        pieces = list(cut(run, lengths))
        assert [sum(map(len, piece)) for piece in pieces] == lengths
        assert b"".join(data for piece in pieces for data in piece) == whole
