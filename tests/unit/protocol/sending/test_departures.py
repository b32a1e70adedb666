"""Departures: how fast bursts left."""

from __future__ import annotations

import math

import pytest

from mrsync.protocol.sending.departures import PAUSE_S, PLANNED_MAX, PLANNED_S, TIMES, Departures


def test_bursts_that_are_planned_together_leave_one_after_another() -> None:
    departures = Departures()
    for tx in range(1, 33):
        departures.on_planned(tx, 40, (tx - 1) // 16 * 0.16, 0.0)
        departures.on_left(tx, 0.01 * tx)
    assert departures.packets_s(4, 20) == pytest.approx(4000)


def test_a_wait_is_no_time_of_sending() -> None:
    departures = Departures()
    now = 0.0
    for tx in range(1, 21):
        now += 1.0 if tx == 11 else 0.002
        departures.on_planned(tx, 40, now, 0.0)
        departures.on_left(tx, now)
    assert departures.packets_s(1, 20) == pytest.approx(19 * 40 / (18 * 0.002 + PAUSE_S))


def test_a_burst_without_a_time_of_departure_left_before_the_next_page() -> None:
    departures = Departures()
    for tx in range(1, 17):
        departures.on_planned(tx, 40, 0.0, 0.0)
    for tx in range(1, 16):
        departures.on_left(tx, 0.01 * tx)
    assert departures.packets_s(1, 16) == pytest.approx(15 * 40 / 0.14)


def test_packets_that_were_spared_did_not_leave() -> None:
    departures = Departures()
    departures.on_planned(1, 40, 1.0, 0.0)
    departures.on_planned(2, 40, 1.005, 0.0)
    departures.on_spared(10)
    departures.on_planned(3, 40, 1.01, 0.0)
    assert departures.packets_s(1, 3) == pytest.approx(7000)


def test_forgotten_departures_show_no_rate() -> None:
    departures = Departures()
    for tx in range(1, 2 * TIMES):
        departures.on_planned(tx, 40, tx * 0.01, 0.0)
    assert departures.packets_s(5, 2 * TIMES - 5) == pytest.approx(40 / PAUSE_S, rel=0.01)
    assert departures.packets_s(5, 90) == math.inf


def left(count: int, seconds: float) -> Departures:
    """Return the departures after so many bursts that took as many seconds each, in plans of four."""
    departures = Departures()
    for tx in range(1, count + 1):
        departures.on_planned(tx, 40, (tx - 1) // 4 * 4 * seconds, 0.0)
        departures.on_left(tx, tx * seconds)
    return departures


def test_on_a_slow_link_fewer_bursts_are_planned_at_once() -> None:
    assert left(0, 0.0).plan_max == PLANNED_MAX
    assert left(99, PLANNED_S / PLANNED_MAX / 2).plan_max == PLANNED_MAX
    assert left(99, PLANNED_S / 3.5).plan_max == 3
    assert left(99, 10 * PLANNED_S).plan_max == 1
