"""How long packets queue on their way, told from round trips."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.queueing import DEPTH_SPAN_S, JITTER_S, STALE_ROUNDS, STALE_S, WAY_SPAN_S, Queueing


def fed(*round_trips: float, first: float = 0.0, step: float = 0.01) -> Queueing:
    made = Queueing()
    for at, rtt_s in enumerate(round_trips):
        made.add(rtt_s, first + at * step)
    return made


def test_nothing_is_known_at_first() -> None:
    made = Queueing()
    assert (made.way_s, made.depth_s, made.queue_s) == (0, 0, 0)
    assert not made.is_full


def test_longer_round_trips_mean_queueing() -> None:
    made = fed(0.001, 0.011, 0.011, 0.011)
    assert made.way_s == pytest.approx(0.001)
    assert made.queue_s == pytest.approx(0.01)
    assert made.is_full


@pytest.mark.parametrize(("rtt_s", "lasts_s"), [(0.02, STALE_S), (0.9, STALE_ROUNDS * 0.2)])
def test_a_queue_that_was_seen_long_ago_is_not_known(rtt_s: float, lasts_s: float) -> None:
    made = fed(0.001, *[rtt_s] * 3, step=0.0)
    made.forget(lasts_s)
    assert made.is_full
    made.forget(lasts_s + STALE_ROUNDS)
    assert (made.is_full, made.is_busy, made.is_short) == (False, False, False)
    assert made.way_s == pytest.approx(0.001)
    made.add(0.001, lasts_s + STALE_ROUNDS)
    assert made.is_short, "round trips from before do not count any more"


def test_one_late_program_is_not_a_queue() -> None:
    made = fed(0.001, 0.001, 0.05, 0.001)
    assert made.queue_s == 0
    assert not made.is_full


def test_the_shorter_of_two_round_trips_counts() -> None:
    assert fed(0.02, 0.001).queue_s == 0


def test_programs_that_are_late_twice_of_three_times_are_no_queue() -> None:
    made = fed(0.001, 0.02, 0.001, 0.02)
    assert made.queue_s == pytest.approx(0.019)
    assert not made.is_busy


def test_late_programs_on_a_long_path_are_no_full_queue() -> None:
    way_s = 0.1
    made = fed(way_s, way_s + 0.015, way_s + 0.001, way_s + 0.015)
    assert made.queue_s > made.depth_s / 2
    assert made.depth_s > made.jitter_s
    assert not made.is_full
    assert fed(way_s, *[way_s + 0.015] * 3).is_full


def test_a_little_queueing_is_jitter() -> None:
    made = fed(0.001, *[0.001 + JITTER_S * 0.9] * 5)
    assert not made.is_busy
    assert not made.is_full


def test_a_queue_that_is_nearly_empty_is_not_full() -> None:
    made = fed(0.001, *[0.101] * 3, *[0.031] * 3)
    assert made.depth_s == pytest.approx(0.1)
    assert made.is_busy
    assert not made.is_full


def test_a_longer_route_is_the_way_after_two_spans() -> None:
    made = fed(0.001, *[0.051] * 3)
    for turn in (1, 2):
        made.add(0.051, 1.1 * turn * WAY_SPAN_S)
    assert made.way_s == pytest.approx(0.051)
    assert made.depth_s == 0


def test_a_queue_that_stands_for_long_is_not_taken_for_the_way() -> None:
    made = fed(0.001, *[0.011] * 3)
    for at in range(40):
        made.add(0.011, 0.5 * at)
    assert made.queue_s == pytest.approx(0.01)
    assert made.is_full
    made.add(0.002, 30.0)
    made.add(0.002, 30.0)
    made.add(0.002, 30.0 + DEPTH_SPAN_S)
    assert made.is_short


def test_clocks_that_were_set_show_nothing() -> None:
    made = fed(0.001, -5.0, 0.0)
    assert made.way_s == pytest.approx(0.001)
