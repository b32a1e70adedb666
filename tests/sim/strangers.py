"""Strangers: somebody on the network who invents packets, without any key."""

from __future__ import annotations

import random

from mrsync.wire.messages import ObjectKind
from tests.sim.network import Burst
from tests.sim.world import World


class Strangers:
    """Casts page packets with believable headers and worthless bytes, and control that is no control."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = random.Random(f"strangers {world.scenario.seed}")

    def start(self) -> None:
        self._world.events.plan(
            self._world.events.now + self._rng.expovariate(self._world.scenario.forgeries_s), self._cast
        )

    def _cast(self) -> None:
        rng, world = self._rng, self._world
        now = world.events.now
        kind = rng.randrange(3)
        page = rng.randrange(world.page_count(ObjectKind(kind)) + 2)
        count = world.packet_count(kind, page)
        mask = (1 << count) - 1 if rng.random() < 0.2 else 1 << rng.randrange(count)
        burst = Burst(kind, page, rng.choice((0, 0, 1, 65535)), count, mask, rng.choice((1, 50, 500, 60000, 2**32 - 1)))
        everything = (1 << mask.bit_count()) - 1
        for ear in list(world.network.ears):
            if ear.hears_group:
                world.events.plan(now, ear.hear, burst, 0, everything)
        self.start()
