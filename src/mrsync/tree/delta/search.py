"""Search: where in an old copy a block is, when it is not in its place because something was inserted or taken out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from mrsync.tree.delta.blocks import ANCHOR_BYTES

WINDOW_BYTES = 1 << 18  # searched at first; twice as much after each search in vain
CREDIT_BYTES = 16 << 20  # may be searched beyond what was compared
CANDIDATES_MAX = 16  # places in one search whose digests are compared
DISTINCT_MIN = 4  # an anchor of fewer different bytes is in too many places
_CHUNK = 1 << 20

IsRight = Callable[[bytes], bool]


class Search:
    """Looks for the first bytes of a block, its anchor, behind the place where the last block was found.

    There the old copy goes on where something was inserted, however long, and not far behind where something was taken
    out. shift: how much further behind blocks are in the old copy than in the new file, kept from one to the next.
    Searches cost no more than comparing, however little is found.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.shift = 0
        self._fd = fd
        self._size = size
        self._found_end = 0
        self._window = WINDOW_BYTES
        self._credit = CREDIT_BYTES

    def note(self, position: int, length: int, shift: int) -> None:
        """A block that should be at a position was found, shifted by so much."""
        self.shift = shift
        self._found_end = position + shift + length
        self._window = WINDOW_BYTES

    def find(self, position: int, length: int, anchor: bytes, is_right: IsRight) -> bytes:
        """The bytes of a block that should be at a position, wherever they are; empty if they were not found."""
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
        """Where the anchor is in [low, high)."""
        while low + ANCHOR_BYTES <= high:
            chunk = os.pread(self._fd, min(_CHUNK, high - low), low)
            at = chunk.find(anchor)
            while at >= 0:
                yield low + at
                at = chunk.find(anchor, at + 1)
            if len(chunk) < ANCHOR_BYTES:
                return
            low += len(chunk) - ANCHOR_BYTES + 1
