"""The window of a TCP connection."""

from __future__ import annotations

import math

import pytest

from mrsync.protocol.pace.cubic import BETA, BETA_RARE, PACKETS_MIN, RARE_S, Cubic
from mrsync.protocol.pace.queue_signals import QueueSignals
from mrsync.protocol.pace.slowstart import PACKETS_START, PACKETS_START_S

RTT_S = 0.02


@pytest.fixture
def way() -> QueueSignals:
    made = QueueSignals()
    made.queueing.add(RTT_S, 0.0)
    return made


@pytest.fixture
def busy_way() -> QueueSignals:
    """One on which some packets queue."""
    made = QueueSignals()
    for rtt_s in (RTT_S, *[1.3 * RTT_S] * 3):
        made.queueing.add(rtt_s, 0.0)
    return made


def turn(control: Cubic, way: QueueSignals, now: float, *, is_full: bool = True) -> None:
    control.on_seen(int(control.size), way, now, is_full=is_full, is_fresh=True)


def test_it_doubles_until_the_first_congestion(way: QueueSignals) -> None:
    control = Cubic()
    turn(control, way, 0.0)
    assert control.size == 2 * PACKETS_START


def test_an_unused_window_does_not_grow(way: QueueSignals) -> None:
    control = Cubic()
    turn(control, way, 0.0, is_full=False)
    assert control.size == PACKETS_START


def test_congestion_cuts_it_and_deeper_where_it_is_rare(way: QueueSignals) -> None:
    control = Cubic()
    control.on_congestion(way, RARE_S + 1)
    assert control.size == pytest.approx(BETA_RARE * PACKETS_START)
    control.on_congestion(way, RARE_S + 1.5)
    assert control.size == pytest.approx(BETA * BETA_RARE * PACKETS_START)


def test_it_comes_back_to_where_it_was_but_slowly_beyond(busy_way: QueueSignals) -> None:
    control = Cubic()
    control.size = 400.0
    control.on_congestion(busy_way, 1.0)
    now, sizes = 1.0, []
    while now < 12:
        turn(control, busy_way, now)
        sizes.append(control.size)
        now += RTT_S
    assert sizes == sorted(sizes)
    assert sizes[len(sizes) // 2] > 380
    assert max(sizes) < 3 * 400


def test_the_search_goes_on_after_the_slow_start_with_a_queue_slower_and_nothing_is_paced() -> None:
    way = QueueSignals()
    control = Cubic()
    for rtt_s in (0.001, *[0.02] * 3):
        way.queueing.add(rtt_s, 0.0)
    for at in range(20):
        way.deliveries.add(44, 0.005 * at, is_full=True)
    turn(control, way, 0.0)
    assert not control.is_probing
    size = control.size
    turn(control, way, 0.0)
    with_queue = control.size / size
    for at in range(3):
        way.queueing.add(0.001, 0.01 * at)
    size = control.size
    turn(control, way, 0.1)
    assert 1.02 < with_queue < 1.15
    assert control.size > 1.2 * size
    assert control.packets_s(way) == math.inf


def test_cuts_that_were_wrong_are_taken_back_and_the_search_goes_on(way: QueueSignals) -> None:
    control = Cubic()
    for at in range(3):
        way.noise.is_exceeded(44, 1)
        control.on_congestion(way, 0.1 * at)
    assert control.packets_s(way) < math.inf
    control.take_back_cut(0.4)
    assert control.size == PACKETS_START
    assert control.packets_s(way) == math.inf


def test_a_cut_that_stands_is_not_taken_back_with_a_later_one(way: QueueSignals) -> None:
    control = Cubic()
    way.noise.is_exceeded(44, 1)
    control.on_congestion(way, 0.0)
    way.noise.confirm()
    way.noise.is_exceeded(44, 1)
    cut = control.size
    control.on_congestion(way, 0.1)
    control.take_back_cut(0.4)
    assert control.size == cut
    assert control.packets_s(way) < math.inf


def test_the_pace_does_not_fall_below_what_the_window_allows() -> None:
    way = QueueSignals()
    for rtt_s in (0.001, *[0.02] * 3, *[0.001] * 3):
        way.queueing.add(rtt_s, 0.0)
    for at in range(20):
        way.deliveries.add(1, 0.2 * at, is_full=True)  # a slow program
    control = Cubic()
    control.on_congestion(way, 0.5)
    assert control.packets_s(way) >= control.size / 0.0201


def test_a_cut_leaves_a_full_path() -> None:
    way = QueueSignals()
    for rtt_s in (RTT_S, *[1.2 * RTT_S] * 3):
        way.queueing.add(rtt_s, 0.0)
    for at in range(100):
        way.deliveries.add(44, 0.005 * at, is_full=True)
    control = Cubic()
    control.size = 1.2 * RTT_S * 8800
    control.on_congestion(way, RARE_S + 1)
    assert control.size == pytest.approx(way.filling)
    assert control.size >= 8800 * RTT_S


def test_congestion_never_closes_the_window(way: QueueSignals) -> None:
    control = Cubic()
    for at in range(100):
        control.on_congestion(way, at)
    assert control.size == PACKETS_MIN


def test_where_hardly_anything_queues_it_does_not_send_all_at_once(way: QueueSignals) -> None:
    short = QueueSignals()
    short.queueing.add(0.0001, 0.0)
    control = Cubic()
    control.on_congestion(way, 0.5)
    assert control.packets_s(short) < control.size / 0.002


def test_on_a_long_path_the_first_window_is_spread() -> None:
    long = QueueSignals()
    long.queueing.add(0.1, 0.0)
    control = Cubic()
    assert 0 < control.packets_s(long) < math.inf
    turn(control, long, 0.0, is_full=False)
    assert control.packets_s(long) == pytest.approx(2 * PACKETS_START_S)
    turn(control, long, 0.1)
    assert control.size == pytest.approx(0.1 * PACKETS_START_S * 2, rel=0.01)
