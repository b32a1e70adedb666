from __future__ import annotations

from mrsync.protocol.core.timers import TimerTable
from mrsync.protocol.targets.lingering import LINGER_COUNT, LINGER_S, Lingering
from tests.unit.protocol.session import Session


def test_the_last_status_is_repeated_once_the_uplink_has_taken_the_one_before() -> None:
    outbox, timers, told = Session(1).gathered().caster._outbox, TimerTable(), list[float]()
    lingering = Lingering(outbox, timers, told.append)
    outbox.copy_status("there")
    assert not lingering.go_on(0.0)
    assert told == []
    assert timers.next_timeout() == LINGER_S
    outbox.take_all()
    for turn in range(LINGER_COUNT):
        assert not lingering.go_on(float(turn))
    assert told == [float(turn) for turn in range(LINGER_COUNT)]
    assert lingering.go_on(9.0)
    assert timers.next_timeout() is None
