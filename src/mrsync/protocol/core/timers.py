"""The deadlines of a core in one table. Handling one early or twice changes nothing."""

from __future__ import annotations

from enum import Enum

TURN_S = 0.00025  # between two reports of a cycle: 4000 reports/s, however many targets there are
KEEPALIVE_SHARE = 8  # reports per ack wait while nothing changes
KEEPALIVE_MAX_S = 1.0


class Timer(str, Enum):  # str: a quick hash
    """Reasons to wake a core."""

    STATUS = "the caster repeats the state of the session"
    POLL = "the caster asks everyone to report"
    CHECK = "the caster checks whether the phase is complete"
    ELECT = "the caster chooses its monitors anew"
    GATHER = "gathering ends, even if targets are missing"
    LIVENESS = "the caster looks for silent or stuck targets"
    FLUSH = "repairs have waited long enough for others to be combined with"
    RATE = "the rate cap allows the next burst"
    LINGER = "the last status was repeated often enough"
    KNOCK = "the catcher asks its master for the session"
    HELLO = "the catcher says hello again"
    REPORT = "the catcher reports"
    REJOIN = "the catcher has heard nothing on the group for a while"
    STARVE = "the catcher has heard nothing from its parent for a while"
    CLAIM = "the catcher tells its parent what it needs"
    HOP = "the catcher reports the state of its links to the caster"
    FEED = "the catcher tells its child how far it has come"
    SILENCE = "the catcher has heard nothing genuine for too long"


class TimerTable:
    """Deadlines by timer, in seconds of the caller's clock."""

    def __init__(self) -> None:
        self._deadlines: dict[Timer, float] = {}

    def set(self, timer: Timer, deadline: float) -> None:
        self._deadlines[timer] = deadline

    def advance(self, timer: Timer, deadline: float) -> None:
        """Set the timer, unless it is already due earlier."""
        known = self._deadlines.get(timer)
        if known is None or deadline < known:
            self._deadlines[timer] = deadline

    def stop(self, timer: Timer) -> None:
        self._deadlines.pop(timer, None)

    def stop_all(self) -> None:
        self._deadlines.clear()

    def take_expired(self, timer: Timer, now: float) -> bool:
        """Return whether the timer is due, and stop it then."""
        deadline = self._deadlines.get(timer)
        if deadline is None or deadline > now:
            return False
        del self._deadlines[timer]
        return True

    def is_set(self, timer: Timer) -> bool:
        return timer in self._deadlines

    def next_timeout(self) -> float | None:
        """Return the earliest deadline, or None."""
        return min(self._deadlines.values()) if self._deadlines else None


def keepalive_s(ack_wait_s: float) -> float:
    """Return the seconds between reports of a catcher that has no news."""
    return min(KEEPALIVE_MAX_S, ack_wait_s / KEEPALIVE_SHARE)
