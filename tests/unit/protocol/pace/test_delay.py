"""Delay: what counts as queueing."""

from __future__ import annotations

from mrsync.protocol.pace.delay import FLOOR_SPAN_S, QUIET_S, Delay


def test_time_above_the_shortest_round_trip_is_queueing() -> None:
    delay = Delay()
    assert (delay.floor_s, delay.queue_s, delay.is_quiet) == (0.0, 0.0, True)
    for rtt_s in (0.02, 0.01, 0.05):
        delay.add(rtt_s, 1.0)
    assert (delay.floor_s, delay.queue_s, delay.is_quiet) == (0.01, 0.04, False)
    delay.add(0.01 + QUIET_S / 2, 1.0)
    assert delay.is_quiet


def test_on_a_long_way_little_is_quiet() -> None:
    delay = Delay()
    delay.add(0.3, 1.0)
    delay.add(0.33, 1.0)
    assert delay.is_quiet


def test_a_way_that_has_become_longer_is_known_after_a_while() -> None:
    delay = Delay()
    delay.add(0.01, 1.0)
    times = [1.0 + 0.4 * FLOOR_SPAN_S * turn for turn in range(1, 8)]
    floors = []
    for now in times:
        delay.add(0.1, now)
        floors.append(delay.floor_s)
    assert (floors[0], floors[-1]) == (0.01, 0.1)
