"""The first search for how much is possible."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.queue_signals import QueueSignals
from mrsync.protocol.pace.slowstart import PACKETS_START, PACKETS_START_MAX, PACKETS_START_S, SlowStart, first_size


def way(queue_s: float, way_s: float = 0.001) -> QueueSignals:
    made = QueueSignals()
    for rtt_s in (way_s, *[way_s + queue_s] * 3):
        made.queueing.add(rtt_s, 0.0)
    for at in range(20):
        made.deliveries.add(44, 0.005 * at, is_full=True)
    return made


def test_the_window_doubles_while_nothing_queues() -> None:
    start = SlowStart()
    size = PACKETS_START
    for _ in range(5):
        size = start.on_seen(int(size), size, way(0.001))
    assert size == 32 * PACKETS_START
    assert not start.is_over


def test_it_ends_when_packets_queue_with_the_window_under_way() -> None:
    start = SlowStart()
    assert start.on_seen(40, 80.0, way(0.005)) == pytest.approx(8800 * 0.006)
    assert start.is_over


def test_packets_that_wait_in_a_late_program_are_no_queue() -> None:
    start = SlowStart()
    assert start.on_seen(400, 800.0, way(0.005)) == 1200  # 53 of them are on the path
    assert not start.is_over


def test_a_short_delay_is_not_a_queue() -> None:
    start = SlowStart()
    start.on_seen(100, 800.0, way(0.005))
    start.on_seen(100, 900.0, way(0.0))
    start.on_seen(350, 1000.0, way(0.005))
    assert not start.is_over


def test_on_a_long_way_a_delay_must_be_longer() -> None:
    start = SlowStart()
    start.on_seen(800, 800.0, way(0.008, 0.1))
    assert not start.is_over
    start.on_seen(1600, 1600.0, way(0.02, 0.1))
    assert start.is_over


def test_the_first_window_is_larger_on_a_long_path() -> None:
    assert first_size(QueueSignals()) == PACKETS_START
    assert first_size(way(0.0)) == PACKETS_START
    assert first_size(way(0.0, way_s=0.1)) == pytest.approx(0.1 * PACKETS_START_S)
    assert first_size(way(0.0, way_s=9.0)) == PACKETS_START_MAX
