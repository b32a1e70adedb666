"""Spans: sorted, disjoint ranges [a, b) of bytes or pages, as lists of pairs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the union, ascending, with adjacent spans joined."""
    union: list[Span] = []
    for first, end in sorted(spans):
        if union and first <= union[-1][1]:
            if end > union[-1][1]:
                union[-1] = (union[-1][0], end)
        elif first < end:
            union.append((first, end))
    return union


def without(spans: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """Return the parts of the first spans that the others do not cover; both are sorted and disjoint."""
    left: list[Span] = []
    at = 0
    for first, end in spans:
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


def clipped(spans: Sequence[Span], first: int, end: int) -> list[Span]:
    """Return the parts that lie in [first, end). spans: sorted and disjoint, [a, b) each."""
    inside: list[Span] = []
    at = max(0, bisect_left(spans, (first, first)) - 1)
    while at < len(spans) and spans[at][0] < end:
        low, high = max(first, spans[at][0]), min(end, spans[at][1])
        if low < high:
            inside.append((low, high))
        at += 1
    return inside


def total(spans: Iterable[Span]) -> int:
    """Return how many numbers the spans cover."""
    return sum(end - first for first, end in spans)
