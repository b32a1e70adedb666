"""RangeSet against a plain set of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mrsync.protocol.core.ranges import RangeSet

NUMBERS = st.integers(0, 60)
PAIRS = st.tuples(NUMBERS, NUMBERS)
STEPS = st.lists(PAIRS, max_size=30)


def built(steps: list[tuple[int, int]]) -> tuple[RangeSet, set[int]]:
    ranges, plain = RangeSet(), set[int]()
    for start, end in steps:
        ranges.add(start, end)
        plain |= set(range(start, end))
    return ranges, plain


@given(STEPS)
def test_holds_what_was_added(steps: list[tuple[int, int]]) -> None:
    ranges, plain = built(steps)
    assert {number for start, end in ranges for number in range(start, end)} == plain
    assert ranges.count() == len(plain)
    assert [number for number in range(62) if number in ranges] == sorted(plain)


@given(STEPS)
def test_ranges_are_sorted_disjoint_and_do_not_touch(steps: list[tuple[int, int]]) -> None:
    ranges, _ = built(steps)
    bounds = [bound for pair in ranges for bound in pair]
    assert bounds == sorted(set(bounds))
    assert len(ranges) * 2 == len(bounds)


@given(STEPS, PAIRS)
def test_clipped_keeps_what_is_inside(steps: list[tuple[int, int]], window: tuple[int, int]) -> None:
    ranges, plain = built(steps)
    inside = {number for start, end in ranges.clipped(*window) for number in range(start, end)}
    assert inside == plain & set(range(*window))
    assert all(start < end for start, end in ranges.clipped(*window))


@given(STEPS, STEPS)
def test_update_is_union(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    ranges, plain = built(one)
    more, numbers = built(other)
    ranges.update(more)
    assert ranges == RangeSet((number, number + 1) for number in plain | numbers)


def test_is_not_equal_to_what_is_no_range_set() -> None:
    assert RangeSet([(1, 2)]) != [(1, 2)]
    assert repr(RangeSet([(1, 2), (3, 4)])) == "RangeSet([(1, 2), (3, 4)])"
