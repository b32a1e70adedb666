"""Fast growth where a path turns out to have room."""

from __future__ import annotations

from mrsync.protocol.pace.queueing import Queueing
from mrsync.protocol.pace.regrowth import AFTER_CONGESTION_S, GROWTH, Regrowth

SIZE = 100.0


def seen(queue_s: float) -> Queueing:
    made = Queueing()
    for rtt_s in (0.001, *[0.001 + queue_s] * 3):
        made.add(rtt_s, 0.0)
    return made


def test_a_window_that_arrived_without_a_queue_shows_room() -> None:
    regrowth = Regrowth()
    assert regrowth.growth(60, SIZE, seen(0.0), 0.0) == 0
    assert regrowth.growth(60, SIZE, seen(0.0), 0.0) == GROWTH * 60


def test_a_queue_in_between_shows_none() -> None:
    regrowth = Regrowth()
    regrowth.growth(60, SIZE, seen(0.0), 0.0)
    assert regrowth.growth(60, SIZE, seen(0.01), 0.0) == 0
    assert regrowth.growth(60, SIZE, seen(0.0), 0.0) == 0


def test_soon_after_congestion_others_come_back_first() -> None:
    regrowth = Regrowth()
    regrowth.on_congestion(5.0)
    assert regrowth.growth(200, SIZE, seen(0.0), 5.0 + AFTER_CONGESTION_S / 2) == 0
    assert regrowth.growth(200, SIZE, seen(0.0), 5.0 + AFTER_CONGESTION_S) > 0
