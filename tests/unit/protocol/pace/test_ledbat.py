"""The window that gives way."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.cubic import PACKETS_MIN
from mrsync.protocol.pace.ledbat import FLOOR_SHARE, SLOWDOWN_EVERY_S, TARGET_S, Ledbat
from mrsync.protocol.pace.queue_signals import QueueSignals
from mrsync.protocol.pace.slowstart import PACKETS_START

WAY_S = 0.002


def way(queue_s: float, *, depth_s: float = 0.0, packets: int = 44) -> QueueSignals:
    """One on which so much queues, and on which so much did."""
    made = QueueSignals()
    for rtt_s in (WAY_S, *[WAY_S + depth_s] * 3, *[WAY_S + queue_s] * 3):
        made.queueing.add(rtt_s, 0.0)
    for at in range(20):
        made.deliveries.add(packets, 0.005 * at, is_full=True)
    return made


def turn(control: Ledbat, seen: QueueSignals, now: float = 0.0, *, is_fresh: bool = True) -> bool:
    return control.on_seen(int(control.size), seen, now, is_full=True, is_fresh=is_fresh)


def test_it_grows_while_little_queues() -> None:
    control = Ledbat()
    before = control.size
    turn(control, way(0.001))
    assert control.size == 2 * before


def test_doubling_ends_before_the_queue_is_as_long_as_wanted() -> None:
    control = Ledbat()
    turn(control, way(0.9 * TARGET_S))
    assert not control.is_probing
    size = control.size
    turn(control, way(0.9 * TARGET_S))
    assert size < control.size < size + 1


def test_it_grows_fast_again_when_nothing_queues() -> None:
    control = Ledbat()
    turn(control, way(0.9 * TARGET_S))
    assert not control.is_probing
    for at in range(20):
        turn(control, way(0.001), 0.01 * at)
    assert control.size > 10 * PACKETS_START


def test_congestion_that_was_noise_is_taken_back() -> None:
    control, busy = Ledbat(), way(0.001, depth_s=0.02)
    busy.noise.is_exceeded(44, 1)
    control.on_congestion(busy, 0.0)
    assert control.size < PACKETS_START
    control.take_back_cut(0.1)
    assert control.size == PACKETS_START


def test_it_gives_way_once_for_one_window() -> None:
    control = Ledbat()
    size = control.size
    assert turn(control, way(3 * TARGET_S))
    assert control.size < size
    size = control.size
    assert not turn(control, way(3 * TARGET_S), is_fresh=False)
    assert control.size == size


def test_in_a_short_queue_it_gives_way_earlier() -> None:
    control = Ledbat()
    control.on_congestion(way(0.009, depth_s=0.009), 0.0)
    size = control.size
    assert turn(control, way(0.006, depth_s=0.009))
    assert control.size < size


def test_now_and_then_it_looks_how_long_the_way_is_without_a_queue() -> None:
    control = Ledbat()
    turn(control, way(0.0))
    turn(control, way(0.0), SLOWDOWN_EVERY_S + 1)
    small = control.size
    turn(control, way(0.0), SLOWDOWN_EVERY_S + 2)
    assert small < 5 < control.size


def test_where_too_much_queues_it_sends_no_more_than_makes_as_much_queue_as_is_wanted() -> None:
    control = Ledbat()
    control.on_congestion(way(0.09, depth_s=0.09), 0.0)
    seen = way(0.03, depth_s=0.09)
    for at in range(50):
        seen.deliveries.add(352, 0.04 * at, is_full=True)
    assert control.packets_s(seen) == pytest.approx(control.size / (WAY_S + TARGET_S))
    assert control.packets_s(seen) < seen.pace(control.size)


def test_a_cut_during_a_measurement_is_taken_back_after_it() -> None:
    control, busy = Ledbat(), way(0.001, depth_s=0.02)
    turn(control, way(0.0))
    before = control.size
    busy.noise.is_exceeded(44, 1)
    control.on_congestion(busy, 0.0)
    turn(control, way(0.0), SLOWDOWN_EVERY_S + 1)
    control.take_back_cut(SLOWDOWN_EVERY_S + 1)
    assert control.size < 5
    turn(control, way(0.0), SLOWDOWN_EVERY_S + 2)
    assert control.size >= before


def test_it_never_gives_way_completely() -> None:
    control, seen = Ledbat(), way(3 * TARGET_S)
    for at in range(100):
        turn(control, seen, 0.01 * at)
    least = FLOOR_SHARE * seen.passes_s
    assert control.size == pytest.approx(max(PACKETS_MIN, least * seen.queueing.rtt_s))
    assert control.packets_s(seen) >= least


def test_it_gives_way_further_where_less_arrives() -> None:
    control = Ledbat()
    turn(control, fast := way(3 * TARGET_S))
    slow = way(3 * TARGET_S, packets=1)
    for at in range(40):
        control.on_congestion(slow, 0.1 * at)
    assert control.packets_s(slow) < 0.95 * FLOOR_SHARE * fast.passes_s
