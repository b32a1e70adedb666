"""The window of a TCP connection."""

from __future__ import annotations

import pytest

from mrsync.protocol.sending.cubic import BETA, BETA_RARE, PACKETS_MIN, PACKETS_START, RARE_S, Cubic
from mrsync.protocol.sending.queueing import Queueing

RTT_S = 0.02


@pytest.fixture
def queueing() -> Queueing:
    made = Queueing()
    made.add(RTT_S, 0.0)
    return made


def turn(control: Cubic, queueing: Queueing, now: float, *, is_full: bool = True) -> None:
    control.on_seen(int(control.size), queueing, now, is_full=is_full, is_fresh=True)


def test_it_doubles_until_the_first_congestion(queueing: Queueing) -> None:
    control = Cubic()
    turn(control, queueing, 0.0)
    assert control.size == 2 * PACKETS_START


def test_an_unused_window_does_not_grow(queueing: Queueing) -> None:
    control = Cubic()
    turn(control, queueing, 0.0, is_full=False)
    assert control.size == PACKETS_START


def test_congestion_cuts_it_and_deeper_where_it_is_rare(queueing: Queueing) -> None:
    control = Cubic()
    control.on_congestion(queueing, RARE_S + 1)
    assert control.size == pytest.approx(BETA_RARE * PACKETS_START)
    control.on_congestion(queueing, RARE_S + 1.5)
    assert control.size == pytest.approx(BETA * BETA_RARE * PACKETS_START)


def test_it_comes_back_to_where_it_was_but_slowly_beyond(queueing: Queueing) -> None:
    control = Cubic()
    control.size = 400.0
    control.on_congestion(queueing, 1.0)
    now, sizes = 1.0, []
    while now < 12:
        turn(control, queueing, now)
        sizes.append(control.size)
        now += RTT_S
    assert sizes == sorted(sizes)
    assert sizes[len(sizes) // 2] > 380
    assert max(sizes) < 3 * 400


def test_it_never_stops(queueing: Queueing) -> None:
    control = Cubic()
    for at in range(100):
        control.on_congestion(queueing, at)
    assert control.size == PACKETS_MIN


def test_where_hardly_anything_queues_it_does_not_send_all_at_once(queueing: Queueing) -> None:
    short = Queueing()
    short.add(0.0001, 0.0)
    control = Cubic()
    control.on_congestion(queueing, 0.5)
    assert control.packets_s(short) < control.size / 0.002
