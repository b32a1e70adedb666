"""Events in virtual time: the earliest happens next, and of simultaneous ones the one that was planned first."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

from mrsync.protocol.core.attention import Attention


class Events:
    """A heap of (time, sequence, action, arguments), with a limit on virtual time and on steps."""

    def __init__(self, *, limit_s: float, steps_max: int) -> None:
        self.now = 0.0
        self.steps = 0
        self._limit_s = limit_s
        self._steps_max = steps_max
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0

    def plan(self, when: float, action: Callable[..., None], *arguments: Any) -> None:
        """Call action(*arguments) at that time, or now if it is past."""
        self._sequence += 1
        heapq.heappush(self._heap, (max(when, self.now), self._sequence, action, arguments))

    def run(self, is_over: Callable[[], bool]) -> bool:
        """Go on until it is over; False when a limit was hit first, or nothing more happens."""
        while not is_over():
            if not self._heap or self.steps >= self._steps_max or self.now > self._limit_s:
                return False
            self.steps += 1
            self.now, _, action, arguments = heapq.heappop(self._heap)
            action(*arguments)
        return True


class ProcessClock:
    """What one process knows of time, and does in it: while it is stopped it does nothing, and sleeps through it.

    due: until when it waits, by the clock of all; to be set after everything that it does.
    """

    def __init__(self, events: Events) -> None:
        self.due: float | None = None
        self.stopped_until = -math.inf  # by the clock of all
        self._events = events
        self._attention = Attention(events.now)

    @property
    def now(self) -> float:
        return self._attention.woke(self._events.now, self.due)

    @property
    def lapsed_s(self) -> float:
        return self._attention.lapsed_s

    @property
    def is_stopped(self) -> bool:
        return self._events.now < self.stopped_until

    def stop(self, seconds: float) -> None:
        self.stopped_until = self._events.now + seconds

    def wait(self, until: float | None) -> float | None:
        """Nothing is to be done until then, by its own time; returns that time by the clock of all."""
        self.due = None if until is None else self._by_all(until)
        return self.due

    def _by_all(self, when: float) -> float:
        """The clock of all when this process is sure to see that time on its own."""
        by_all = when + self.lapsed_s
        while by_all - self.lapsed_s < when:
            by_all = math.nextafter(by_all, math.inf)
        return by_all

    def plan(self, when: float, action: Callable[..., None], *arguments: Any) -> None:
        """Call action(*arguments) at that time of its own, or when it runs again."""
        self._events.plan(self._by_all(when), self.run, action, *arguments)

    def run(self, action: Callable[..., None], *arguments: Any) -> None:
        """Do this now, or when it runs again."""
        if self.is_stopped:
            self._events.plan(self.stopped_until, self.run, action, *arguments)
        else:
            action(*arguments)
