"""Inbox: the socket buffer of a process, and when the process reads what comes there."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.sim.clock import ProcessClock
from tests.sim.network import Burst, Cast
from tests.sim.processors import Processors
from tests.sim.world import World

TRUESIZE_BYTES = 2304  # of a packet in a socket buffer

Take = Callable[[Cast, int, int, bool, float], None]
Drop = Callable[[Cast, int], None]


class Inbox:
    """What waits in the socket of a target, by its number of packets.

    take: reads what came (cast, lost, bad, is_cast), and when, by the kernel's stamp. drop: called with what found no
    room. wakes: draws for how long the process sleeps.
    """

    def __init__(
        self, world: World, index: int, clock: ProcessClock, wakes: random.Random, take: Take, drop: Drop
    ) -> None:
        self._world = world
        self._index = index
        self._scenario = world.scenario.targets[index]
        self._clock = clock
        self._wakes = wakes
        self._take = take
        self._drop = drop
        self._busy_until = 0.0  # taking packets in
        self._awake_at = 0.0  # the process sleeps until then, and nothing of its queue is worked on
        self._held = 0  # packets that came while it was stopped, or waited for a processor

    def hear(self, cast: Cast, lost: int, bad: int, is_cast: bool) -> None:
        """Something arrives at the socket; what finds its buffer full is dropped."""
        now, rate = self._world.events.now, self._scenario.packets_s
        packets = cast.mask.bit_count() if isinstance(cast, Burst) else 1
        if self._world.processors is not None:
            self._hear_in_turn(self._world.processors, cast, lost, bad, is_cast)
            return
        start = self.starts_at(now)
        held = self._held if self._clock.is_stopped else (start - max(now, self._awake_at)) * rate
        if held * TRUESIZE_BYTES > self._scenario.buffer_bytes:
            self._drop(cast, lost | bad)
            return
        if self._clock.is_stopped:
            self._held += packets
            self._clock.run(self._take, cast, lost, bad, is_cast, now)
        elif rate or self._scenario.wake_s:
            self._busy_until = start + (packets / rate if rate else 0.0)
            self._world.events.plan(self._busy_until, self._clock.run, self._take, cast, lost, bad, is_cast, now)
        else:
            self._take(cast, lost, bad, is_cast, now)

    def starts_at(self, now: float) -> float:
        """Return when the process does what comes up now: after all else, and once it is awake."""
        if self._busy_until < now and self._scenario.wake_s:
            self._awake_at = now + self._wakes.random() * self._scenario.wake_s
            return self._awake_at
        return max(now, self._busy_until)

    def work_from(self, now: float) -> float:
        """Return when the process does what comes up now, and keep it busy until then."""
        self._busy_until = self.starts_at(now)
        return self._busy_until

    def on_stopped(self) -> None:
        """The process is stopped: from now on, what comes is counted."""
        self._held = 0

    def _hear_in_turn(self, processors: Processors, cast: Cast, lost: int, bad: int, is_cast: bool) -> None:
        """Keep what arrives until this process gets a processor."""
        packets = cast.mask.bit_count() if isinstance(cast, Burst) else 1
        if (self._held + packets) * TRUESIZE_BYTES > self._scenario.buffer_bytes:
            self._drop(cast, lost | bad)
            return
        self._held += packets
        now = self._world.events.now
        what = packets, cast, lost, bad, is_cast, now
        processors.do(self._index, self._world.cost_s(cast), self._take_held, *what, is_cast=is_cast)

    def _take_held(self, packets: int, cast: Cast, lost: int, bad: int, is_cast: bool, arrived_at: float) -> None:
        self._held -= packets
        self._clock.run(self._take, cast, lost, bad, is_cast, arrived_at)
