from __future__ import annotations

from mrsync.cli.output.roundtrips import BAR_WIDTH, histogram_lines, quantiles
from mrsync.protocol.core.histogram import Histogram


def test_two_columns_as_4_0_1_then_microseconds_and_bars() -> None:
    lines = list(histogram_lines(Histogram({400: 96, 500: 2, 1900: 1, 3900: 1})))
    assert lines[:6] == [
        "rtt histogram",
        "msec    counts",
        "----  --------",
        "   1        98",
        "   2         1",
        "   4         1",
    ]
    assert lines[6] == "p50 400 us, p90 400 us, p99 1900 us, max 3900 us"
    assert lines[7] == "up to us"
    assert lines[8] == f"     500  {'#' * BAR_WIDTH} 96"
    assert lines[9] == "    1000  ## 2"
    assert lines[10] == "    1500"
    assert lines[-1] == "    4000  # 1"
    assert len(lines) == 16


def test_a_single_value_fills_one_bar() -> None:
    assert list(histogram_lines(Histogram({7: 3})))[-1] == f"       8  {'#' * BAR_WIDTH} 3"
    assert quantiles(Histogram({7: 3})) == "p50 7 us, p90 7 us, p99 7 us, max 7 us"
