"""A run: when it is to stop."""

from __future__ import annotations

from typing import Any

import pytest

from mrsync.run.cast.cast import is_time_up
from mrsync.run.settings import CastSettings

NOON = 1_800_000_000.0


@pytest.mark.parametrize(
    ("options", "seconds", "now", "is_up"),
    [
        ({}, 1e6, 1e12, False),
        ({"stop_at": NOON}, 1e6, NOON - 1, False),
        ({"stop_at": NOON}, 0.0, NOON, True),
        ({"stop_after": 5.0}, 299.0, NOON + 86400, False),  # somebody set the clock
        ({"stop_after": 5.0}, 300.0, NOON - 86400, True),
        ({"stop_after": 5.0, "stop_at": NOON}, 1.0, NOON, True),
    ],
)
def test_the_clock_counts_no_minutes(options: dict[str, Any], seconds: float, now: float, is_up: bool) -> None:
    settings = CastSettings(b"/source", b"/dest", ("a",), None, bytes(32))
    assert is_time_up(settings._replace(**options), seconds, now) is is_up
