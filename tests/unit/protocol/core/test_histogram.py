"""Histogram: counts, quantiles, milliseconds as 4.0.1 had them, and bars."""

from __future__ import annotations

import statistics
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mrsync.protocol.core.histogram import Histogram

micros = st.dictionaries(st.integers(1, 10**8), st.integers(1, 50), min_size=1, max_size=40)


def test_an_empty_histogram_has_zeros() -> None:
    empty = Histogram()
    assert (empty.total, empty.quantile_us(0.5), empty.longest_us) == (0, 0, 0)
    assert empty.milliseconds() == empty.bars(10) == []


def test_seconds_become_microseconds_and_none_is_free() -> None:
    made = Histogram()
    for seconds in (0.0004, 0.0004, -1e-6, 0.0):
        made.add(seconds)
    assert made.counts == {400: 2, 1: 2}


def test_quantiles_and_whole_milliseconds() -> None:
    made = Histogram({400: 50, 900: 40, 1000: 8, 3100: 1, 5000: 1})
    assert [made.quantile_us(share) for share in (0.5, 0.9, 0.98, 0.99, 1.0)] == [400, 900, 1000, 3100, 5000]
    assert made.milliseconds() == [(1, 98), (4, 1), (5, 1)]


@given(micros)
def test_the_half_is_the_lower_median(counts: dict[int, int]) -> None:
    every = [micros for micros, count in counts.items() for _ in range(count)]
    assert Histogram(counts).quantile_us(0.5) == statistics.median_low(every)


@given(micros, st.integers(1, 30))
def test_bars_are_few_of_one_width_and_hold_everything(counts: dict[int, int], bar_count: int) -> None:
    made = Histogram(counts)
    bars = made.bars(bar_count)
    assert 1 <= len(bars) <= bar_count
    assert sum(count for _, count in bars) == made.total
    bounds = [bound for bound, _ in bars]
    widths = {after - before for before, after in pairwise(bounds)}
    assert len(widths) <= 1
    assert bounds[-1] > max(counts)
    assert not widths or bounds[0] - widths.pop() <= min(counts)


def test_bars_show_empty_bins_between() -> None:
    assert Histogram({101: 5, 149: 2, 399: 1}).bars(6) == [(150, 7), (200, 0), (250, 0), (300, 0), (350, 0), (400, 1)]


@given(micros, micros)
def test_merged_histograms_add_up(one: dict[int, int], other: dict[int, int]) -> None:
    merged = Histogram.merged([Histogram(one), Histogram(other)])
    assert merged.total == Histogram(one).total + Histogram(other).total
    assert all(merged.counts[key] == one.get(key, 0) + other.get(key, 0) for key in merged.counts)
