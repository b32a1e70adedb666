"""Attention: which time counts."""

from __future__ import annotations

import pytest

from mrsync.protocol.core.attention import LAPSE_S, Attention


def test_work_and_planned_waits_count() -> None:
    attention = Attention(100.0)
    assert attention.now(100.0 + LAPSE_S) == 100.0 + LAPSE_S
    assert attention.woke(160.0, 159.9) == 160.0
    assert attention.woke(999.0, None) == 999.0  # it waited for anything that comes
    assert attention.lapsed_s == 0.0


def test_a_turn_that_took_too_long_does_not_count() -> None:
    attention = Attention(100.0)
    assert attention.now(112.0) == 100.0
    assert attention.now(112.25) == 100.25
    assert attention.lapsed_s == 12.0


def test_only_the_wait_counts_of_a_stop_during_it() -> None:
    attention = Attention(100.0)
    assert attention.woke(120.0, 101.5) == 101.5
    assert attention.woke(121.0, 121.0) == 102.5


def test_a_deadline_that_had_passed_before_the_wait_changes_nothing() -> None:
    attention = Attention(100.0)
    attention.now(100.25)
    assert attention.woke(100.5, 90.0) == 100.5


@pytest.mark.parametrize("due", [None, 130.0])
def test_time_never_goes_back(due: float | None) -> None:
    attention = Attention(100.0)
    times = [attention.now(120.0), attention.woke(130.0, due), attention.now(131.0), attention.now(131.0)]
    assert times == sorted(times)
