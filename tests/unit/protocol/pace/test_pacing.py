"""Pacing: at which rate packets leave where bursts do not fit a queue."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.pacing import (
    CUT_MORE,
    GROW_PAGES_FAST,
    LATE_S_MAX,
    LATE_S_MIN,
    PACKETS_S_MAX,
    STEP_MAX,
    STEP_MIN,
    Pacing,
)


def begun(packets_s: float = 1000.0) -> Pacing:
    pacing = Pacing()
    pacing.begin(packets_s, 10)
    return pacing


def test_it_is_off_until_a_queue_was_too_short() -> None:
    assert Pacing().gap_s == 0.0
    assert begun().gap_s == pytest.approx(1 / (1000 * CUT_MORE))


def test_rates_beyond_the_timer_are_not_spread() -> None:
    assert not begun(PACKETS_S_MAX).is_on


def test_the_rate_grows_with_progress_behind_its_last_change() -> None:
    pacing = begun()
    pacing.on_progress(10 + GROW_PAGES_FAST - 1, 50)
    assert pacing.packets_s == 1000 * CUT_MORE
    pacing.on_progress(10 + GROW_PAGES_FAST, 50)
    assert pacing.packets_s == 1000 * CUT_MORE * (1 + STEP_MAX)


def test_a_cut_is_from_the_rate_at_which_the_lost_packets_left() -> None:
    pacing = begun()
    pacing.on_progress(20, 20)
    pacing.on_progress(30, 40)  # nothing lost there was sent at this rate
    pacing.cut(0.1, 10_000.0, 50, 30)
    assert pacing.packets_s == pytest.approx(1000 * CUT_MORE * (1 + STEP_MAX) * 0.9 * CUT_MORE)
    gap_s = pacing.gap_s
    pacing.on_progress(60, 70)
    assert pacing.gap_s == pytest.approx(gap_s / (1 + STEP_MIN))


def test_a_late_timer_makes_up_for_less_after_a_cut_and_for_more_with_growth() -> None:
    pacing = begun()
    assert pacing.late_s == LATE_S_MAX
    for tx in range(20, 30):
        pacing.cut(0.1, 10_000.0, tx, tx)
    assert pacing.late_s == LATE_S_MIN
    for tx in range(100, 1000, 20):
        pacing.on_progress(tx, tx)
    assert pacing.late_s == LATE_S_MAX


def test_a_cut_for_noise_is_taken_back() -> None:
    pacing = begun()
    pacing.cut(0.5, 400.0, 20, 15)
    pacing.take_back_cut(30)
    assert pacing.packets_s == 1000 * CUT_MORE


def test_a_cut_after_one_that_was_taken_back_begins_at_the_restored_rate() -> None:
    pacing = begun()
    pacing.cut(0.5, 400.0, 20, 15)
    pacing.take_back_cut(30)
    pacing.cut(0.1, 10_000.0, 50, 40)
    assert pacing.packets_s == pytest.approx(1000 * 0.9 * CUT_MORE**2)


def test_a_beginning_for_noise_is_taken_back() -> None:
    pacing = begun()
    pacing.take_back_cut(20)
    assert not pacing.is_on


def test_a_path_that_is_fast_again_is_found() -> None:
    pacing = begun()
    pacing.cut(0.5, 400.0, 20, 15)
    for tx in range(30, 2000, 10):
        pacing.on_progress(tx, tx)
    assert not pacing.is_on
