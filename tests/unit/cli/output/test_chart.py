"""Charts: axes have round numbers, whatever was measured."""

from __future__ import annotations

import re

import pytest

from mrsync.cli.output.chart import histogram_chart, line_chart


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [
        (0.328, ["0 s", "0.1 s", "0.2 s", "0.3 s"]),
        (41, ["0 s", "20 s", "40 s"]),
        (1, ["0 s", "0.25 s", "0.5 s", "0.75 s", "1 s"]),
        (9.8, ["0 s", "2.5 s", "5 s", "7.5 s"]),
        (0.4, ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]),
        (7200, ["0 s", "2000 s", "4000 s", "6000 s"]),
    ],
)
def test_ticks_of_time_are_round(seconds: float, ticks: list[str]) -> None:
    drawing = line_chart([("line", "label", [(0, 0), (seconds, 5)])], lambda count: f"{count:g} B", "s")
    assert re.findall(r">([^<]+ s)</text>", drawing) == ticks


@pytest.mark.parametrize("seconds", [float("inf"), 5e-324, -1.0])
def test_times_that_no_run_has_have_no_axis(seconds: float) -> None:
    drawing = line_chart([("line", "label", [(0, 0), (seconds, 5)])], lambda count: f"{count:g} B", "s")
    assert drawing.startswith("<svg")


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (1, ["0", "1", "2", "3", "4"]),
        (5, ["0", "2", "4", "6", "8"]),
        (9, ["0", "3", "6", "9", "12"]),
        (41, ["0", "20", "40", "60", "80"]),
        (100, ["0", "25", "50", "75", "100"]),
    ],
)
def test_ticks_of_counts_are_whole_numbers(most: int, ticks: list[str]) -> None:
    assert re.findall(r">(\S+)</text>", histogram_chart([(1, most), (2, 1)], "ms")) == ticks
