"""Detours: a path that became longer, which looks like a queue that never gets shorter.

The shortest round trip is remembered for a minute or two, because others may keep a queue for long. So for as long the
longer path would look like a full queue, and every random loss like congestion. But a queue that drops packets gets
shorter when the window is cut, or when those who filled it lose packets as well, and a path stays as long as it is. So
round trips are watched while none is clearly shorter or longer than the others. If cuts follow one another quickly
meanwhile, or it lasts for LASTING_S while our own packets cannot be the queue, what is in excess is taken for the path.

What would break it: others who keep a queue that full for so long. TCP connections do not: the window of CUBIC comes
back from a loss within seconds, and then loses again. Where they do, some of their losses count as noise until one
shorter round trip shows the path again.
"""

from __future__ import annotations

import math
from collections import deque

CUTS = 3
ROUNDS_MAX = 20  # round trips in which these follow one another
LASTING_S = 10.0
ALIKE_SHARE = 8  # of the excess, by which round trips may differ; those of late programs differ by the jitter
EXCESS_MIN = 4.0  # times the jitter: the cuts would show in a shorter queue, but no more than jitter does


class Detours:
    """The extremes of the round trips, in seconds, since one was clearly shorter or longer than those before it."""

    def __init__(self) -> None:
        self._since = 0.0
        self._shortest_s, self._longest_s = math.inf, 0.0
        self._cuts: deque[float] = deque(maxlen=CUTS)  # since then: when they were made

    def add(self, shortest_s: float, longest_s: float, way_s: float, jitter_s: float, now: float) -> None:
        """Note the shortest and the longest of the last round trips.

        way_s: of the path so far. jitter_s: by which round trips differ without any queue.
        """
        self._shortest_s, self._longest_s = min(self._shortest_s, shortest_s), max(self._longest_s, longest_s)
        if self._longest_s - self._shortest_s > max(jitter_s, (self._shortest_s - way_s) / ALIKE_SHARE):
            self._since, self._shortest_s, self._longest_s = now, shortest_s, longest_s
            self._cuts.clear()

    def on_cut(self, way_s: float, jitter_s: float, now: float) -> float:
        """Note a cut for losses. Return the length of the new path if the last cuts changed nothing, else 0."""
        self._cuts.append(now)
        is_quick = len(self._cuts) == CUTS and now - self._cuts[0] < ROUNDS_MAX * self._shortest_s
        return self._take(way_s, jitter_s) if is_quick else 0.0

    def on_lasting(self, way_s: float, jitter_s: float, now: float) -> float:
        """Note that others keep the queue, if it is one. Return the length of the new path if it is none, else 0."""
        return self._take(way_s, jitter_s) if now - self._since > LASTING_S else 0.0

    def _take(self, way_s: float, jitter_s: float) -> float:
        return self._shortest_s if self._shortest_s - way_s > EXCESS_MIN * jitter_s else 0.0
