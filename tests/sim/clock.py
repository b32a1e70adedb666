"""Events: virtual time; what happens next is the earliest of a heap, and of equal ones the first planned."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


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
