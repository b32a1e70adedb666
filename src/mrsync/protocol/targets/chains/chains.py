"""Chains: in which order targets feed each other, and which of them are fed together as an island.

A chain begins with a target that the caster serves, by multicast or unicast. Each following target is fed by the one
before it; in an island, all are fed by its relay. This module only orders targets. Whether a link between two of them
works is found out in `link_watch`, and what follows from that is decided in `link_failures`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Callable

from mrsync.protocol.targets.chains.islands import ISLAND_MIN, Island, Islands
from mrsync.protocol.targets.chains.neighbourhood import Endpoint, Locate, Neighbourhood, parts
from mrsync.protocol.targets.roster import Target
from mrsync.tuples import NamedTuple

MayLink = Callable[[Target, Target], bool]  # (parent, child)
JOINED_MAX = 8  # chains on either side to which one may be joined: each needs a look at all of them


class RelayRules(NamedTuple):
    """How to use relays. chains_max: number of chains if no target receives the group.

    island: the group that a relay casts to in its own network; None: none does. near: targets in the caster's own
    networks, where those that do not receive its group receive no other one.
    """

    locate: Locate
    chains_max: int = 1
    island: Endpoint | None = None
    near: frozenset[int] = frozenset()


class Chains:
    """Chains of targets, in the order in which pages pass through them."""

    def __init__(self, rules: RelayRules) -> None:
        self.islands = Islands()
        self._rules = rules
        self._neighbourhood = Neighbourhood(rules.locate)
        self._chains: list[list[Target]] = []
        self._wanted = 0  # number of chains, if none had to be split

    def __iter__(self) -> Iterator[list[Target]]:
        return iter(self._chains)

    @property
    def heads(self) -> set[int]:
        """Targets that forward what the caster sends to them."""
        return {chain[0].id for chain in self._chains if len(chain) > 1}

    @property
    def healed(self) -> list[Target]:
        """Targets behind others that receive the group now."""
        return [target for chain in self._chains for target in chain[1:] if not target.path.is_unicast]

    def has(self, target: Target) -> bool:
        """Return whether a target is in a chain."""
        return any(target in chain for chain in self._chains)

    def place(self, target: Target) -> Endpoint:
        """Return the address and port at which other targets reach this one."""
        return self._neighbourhood.place(target)

    def links(self) -> Iterator[tuple[Target, Target | None, Island | None]]:
        """Yield (target, its parent, the island that the parent casts to). Parent None: the caster feeds the target."""
        for chain in self._chains:
            for before, child in zip([None, *chain], chain):
                island = self._island_of(child)
                yield child, before if island is None else island.relay, island

    def groups(self, chain: list[Target]) -> list[list[Target]]:
        """Return a chain as groups of targets that are fed together: islands without their relays, else single ones."""
        groups: list[list[Target]] = []
        cast_to: Island | None = None  # the last group
        for target in chain:
            island = self._island_of(target)
            if island is not None and island is cast_to:
                groups[-1].append(target)
            else:
                groups.append([target])
            cast_to = island
        return groups

    def _island_of(self, child: Target) -> Island | None:
        """Return the island whose relay feeds this target."""
        island = self.islands.of(child)
        return None if island is None or island.relay is child else island

    # changes

    def form(self, deaf: Iterable[Target], heads: list[Target]) -> None:
        """Make chains of deaf targets behind heads, which receive the group, if there are any.

        They are in the order of their addresses, so that chains cross a border of networks once.
        """
        ordered = sorted(deaf, key=self.place)
        self._found_islands(ordered, heads)
        if heads:
            self._chains += self._neighbourhood.share_out(ordered, heads)
        else:
            self._chains += parts(ordered, 1 if self.islands else min(self._rules.chains_max, len(ordered)))
        self._wanted = len(self._chains)

    def _found_islands(self, deaf: list[Target], heads: list[Target]) -> None:
        """Make an island of each network in which no target receives the group and several need to be fed."""
        if self._rules.island is None:
            return
        heard = {self._neighbourhood.network(head) for head in heads}
        for network, group in groupby(deaf, key=self._neighbourhood.network):
            targets = list(group)
            is_near = any(target.id in self._rules.near for target in targets)
            if len(targets) >= ISLAND_MIN and network not in heard and not is_near:
                self.islands.settle(network, targets)

    def append(self, newcomers: Collection[Target], heads: list[Target], may_link: MayLink) -> None:
        """Add targets behind others of their island, else to the shortest chain, else behind the first of the heads.

        may_link: whether the one may be fed by the other.
        """
        for target in newcomers:
            neighbour = self.islands.join(target, self._neighbourhood.network(target))
            if neighbour is not None:
                chain = next(chain for chain in self._chains if neighbour in chain)
                chain.insert(chain.index(neighbour) + 1, target)
            elif open_to_it := [chain for chain in self._chains if may_link(chain[-1], target)]:
                min(open_to_it, key=len).append(target)
            elif self._chains:
                self._chains.append([target])
            else:
                self._chains.append([*heads[:1], target])
                self._wanted = 1

    def split(self, target: Target) -> None:
        """Let a target begin a chain of its own, with those behind it."""
        for at, chain in enumerate(self._chains):
            if target in chain[1:]:
                first = chain.index(target)
                self._chains.insert(at + 1, chain[first:])
                del chain[first:]
                return

    def rejoin(self, may_link: MayLink) -> bool:
        """Put chains that were split off behind the ends of others, where that may work. Return whether any was."""
        before = len(self._chains)
        for chain in self._chains[::-1]:
            if len(self._chains) > self._wanted and chain[0].path.is_unicast:
                at = self._chains.index(chain)
                near = self._chains[max(0, at - JOINED_MAX) : at] + self._chains[at + 1 : at + 1 + JOINED_MAX]
                if other := next((other for other in near if may_link(other[-1], chain[0])), None):
                    self._chains.remove(chain)
                    other += chain
        return len(self._chains) < before

    def is_alone(self, target: Target) -> bool:
        """Return whether a target is in a chain of its own, beside other chains."""
        return len(self._chains) > 1 and [target] in self._chains

    def appoint(self, next_number: Callable[[], int]) -> None:
        """Give each island the first of its targets as its relay. Call it after other changes."""
        self.islands.appoint(self._chains, next_number)

    def take_out(self, target: Target) -> bool:
        """Remove a target from its chain, so that its child follows its parent. Return whether it was in one."""
        for chain in self._chains:
            if target in chain:
                chain.remove(target)
                self.islands.leave(target)
                if len(chain) == 1 and not chain[0].path.is_unicast:
                    chain.clear()
                if not chain:
                    self._chains.remove(chain)
                    self._wanted = max(1, min(self._wanted, len(self._chains)))
                return True
        return False

    def move_last(self, target: Target) -> None:
        """Move a target that feeds badly, or hears nothing of its island, to the end of its chain."""
        self.islands.leave(target, is_stranger=True)
        for chain in self._chains:
            if target in chain:
                chain.remove(target)
                chain.append(target)

    def dissolve(self, island: Island) -> None:
        """Feed the targets of an island one by one, in several chains if they were one for its sake."""
        self.islands.dissolve(island)
        (chain, *others) = self._chains
        if not self.islands and not others and chain[0].path.is_unicast:
            self._chains = parts(chain, min(self._rules.chains_max, len(chain)))
            self._wanted = len(self._chains)
