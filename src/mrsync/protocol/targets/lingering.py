"""Lingering: before the caster goes, it repeats its last status a few times.

A catcher that misses all of them ends when it has heard nothing for a while, or at the end of its stdin.
"""

from __future__ import annotations

from typing import Callable

from mrsync.protocol.core.timers import Timer, TimerTable
from mrsync.protocol.targets.outbox import Outbox

LINGER_S, LINGER_COUNT = 0.003, 3


class Lingering:
    """The repetitions that are left. tell_status: sends the status once more."""

    def __init__(self, outbox: Outbox, timers: TimerTable, tell_status: Callable[[float], None]) -> None:
        self._outbox = outbox
        self._timers = timers
        self._tell_status = tell_status
        self._left = LINGER_COUNT

    def go_on(self, now: float) -> bool:
        """Repeat the last status, unless the uplink has not taken the one before. Return whether there is no more."""
        self._timers.set(Timer.LINGER, now + LINGER_S)
        if self._outbox.is_waiting:
            return False
        self._left -= 1
        if self._left < 0:
            self._timers.stop_all()
            return True
        self._tell_status(now)
        self._outbox.repeat_farewells()
        return False
