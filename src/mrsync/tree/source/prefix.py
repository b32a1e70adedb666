"""Send the beginning of a file as it was at one moment, for files that keep growing."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable

from mrsync.tree.fs.pieces import read_exactly
from mrsync.tree.model.failure import Changed

BLOCK_BYTES_MIN = 64 << 10
BLOCKS_MAX = 1 << 20  # larger files have larger blocks
_DIGEST_BYTES = 16


class Prefix:
    """Digests of the blocks in the first `size` bytes of a file, taken in one pass.

    Bytes that still have these digests when they are read again did not change in between. So everything read this way,
    even hours later and in any order, is what the file contained at the end of the pass.
    """

    def __init__(self, fd: int, size: int, on_activity: Callable[[], None]) -> None:
        """Read and digest the bytes. Raise OSError if that fails, Changed if the file is shorter.

        on_activity: called after each block; what it raises is passed on.
        """
        status = os.fstat(fd)
        self.size = size
        self._identity = status.st_dev, status.st_ino
        self._block_bytes = BLOCK_BYTES_MIN
        while size > self._block_bytes * BLOCKS_MAX:
            self._block_bytes *= 2
        digests = bytearray()
        for position in range(0, size, self._block_bytes):
            digests += _digest(read_exactly(fd, position, min(self._block_bytes, size - position)))
            on_activity()
        self._digests = bytes(digests)

    def is_of(self, status: os.stat_result) -> bool:
        """Return whether this is the same file and at least as long."""
        is_same = (status.st_dev, status.st_ino) == self._identity
        return is_same and stat.S_ISREG(status.st_mode) and status.st_size >= self.size

    def read(self, fd: int, position: int, length: int) -> bytes:
        """Return `length` bytes at a position. Raise OSError, or Changed if one of their blocks has changed."""
        block_bytes = self._block_bytes
        first, end = position // block_bytes, -(-(position + length) // block_bytes)
        start = first * block_bytes
        data = read_exactly(fd, start, min(end * block_bytes, self.size) - start)
        for block in range(first, end):
            at = block * block_bytes - start
            expected = self._digests[block * _DIGEST_BYTES : (block + 1) * _DIGEST_BYTES]
            if _digest(data[at : at + block_bytes]) != expected:
                raise Changed("it was written to")
        return data[position - start : position - start + length]


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
