"""Processors: what the hosts of a lab share, so that each of them waits while others work.

Who has something to do gets a processor in turn, for one slice at most while others wait. Other programs may take
their turns as well: all the time, or fitfully, so that for a while there is hardly any processor left.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from tests.sim.clock import Events

SLICE_S = 0.003
IDLERS_FIRST = -1000  # below it, ids are of other programs


Task = tuple[float, Callable[..., None], tuple[Any, ...]]


class Work:
    """What one host has to do. It reads its two sockets by turns."""

    def __init__(self) -> None:
        self._sockets: tuple[deque[Task], deque[Task]] = deque(), deque()
        self._is_cast = False  # whether the last one was of the group's

    def __bool__(self) -> bool:
        return any(self._sockets)

    def add(self, task: Task, *, is_cast: bool) -> None:
        self._sockets[is_cast].append(task)

    def take(self) -> Task:
        if self._sockets[not self._is_cast]:
            self._is_cast = not self._is_cast
        return self._sockets[self._is_cast].popleft()


class Processors:
    """A number of processors. others: programs that use them from the beginning.

    fit_s: the mean time for which these work, and then pause; 0: they never pause.
    """

    def __init__(self, events: Events, count: int, others: int = 0, *, fit_s: float = 0.0, seed: int = 0) -> None:
        self._events = events
        self._fit_s = fit_s
        self._rng = random.Random(f"processors {seed}")
        self._pauses_until = 0.0  # all others together
        self._free = count
        self._work: defaultdict[int, Work] = defaultdict(Work)
        self._queue: deque[int] = deque()  # hosts that wait for a processor
        self._active: set[int] = set()  # and those that have one
        self._owed: defaultdict[int, float] = defaultdict(float)
        for number in range(others):
            self._use_up(IDLERS_FIRST - number)
        if fit_s and others:
            self._pause()

    def _use_up(self, other: int) -> None:
        if self._pauses_until > self._events.now:
            self._events.plan(self._pauses_until, self._use_up, other)
        else:
            self.do(other, SLICE_S, self._use_up, other)

    def _pause(self) -> None:
        pause_s, work_s = (self._rng.expovariate(1 / self._fit_s) for _ in range(2))
        self._pauses_until = self._events.now + pause_s
        self._events.plan(self._pauses_until + work_s, self._pause)

    def do(self, host: int, cost_s: float, action: Callable[..., None], *arguments: Any, is_cast: bool = False) -> None:
        """Have a host do something, after all else that came by the same socket; it takes it cost_s of a processor."""
        self._work[host].add((cost_s, action, arguments), is_cast=is_cast)
        if host not in self._active:
            self._active.add(host)
            self._queue.append(host)
            self._dispatch()

    def charge(self, host: int, cost_s: float) -> None:
        """Have what a host does at the moment take longer."""
        self._owed[host] += cost_s

    def _dispatch(self) -> None:
        while self._free and self._queue:
            self._free -= 1
            self._begin(self._queue.popleft(), 0.0)

    def _begin(self, host: int, used_s: float) -> None:
        cost_s, action, arguments = self._work[host].take()
        self._events.plan(self._events.now + cost_s, self._end, host, used_s + cost_s, action, arguments)

    def _end(self, host: int, used_s: float, action: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        action(*arguments)
        owed_s = self._owed.pop(host, 0.0)
        self._events.plan(self._events.now + owed_s, self._go_on, host, used_s + owed_s)

    def _go_on(self, host: int, used_s: float) -> None:
        if self._work[host] and used_s < SLICE_S:
            self._begin(host, used_s)
            return
        self._free += 1
        if self._work[host]:
            self._queue.append(host)
        else:
            self._active.remove(host)
        self._dispatch()
