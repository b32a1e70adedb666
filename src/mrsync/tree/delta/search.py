"""Search an old version for a block that is not at its place because bytes were inserted or removed before it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from mrsync.tree.delta.blocks import ANCHOR_BYTES

WINDOW_BYTES = 1 << 18  # searched at first; doubled after each search without success
CREDIT_BYTES = 16 << 20  # bytes that may be searched in addition to the number of bytes compared
CANDIDATES_MAX = 16  # positions in one search whose digests are compared
DISTINCT_MIN = 4  # an anchor with fewer distinct bytes would be found in too many places
_CHUNK = 1 << 20

IsRight = Callable[[bytes], bool]


class Search:
    """Search for the first bytes of a block, its anchor, from where the last block was found.

    That is where the old version continues after an insertion of any length, and close to it after a removal.
    The total cost of searching is bounded by the bytes compared plus CREDIT_BYTES, even if nothing is found.

    shift: how many bytes later blocks are in the old version than in the new file, by the last block found.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.shift = 0
        self._fd = fd
        self._size = size
        self._found_end = 0
        self._window = WINDOW_BYTES
        self._credit = CREDIT_BYTES

    def note(self, position: int, length: int, shift: int) -> None:
        """Note that a block was found in the old version.

        position, length: of the block in the new file, in bytes. shift: how many bytes further on it was found.
        """
        self.shift = shift
        self._found_end = position + shift + length
        self._window = WINDOW_BYTES

    def find(self, position: int, length: int, anchor: bytes, is_right: IsRight) -> bytes:
        """Return the bytes of the block that belongs at a position of the new file, or b"" if they are not found.

        length: of the block. anchor: its first ANCHOR_BYTES, padded with zeros. is_right: return whether these bytes
        are the block.
        """
        self._credit += length
        low = max(0, self._found_end - length)
        high = min(self._size, self._found_end + min(self._window, self._credit))
        if length < ANCHOR_BYTES or len(set(anchor)) < DISTINCT_MIN:
            return b""
        self._credit -= max(0, high - self._found_end)
        for turn, place in enumerate(self._places(anchor, low, high)):
            data = os.pread(self._fd, length, place)
            if is_right(data):
                self.note(position, length, place - position)
                return data
            if turn == CANDIDATES_MAX:
                break
        self._window = min(2 * self._window, self._size)
        return b""

    def _places(self, anchor: bytes, low: int, high: int) -> Iterator[int]:
        """Yield the positions of the anchor in [low, high)."""
        while low + ANCHOR_BYTES <= high:
            chunk = os.pread(self._fd, min(_CHUNK, high - low), low)
            at = chunk.find(anchor)
            while at >= 0:
                yield low + at
                at = chunk.find(anchor, at + 1)
            if len(chunk) < ANCHOR_BYTES:
                return
            low += len(chunk) - ANCHOR_BYTES + 1
