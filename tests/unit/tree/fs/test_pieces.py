"""Runs are cut where files end; only whole blocks of zeros are left out, wherever the data begins."""

from __future__ import annotations

import os
import random
from pathlib import Path

from mrsync.tree.fs.pieces import BLOCK_BYTES, cut, data_spans, write_sparsely


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
