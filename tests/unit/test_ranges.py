"""RangeSet, and the functions on lists of ranges, against plain sets of numbers."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from mrsync.ranges import NUMBERS_MAX, Range, RangeSet, UnionInTurns, clipped, merged, total, without

NUMBERS = st.integers(0, 60)
PAIRS = st.tuples(NUMBERS, NUMBERS)
STEPS = st.lists(PAIRS, max_size=30)
LISTS = st.lists(PAIRS, max_size=8)


def built(steps: list[tuple[int, int]]) -> tuple[RangeSet, set[int]]:
    ranges, plain = RangeSet(), set[int]()
    for start, end in steps:
        ranges.add(start, end)
        plain |= set(range(start, end))
    return ranges, plain


@given(STEPS)
def test_added_ranges_are_held(steps: list[tuple[int, int]]) -> None:
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
def test_clipped_keeps_the_inside(steps: list[tuple[int, int]], window: tuple[int, int]) -> None:
    ranges, plain = built(steps)
    inside = {number for start, end in ranges.clipped(*window) for number in range(start, end)}
    assert inside == plain & set(range(*window))
    assert all(start < end for start, end in ranges.clipped(*window))


@given(STEPS, STEPS)
def test_update_makes_the_union(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    ranges, plain = built(one)
    more, numbers = built(other)
    ranges.update(more)
    assert ranges == RangeSet((number, number + 1) for number in plain | numbers)


def test_equals_only_range_sets() -> None:
    assert RangeSet([(1, 2)]) != [(1, 2)]
    assert repr(RangeSet([(1, 2), (3, 4)])) == "RangeSet([(1, 2), (3, 4)])"


@given(st.lists(STEPS, max_size=4), st.integers(1, 5))
def test_a_union_is_made_in_turns_of_bounded_work(sets: list[list[tuple[int, int]]], ranges_max: int) -> None:
    made = [built(steps) for steps in sets]
    taken = 0

    def counted(ranges: RangeSet) -> Iterator[tuple[int, int]]:
        nonlocal taken
        for pair in ranges:
            taken += 1
            yield pair

    union = UnionInTurns([counted(ranges) for ranges, _ in made])
    is_made = False
    while not is_made:
        before = taken, len(union.result)
        is_made = union.work(ranges_max)
        assert taken - before[0] + len(union.result) - before[1] <= ranges_max
    assert union.result == RangeSet(
        (number, number + 1) for number in sorted(set().union(*(plain for _, plain in made)))
    )


def test_a_union_is_bounded_by_the_largest_manifest() -> None:
    assert UnionInTurns([RangeSet([(1, 2), (NUMBERS_MAX - 1, 1 << 60)])]).whole() == RangeSet(
        [(1, 2), (NUMBERS_MAX - 1, NUMBERS_MAX)]
    )


def numbers(ranges: list[Range]) -> set[int]:
    return {number for first, end in ranges for number in range(first, end)}


def is_normal(ranges: list[Range]) -> bool:
    return all(first < end for first, end in ranges) and ranges == merged(ranges)


@given(LISTS)
def test_merged_ranges_are_their_union(ranges: list[Range]) -> None:
    union = merged(ranges)
    assert numbers(union) == numbers(ranges)
    assert is_normal(union)
    assert total(union) == len(numbers(ranges))


@given(LISTS, LISTS)
def test_without_is_the_set_difference(ranges: list[Range], others: list[Range]) -> None:
    left = without(merged(ranges), merged(others))
    assert numbers(left) == numbers(ranges) - numbers(others)
    assert is_normal(left)


@given(LISTS, NUMBERS, NUMBERS)
def test_clipped_ranges_are_the_part_inside(ranges: list[Range], first: int, end: int) -> None:
    inside = clipped(merged(ranges), first, end)
    assert numbers(inside) == numbers(ranges) & set(range(first, end))
    assert is_normal(inside)
