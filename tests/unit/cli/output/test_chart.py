"""Charts: axes have round numbers, whatever was measured."""

from __future__ import annotations

import re

import pytest

from mrsync.cli.output.chart import line_chart


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
