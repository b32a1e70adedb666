"""Print round-trip times, for rtt and at the end of `mrsync -v 1`."""

from __future__ import annotations

from collections.abc import Iterator

from mrsync.protocol.core.histogram import Histogram

BARS_MAX = 16
BAR_WIDTH = 50


def histogram_lines(histogram: Histogram) -> Iterator[str]:
    """Yield the histogram in the format of 4.0.1, and then with finer bars."""
    yield from table_lines(histogram)
    bars = histogram.bars(BARS_MAX)
    most = max(count for _, count in bars)
    yield "up to us"
    for bound, count in bars:
        bar = "#" * -(-count * BAR_WIDTH // most)
        yield f"{bound:>8}  {bar} {count}" if count else f"{bound:>8}"


def table_lines(histogram: Histogram) -> Iterator[str]:
    """Yield the histogram in the format of 4.0.1."""
    yield "rtt histogram"
    yield "msec    counts"
    yield "----  --------"
    yield from (f"{bound:>4}  {count:>8}" for bound, count in histogram.milliseconds())
    yield quantiles(histogram)


def quantiles(histogram: Histogram) -> str:
    """Return, for example, "p50 412 us, p90 520 us, p99 1203 us, max 3921 us"."""
    parts = [f"p{percent} {histogram.quantile_us(percent / 100)} us" for percent in (50, 90, 99)]
    return ", ".join([*parts, f"max {histogram.longest_us} us"])
