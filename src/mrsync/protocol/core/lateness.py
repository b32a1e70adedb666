"""Lateness: how old the first status is that a listener has not heard of when it reports.

A report repeats the tx of the last status that arrived. If processors are overloaded at either end, statuses and
reports wait until they are read, and all answers are late. Then silence must be tolerated for longer, and fewer
messages must be sent, because more of them would only wait for one another. The median of all listeners counts, because
a single slow or dead one says nothing about the others. The same is true of a parent's FEED and its child's CLAIM.

Statuses that leave late show that processors are overloaded here. That counts at once, and is forgotten slowly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

STATUSES_MAX = 64
LATE_MAX_S = 2.0
APART_FROM_S = 0.4  # a long path, or a few lost statuses: messages come no more rarely
APART_MAX_S = 0.5  # a keepalive is twice as long
RISE, FALL = 0.5, 0.1  # smoothing of our own lateness


class Lateness:
    """The lateness of each listener in its last report. typical_s: the median of it. own_s: of statuses, smoothed."""

    def __init__(self) -> None:
        self.typical_s = 0.0
        self.own_s = 0.0
        self._told: deque[tuple[int, float]] = deque(maxlen=STATUSES_MAX)  # tx, when
        self._late_s: dict[int, float] = {}  # by listener
        self._tx_seen: dict[int, int] = {}  # by listener

    def note_status(self, tx: int, listeners: Iterable[int], now: float, *, due_at: float | None = None) -> None:
        """Note a status with this tx, later than the last one, to these listeners. due_at: when its timer was due."""
        self._told.append((tx, now))
        if due_at is not None and now >= due_at:
            late_s = min(LATE_MAX_S, now - due_at)
            self.own_s += (RISE if late_s > self.own_s else FALL) * (late_s - self.own_s)
        self.typical_s = median(self._late_s.get(listener, 0.0) for listener in listeners)

    def receive(self, listener: int, tx_seen: int, now: float) -> None:
        """Take the tx of the last report of a listener. Without anything new in it, the report shows no lateness."""
        if tx_seen <= self._tx_seen.get(listener, 0):
            return
        self._tx_seen[listener] = tx_seen
        unheard_at = now
        for tx, at in reversed(self._told):
            if tx <= tx_seen:
                break
            unheard_at = at
        self._late_s[listener] = min(LATE_MAX_S, now - unheard_at)

    def of(self, listener: int) -> float:
        """Return the lateness of one listener in its last report, in seconds."""
        return self._late_s.get(listener, 0.0)

    @property
    def apart_s(self) -> float:
        """For how many seconds to wait between two messages of a kind, at least."""
        return min(APART_MAX_S, max(0.0, self.typical_s - APART_FROM_S))


def median(values: Iterable[float]) -> float:
    """Return the median, the lower one of two, or 0."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2] if ordered else 0.0
