"""Plan: which files make up the contents of a run, and where their pages are."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from mrsync.protocol.ranges import RangeSet
from mrsync.wire.geometry import Geometry


class Plan:
    """Entries of the manifest with their sizes; `fix` chooses those that are cast."""

    def __init__(self, entry_bytes: tuple[int, ...], geometry: Geometry) -> None:
        self.entry_count = len(entry_bytes)
        self.files: list[int] = []  # plan file -> entry
        self.contents_bytes = 0
        self._entry_bytes = entry_bytes
        self._page_bytes = geometry.page_bytes
        self._starts: list[int] = []
        self._ends: list[int] = []

    def fix(self, entries: list[int]) -> None:
        """Plan these entries, back to back."""
        self.files = entries
        for entry in entries:
            self._starts.append(self.contents_bytes)
            self.contents_bytes += self._entry_bytes[entry]
            self._ends.append(self.contents_bytes)

    def pages_of(self, file: int) -> tuple[int, int]:
        """The range of pages that hold something of this plan file; empty for an empty file."""
        start, end = self._starts[file], self._ends[file]
        first = start // self._page_bytes
        return (first, -(-end // self._page_bytes)) if end > start else (first, first)

    def pages_of_entries(self, entries: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """The ranges of pages that hold something of these entries, file by file."""
        wanted = RangeSet(entries)
        return [self.pages_of(file) for file, entry in enumerate(self.files) if entry in wanted]

    def files_of(self, page: int) -> list[int]:
        """Plan files that have something on this page."""
        low = bisect_right(self._ends, page * self._page_bytes)
        high = bisect_left(self._starts, (page + 1) * self._page_bytes)
        return [file for file in range(low, high) if self._ends[file] > self._starts[file]]

    def files_before(self, page: int) -> int:
        """How many plan files have nothing on this page or behind it."""
        return bisect_right(self._ends, page * self._page_bytes)

    def files_ending_on(self, page: int) -> list[int]:
        """Plan files whose last page this is."""
        return [file for file in self.files_of(page) if self.pages_of(file)[1] == page + 1]
