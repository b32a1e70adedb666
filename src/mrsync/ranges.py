"""Ranges [start, end) of whole numbers: bytes, pages, entries or files.

A `RangeSet` is a set that grows. The functions take and return sorted lists of disjoint ranges, for what is computed in
one pass. Ranges of the bytes of a file are called spans.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

Range = tuple[int, int]
NUMBERS_MAX = 1 << 26  # of a union; no manifest with that many entries fits into memory, so no honest target sends more
_RUN = re.compile(rb"\x01+")


class RangeSet:
    """A set of numbers, as sorted ranges that do not touch. A change costs as much as the ranges that it touches."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add the numbers [start, end)."""
        if start >= end:
            return
        if not self._ends or start > self._ends[-1]:
            self._starts.append(start)
            self._ends.append(end)
            return
        low = bisect_left(self._ends, start)
        high = bisect_right(self._starts, end)
        if low < high:
            start = min(start, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]

    def update(self, other: Iterable[Range]) -> None:
        """Add every range of `other`."""
        for start, end in other:
            self.add(start, end)

    def clipped(self, first: int, end: int) -> list[Range]:
        """Return the ranges inside [first, end), cut at its borders."""
        result: list[Range] = []
        if first >= end:
            return result
        at = bisect_right(self._ends, first)
        while at < len(self._starts) and self._starts[at] < end:
            result.append((max(first, self._starts[at]), min(end, self._ends[at])))
            at += 1
        return result

    def count(self) -> int:
        """Return how many numbers are in the set."""
        return sum(self._ends) - sum(self._starts)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number < self._ends[at]

    def __iter__(self) -> Iterator[Range]:
        return iter(zip(self._starts, self._ends))

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"


class UnionInTurns:
    """The union of many sets of ranges in turns of bounded work: 100 sets of 100 000 ranges take seconds.

    Each number is a byte in between, so that overlapping ranges of any number of sets cost no more than disjoint ones.
    """

    def __init__(self, sets: Iterable[Iterable[Range]]) -> None:
        self.result = RangeSet()
        self._ranges = chain.from_iterable(sets)
        self._marks = bytearray()
        self._found: Iterator[re.Match[bytes]] | None = None

    def work(self, ranges_max: int) -> bool:
        """Take that many ranges at most, in or out. Return True when `result` is the union."""
        if self._found is None:
            taken = self._take_in(ranges_max)
            if taken == ranges_max:
                return False
            self._found, ranges_max = _RUN.finditer(self._marks), ranges_max - taken
        runs = list(islice(self._found, ranges_max))
        self.result.update(run.span() for run in runs)
        return len(runs) < ranges_max

    def whole(self) -> RangeSet:
        """Return the union, however long that takes."""
        while not self.work(NUMBERS_MAX):
            pass
        return self.result

    def _take_in(self, ranges_max: int) -> int:
        marks, count = self._marks, 0
        for start, end in islice(self._ranges, ranges_max):
            count += 1
            start, end = min(start, NUMBERS_MAX), min(end, NUMBERS_MAX)
            if end > len(marks):
                marks.extend(bytes(end - len(marks)))
            marks[start:end] = b"\x01" * (end - start)
        return count


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Return the union, ascending, with adjacent ranges joined."""
    union: list[Range] = []
    for first, end in sorted(ranges):
        if union and first <= union[-1][1]:
            if end > union[-1][1]:
                union[-1] = (union[-1][0], end)
        elif first < end:
            union.append((first, end))
    return union


def without(ranges: Iterable[Range], others: Sequence[Range]) -> list[Range]:
    """Return the parts of the first ranges that the others do not cover; both are sorted and disjoint."""
    left: list[Range] = []
    at = 0
    for first, end in ranges:
        while at < len(others) and others[at][1] <= first:
            at += 1
        position = at
        while position < len(others) and others[position][0] < end:
            low, high = others[position]
            if first < low:
                left.append((first, low))
            first = max(first, high)
            position += 1
        if first < end:
            left.append((first, end))
    return left


def clipped(ranges: Sequence[Range], first: int, end: int) -> list[Range]:
    """Return the parts that lie in [first, end). ranges: sorted and disjoint, [a, b) each."""
    inside: list[Range] = []
    at = max(0, bisect_left(ranges, (first, first)) - 1)
    while at < len(ranges) and ranges[at][0] < end:
        low, high = max(first, ranges[at][0]), min(end, ranges[at][1])
        if low < high:
            inside.append((low, high))
        at += 1
    return inside


def total(ranges: Iterable[Range]) -> int:
    """Return how many numbers the ranges cover."""
    return sum(end - first for first, end in ranges)
