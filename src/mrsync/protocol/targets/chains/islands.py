"""Islands: networks that the caster's group does not reach, in which a target casts on to a group of their own.

The first target of an island in its chain is its relay; all others of the island are the relay's children. A target
that the island's group does not reach leaves the island, and is fed as the last of the chain. If nobody hears a new
relay, the network is no island, and its targets form a chain like any others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable

from mrsync.protocol.targets.roster import Target

ISLAND_MIN = 3  # targets; with two, casting saves nothing


class Island:
    """A network of targets that may hear each other's multicast.

    number: of the links from its present relay. has_worked: somebody has heard this relay.
    """

    def __init__(self, network: bytes, members: set[int]) -> None:
        self.network = network
        self.members = members
        self.relay: Target | None = None
        self.number = 0
        self.has_worked = False
        self.strangers: set[int] = set()  # targets of the network that do not hear its relays


class Islands:
    """The islands of a session. A target belongs to at most one."""

    def __init__(self) -> None:
        self._islands: list[Island] = []

    def __bool__(self) -> bool:
        return bool(self._islands)

    def settle(self, network: bytes, targets: Iterable[Target]) -> None:
        """Make an island of these targets of a network."""
        self._islands.append(Island(network, {target.id for target in targets}))

    def of(self, target: Target) -> Island | None:
        """Return the island that a target belongs to."""
        return next((island for island in self._islands if target.id in island.members), None)

    def cast_by(self, target: Target) -> Island | None:
        """Return the island whose relay this is."""
        return next((island for island in self._islands if island.relay is target), None)

    def join(self, target: Target, network: bytes) -> Target | None:
        """Add a newcomer to the island of its network, if there is one. Return a target of it to put it behind."""
        for island in self._islands:
            if island.network == network and target.id not in island.strangers and island.relay is not None:
                island.members.add(target.id)
                return island.relay
        return None

    def leave(self, target: Target, *, is_stranger: bool = False) -> None:
        """Remove a target from its island. is_stranger: it does not come back."""
        for island in self._islands:
            if target.id in island.members:
                island.members.remove(target.id)
                if is_stranger:
                    island.strangers.add(target.id)

    def dissolve(self, island: Island) -> None:
        """Have the targets of an island form a chain."""
        self._islands.remove(island)

    def appoint(self, chains: Iterable[list[Target]], next_number: Callable[[], int]) -> None:
        """Make the first target of each island its relay, and dissolve islands that have become too small."""
        everyone = [target for chain in chains for target in chain]
        for island in list(self._islands):
            here = [target for target in everyone if target.id in island.members]
            if len(here) < ISLAND_MIN:
                self.dissolve(island)
            elif island.relay is not here[0]:
                island.relay, island.number, island.has_worked = here[0], next_number(), False
