"""Strangers: somebody on the network who invents packets, without any key."""

from __future__ import annotations

import random
from functools import partial

from mrsync.wire.messages import ObjectKind
from tests.sim.network import Burst, Cast
from tests.sim.world import World

LAST_S = 100.0
STRANGER = (-1, 0)


class Strangers:
    """Casts page packets with believable headers and worthless bytes, and repeats what others said."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = random.Random(f"strangers {world.scenario.seed}")
        world.network.hear_stolen = lambda datagram: world.hear_answer(STRANGER, datagram)

    def start(self) -> None:
        self._world.events.plan(
            self._world.events.now + self._rng.expovariate(self._world.scenario.forgeries_s), self._act
        )

    def _act(self) -> None:
        choice = self._rng.randrange(10)
        if choice == 0:
            self._replay_control()
        elif choice == 1:
            self._replay_answer()
        else:
            self._forge()
        if self._world.events.now < LAST_S:
            self.start()

    def _forge(self) -> None:
        rng, world = self._rng, self._world
        object = rng.choice(tuple(ObjectKind))
        page = rng.randrange(world.page_count(object) + 2)
        count = world.packet_count(object, page)
        if world.scenario.compressed_share:
            count = rng.randint(1, count)
        mask = (1 << count) - 1 if rng.random() < 0.2 else 1 << rng.randrange(count)
        burst = Burst(
            object, page, rng.choice((0, 0, 1, 65535)), count, mask, rng.choice((1, 50, 500, 60000, 2**32 - 1))
        )
        self._send(burst, (1 << mask.bit_count()) - 1)

    def _replay_control(self) -> None:
        if self._world.network.controls:
            self._send(self._rng.choice(self._world.network.controls), 0)

    def _replay_answer(self) -> None:
        """As it was, or as if it came from somewhere else."""
        if self._world.network.answers:
            hear, datagram = self._rng.choice(self._world.network.answers)
            if self._rng.random() < 0.5:
                hear = partial(self._world.hear_answer, STRANGER)
            self._world.events.plan(self._world.events.now, hear, datagram)

    def _send(self, cast: Cast, bad: int) -> None:
        for receiver in list(self._world.network.receivers):
            if receiver.hears_group and self._world.network.is_passable(receiver, cast):
                self._world.events.plan(self._world.events.now, receiver.hear, cast, 0, bad, True)
