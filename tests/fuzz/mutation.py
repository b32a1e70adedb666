"""Inputs like others, but damaged: bytes, numbers and pieces changed, moved, doubled and left out."""

from __future__ import annotations

import random
from collections.abc import Sequence

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)
INPUT_BYTES_MAX = 1 << 16


def mutated(chance: random.Random, samples: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Return one of the samples with a few changes. words: pieces that mean something to the parser."""
    data = bytearray(chance.choice(samples))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        _change(chance, data, samples, words)
    return bytes(data[:INPUT_BYTES_MAX])


def _change(chance: random.Random, data: bytearray, samples: Sequence[bytes], words: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.choice((1, 2, 4, 8, 64)))
    how = chance.randrange(8)
    if how == 0 and at < len(data):
        data[at] ^= 1 << chance.randrange(8)
    elif how == 1:
        width = chance.choice((1, 2, 4, 8))
        number = (chance.choice(NUMBERS) & (1 << 8 * width) - 1).to_bytes(width, chance.choice(("little", "big")))
        data[at : at + width] = number
    elif how == 2:
        del data[at:end]
    elif how == 3:
        data[at:at] = data[at:end] * chance.choice((1, 2, 30))
    elif how == 4 and words:
        data[at:at] = chance.choice(words)
    elif how == 5:
        other = chance.choice(samples)
        start = chance.randrange(len(other) + 1)
        data[at:] = other[start:]
    elif how == 6:
        data[at:at] = chance.randbytes(chance.choice((1, 2, 16)))
    else:
        del data[at:]
