"""The smallest or largest value of late."""

from __future__ import annotations

from mrsync.protocol.core.recent import Recent


def test_nothing_is_known_at_first() -> None:
    assert Recent(1.0).value is None


def test_the_smallest_and_the_largest_count() -> None:
    smallest, largest = Recent(1.0), Recent(1.0, max)
    for at, value in enumerate((3.0, 1.0, 2.0)):
        smallest.add(value, 0.1 * at)
        largest.add(value, 0.1 * at)
    assert (smallest.value, largest.value) == (1.0, 3.0)


def test_a_value_counts_for_a_span_and_is_forgotten_after_two() -> None:
    recent = Recent(1.0)
    recent.add(1.0, 0.9)
    recent.add(5.0, 1.1)
    assert recent.value == 1.0
    recent.add(6.0, 2.05)
    assert recent.value == 1.0
    recent.add(7.0, 2.2)
    assert recent.value == 5.0
    recent.add(8.0, 3.3)
    assert recent.value == 7.0
