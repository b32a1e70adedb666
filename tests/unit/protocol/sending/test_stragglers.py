"""Stragglers: who is left behind, and who is not."""

from __future__ import annotations

from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.stragglers import HELD_S, LOOK_S_MAX, Stragglers
from mrsync.protocol.sending.window import WINDOW_BURSTS_START, Window
from mrsync.protocol.targets.roster import Roster
from mrsync.wire.messages import NetworkShare
from tests.unit.protocol.builders import GEOMETRY, found, roster

TX = 100


def watched(*behind: int, is_shedding: bool = True) -> tuple[Stragglers, Roster, AckClock]:
    """Return targets that are this many tx behind."""
    known = roster(len(behind))
    clock = AckClock(known.audience, Window(rate_bytes_s=None, geometry=GEOMETRY), Courtesy(NetworkShare.ALL))
    for target, lag in enumerate(behind):
        flow = found(known, target).flow
        flow.tx_done, flow.lag, flow.answered_at = TX - lag, lag, 1e9
    clock.elect(0.0)
    return Stragglers(known.audience, clock, is_shedding=is_shedding), known, clock


def shed(stragglers: Stragglers, seconds: float = 2 * HELD_S) -> list[int]:
    steps = range(int(seconds / LOOK_S_MAX))
    return [flow.id for step in steps if (flow := stragglers.look(TX, step * LOOK_S_MAX))]


def test_a_target_that_alone_keeps_the_window_closed_is_left_behind_once() -> None:
    stragglers, known, clock = watched(WINDOW_BURSTS_START, 2, 1)
    assert shed(stragglers) == [0]
    clock.elect(1.0)
    assert [flow.id for flow in clock.monitors] == [1, 2]
    known.audience.take_back()
    assert shed(stragglers) == []


def test_not_for_a_moment_and_not_unless_it_is_asked_for() -> None:
    assert shed(watched(WINDOW_BURSTS_START, 2)[0], HELD_S / 2) == []
    assert shed(watched(WINDOW_BURSTS_START, 2, is_shedding=False)[0]) == []


def test_not_one_of_two_and_not_the_only_one() -> None:
    assert shed(watched(WINDOW_BURSTS_START, WINDOW_BURSTS_START, 1)[0]) == []
    assert shed(watched(WINDOW_BURSTS_START, WINDOW_BURSTS_START - 1, 1)[0]) == []
    assert shed(watched(WINDOW_BURSTS_START)[0]) == []


def test_one_whose_losses_alone_slow_all_down_is_left_behind() -> None:
    stragglers, known, clock = watched(1, 1, 1)
    clock.pacing.begin(1000.0, 0)
    found(known, 1).flow.slowed_at = 1e9
    assert shed(stragglers) == [1]
    assert not clock.pacing.is_on
