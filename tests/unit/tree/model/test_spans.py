"""Spans against sets of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mrsync.tree.model.spans import Span, clipped, merged, total, without

raw = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def numbers(spans: list[Span]) -> set[int]:
    return {number for first, end in spans for number in range(first, end)}


def is_normal(spans: list[Span]) -> bool:
    return all(first < end for first, end in spans) and spans == merged(spans)


@given(raw)
def test_merged_spans_are_their_union(spans: list[Span]) -> None:
    union = merged(spans)
    assert numbers(union) == numbers(spans)
    assert is_normal(union)
    assert total(union) == len(numbers(spans))


@given(raw, raw)
def test_without_is_the_set_difference(spans: list[Span], others: list[Span]) -> None:
    left = without(merged(spans), merged(others))
    assert numbers(left) == numbers(spans) - numbers(others)
    assert is_normal(left)


@given(raw, st.integers(0, 40), st.integers(0, 40))
def test_clipped_spans_are_the_part_inside(spans: list[Span], first: int, end: int) -> None:
    inside = clipped(merged(spans), first, end)
    assert numbers(inside) == numbers(spans) & set(range(first, end))
    assert is_normal(inside)
