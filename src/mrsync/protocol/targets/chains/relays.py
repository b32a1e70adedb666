"""Relays: chains of targets that forward pages where the group does not reach, remade when a link fails.

A chain begins with a target that the caster serves, by multicast or unicast. Each following target is fed by the one
before it. Copies from the caster remain the rule, and a link is the exception: it counts from the child's report that
its parent feeds it until its report that it does not. So a wrong decision here costs a copy, but never keeps pages from
anyone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Callable, NamedTuple

from mrsync.protocol.core.sends import Address
from mrsync.protocol.core.timers import SLOT_S
from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.chains.assignments import Assignments
from mrsync.protocol.targets.chains.hop_paces import HopPaces
from mrsync.protocol.targets.chains.islands import ISLAND_MIN, Island, Islands
from mrsync.protocol.targets.chains.link import Link
from mrsync.protocol.targets.chains.neighbourhood import Endpoint, Locate, Neighbourhood, parts
from mrsync.protocol.targets.path import Via
from mrsync.protocol.targets.reach import Reach
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.messages import Assign, Feeding, Hop, ObjectKind, Peer

TRIAL_S = 0.7  # after this time, a child that has not heard its parent never will
ISLAND_TRIAL_S = 0.25  # the same, of one that both ends know, and in a network that may have no multicast
GRACE_S = 0.3  # before the caster serves a child that was fed and gets another parent
STALL_S = 1.5  # without anything that its parent holds, after which a child counts as starved
GAP_S = 4.5  # without the first page that it lacks, though others arrive
DOUBT_S = 0.3  # three statuses: an end that answers none of them is gone
HEADS_ASKED = 2  # per target to be fed
BARRED_S = 5.0  # doubled each time; meanwhile the caster serves it
SETTLE_S = 3.0  # gathering waits no longer than this for links


class RelayRules(NamedTuple):
    """How to use relays. chains_max: number of chains if no target receives the group.

    island: the group that a relay casts to in its own network; None: none does. near: targets in the caster's own
    networks, where those that do not receive its group receive no other one.
    """

    locate: Locate
    chains_max: int = 1
    island: Endpoint | None = None
    near: frozenset[int] = frozenset()


class Relays:
    """Chains of live targets. The result is in `via` of each target on the roster.

    rules: None: no target forwards pages. on_rerouted: called with each target whose `via` has changed. say: numbers
    and sends an assignment.
    """

    def __init__(
        self,
        roster: Roster,
        reach: Reach,
        rules: RelayRules | None,
        on_rerouted: Callable[[Target], None],
        say: Callable[[Assign, Address], None],
    ) -> None:
        self.barred: dict[int, str] = {}  # target -> why it takes no part, for now
        self._barred_until: dict[int, float] = {}
        self._roster = roster
        self._reach = reach
        self._rules = rules
        self._neighbourhood = Neighbourhood(rules.locate if rules is not None else lambda address: (b"", 0))
        self._on_rerouted = on_rerouted
        self._chains: list[list[Target]] = []
        self._islands = Islands()
        self._links: dict[int, Link] = {}  # by child
        self._parked: dict[int, float] = {}  # targets that do not answer, since when
        self._faults: Counter[int] = Counter()  # target -> links of its that failed though it answered
        self._assignments = Assignments(roster, say)
        self._asked_at: float | None = None  # those who may become heads
        self._formed_at: float | None = None
        self._has_worked = False  # some link, at some time
        self._paces = HopPaces()

    @property
    def chains(self) -> list[list[Target]]:
        """Chains of targets, in the order in which pages pass through them."""
        return self._chains

    def groups(self, chain: list[Target]) -> list[list[Target]]:
        """Return a chain as groups of targets that are fed together: islands without their relays, else single ones."""
        groups: list[list[Target]] = []
        cast_to: Island | None = None  # the last group
        for target in chain:
            link = self._links.get(target.id)
            island = link.island if link is not None else None
            if island is not None and island is cast_to:
                groups[-1].append(target)
            else:
                groups.append([target])
            cast_to = island
        return groups

    @property
    def heads(self) -> set[int]:
        """Targets that forward what the caster sends to them."""
        return {chain[0].id for chain in self._chains if len(chain) > 1}

    @property
    def _slack_s(self) -> float:
        """Additional patience for many targets: a status reaches them all in this time, and they answer."""
        return 4 * len(self._roster.live) * SLOT_S

    def is_settled(self, now: float) -> bool:
        """Return whether the chains are complete, or the wait for them is over."""
        if self._rules is None:
            return True
        if self._formed_at is None:
            self._form(now)
            self._tell_news(now)
        if self._formed_at is None:
            return False
        return now - self._formed_at > SETTLE_S + self._slack_s or all(link.is_fed for link in self._links.values())

    def _form(self, now: float) -> None:
        """Return deaf targets in the order of their addresses, so that chains cross a border of networks once."""
        deaf = sorted(filter(self._is_deaf, self._roster.live), key=self._neighbourhood.place)
        if deaf and not self._are_heads_known(len(deaf), now):
            return
        assert self._rules is not None  # there are no chains without
        self._formed_at = now
        heads = [target for target in self._roster.live if self._can_head(target)]
        self._found_islands(deaf, heads)
        if heads:
            self._chains += self._neighbourhood.share_out(deaf, heads)
        else:
            self._chains += parts(deaf, 1 if self._islands else min(self._rules.chains_max, len(deaf)))
        self._connect(now)

    def _found_islands(self, deaf: list[Target], heads: list[Target]) -> None:
        """Make islands of networks in which nobody receives the group, and several targets are to be fed."""
        assert self._rules is not None  # there are no chains without
        if self._rules.island is None:
            return
        heard = {self._neighbourhood.network(head) for head in heads}
        for network, group in groupby(deaf, key=self._neighbourhood.network):
            targets = list(group)
            is_near = any(target.id in self._rules.near for target in targets)
            if len(targets) >= ISLAND_MIN and network not in heard and not is_near:
                self._islands.settle(network, targets)

    def _are_heads_known(self, count: int, now: float) -> bool:
        """Return whether enough targets that receive the group have verified their addresses.

        They are told that they have no peers; who repeats the number of that has shown it.
        """
        if self._asked_at is None:
            hearers = [target for target in self._roster.live if not target.path.is_unicast]
            for target in hearers[: HEADS_ASKED * count]:
                self._assignments.ask(target.id)
            self._asked_at = now if hearers else -math.inf
        asked = [self._roster.find(target_id) for target_id in self._assignments.targets]
        is_open = any(target is not None and target.is_live and target.path.verified is None for target in asked)
        return not is_open or now - self._asked_at > DOUBT_S + self._slack_s

    def _is_deaf(self, target: Target) -> bool:
        return target.is_live and target.path.is_unicast and target.id not in self.barred

    def _can_head(self, target: Target) -> bool:
        return target.is_live and not target.path.is_unicast and target.path.verified is not None

    # links

    def _connect(self, now: float) -> None:
        """Make the links of the chains, and send assignments to targets whose peers changed."""
        self._islands.appoint(self._chains, self._assignments.next_number)
        for chain in self._chains:
            for before, child in zip([None, *chain], chain):
                known, (parent, island) = self._links.get(child.id), self._parent(child, before)
                if parent is None:
                    self._links.pop(child.id, None)
                elif known is None or known.parent is not parent or known.island is not island:
                    was_fed = child.path.via is not Via.CASTER
                    number = island.number if island is not None else self._assignments.next_number()
                    self._links[child.id] = Link(number, parent, child, now, was_fed, island, moved_at=now)
        in_chains = {target.id for chain in self._chains for target in chain}
        for target_id in set(self._links) - in_chains:
            del self._links[target_id]
        self._assign(in_chains)
        self._set_ways(now)

    def _parent(self, child: Target, before: Target | None) -> tuple[Target | None, Island | None]:
        """Return who is to feed a target that stands behind this one in its chain, and to which island it casts."""
        island = self._islands.of(child)
        if island is None or island.relay is child:
            return before, None
        return island.relay, island

    def _assign(self, in_chains: set[int]) -> None:
        children = {link.parent.id: link for link in self._links.values() if link.island is None}
        for target_id in in_chains | self._assignments.targets:
            above, below = self._links.get(target_id), children.get(target_id)
            parent = self._peer(above, above.parent) if above is not None else None
            child = self._peer(below, below.child) if below is not None else None
            self._assignments.assign(target_id, parent, child, self._island(target_id, above))

    def _peer(self, link: Link, other: Target) -> Peer:
        address, port = self._neighbourhood.place(other)
        return Peer(other.id, link.number, address, port)

    def _island(self, target_id: int, above: Link | None) -> Peer | None:
        """Return the island that a target listens or casts to, if any."""
        target = self._roster.find(target_id)
        island = self._islands.cast_by(target) if target is not None else None
        if above is not None and above.island is not None:
            island = above.island
        if island is None or island.relay is None:
            return None
        assert self._rules is not None  # there are no islands without,
        assert self._rules.island is not None  # nor without a group
        return Peer(island.relay.id, island.number, *self._rules.island)

    def _set_ways(self, now: float, targets: Sequence[Target] = ()) -> None:
        """Decide for these targets, or for all, whether their pages come from the caster."""
        has_changed = []
        for target in targets or self._roster.live:
            via = self._via(target, now)
            if via is not target.path.via:
                target.path.via = via
                target.path.parent = self._links[target.id].parent.name if via is Via.RELAY else ""
                has_changed.append(target)
        if has_changed:
            self._roster.count_listeners()
            for target in has_changed:
                self._on_rerouted(target)

    def _via(self, target: Target, now: float) -> Via:
        if not target.path.is_unicast:
            return Via.CASTER
        link = self._links.get(target.id)
        if link is not None and link.is_fed:
            return Via.RELAY
        if target.id in self._parked or (link is not None and link.was_fed and now - link.since < GRACE_S):
            return Via.NOBODY
        return Via.CASTER

    def is_led(self, target: Target, contents: ObjectKind) -> bool:
        """Return whether this target is fed by one that holds no more of the contents than it does."""
        link = self._links.get(target.id)
        return link is not None and link.is_fed and link.parent.frontier(contents) <= target.frontier(contents)

    # what goes on

    def receive_hop(self, hop: Hop, source: Address, now: float) -> None:
        """Take a HOP of a target."""
        target = self._roster.find(hop.target)
        if target is None or not target.is_live or target.hello is None or target.hello.instance != hop.instance:
            return
        if target.hop is None or hop.counter > target.hop.counter:
            self._take_hop(target, hop, source, now)
            self._tell_news(now)

    def _take_hop(self, target: Target, hop: Hop, source: Address, now: float) -> None:
        target.progress.heard_at = now
        target.hop = hop
        target.pages_waiting_max = max(target.pages_waiting_max, hop.pages_waiting)
        self._paces.receive(target.id, hop, now)
        link = self._links.get(target.id)
        if hop.number != self._assignments.number_of(target.id):
            return
        self._assignments.verify(target, source)
        if link is None:
            return
        if hop.feeding is Feeding.FED and not link.is_fed and not link.is_stalled:
            link.is_fed = self._has_worked = True
            if link.island is not None:
                link.island.has_worked = True
            link.doubted_at, link.moved_at = None, now
            self._set_ways(now, [target])
        elif hop.feeding is Feeding.STARVED and link.is_fed:
            self._doubt(link, now)

    def forget(self, target: Target, now: float) -> None:
        """Remove a target that has ended, or was replaced by another process."""
        self.barred.pop(target.id, None)
        self._barred_until.pop(target.id, None)
        self._parked.pop(target.id, None)
        self._assignments.forget(target.id)
        if self._take_out(target):
            self._connect(now)

    def _take_out(self, target: Target) -> bool:
        """Remove a target from its chain, so that its child follows its parent. Return whether it was in one."""
        for chain in self._chains:
            if target in chain:
                chain.remove(target)
                self._islands.leave(target)
                if len(chain) == 1 and not chain[0].path.is_unicast:
                    chain.clear()
                if not chain:
                    self._chains.remove(chain)
                return True
        return False

    def tend(self, transfer: Transfer | None, now: float) -> None:
        """With a status, check links and repeat assignments. transfer: what is being cast, if anything."""
        if self._rules is None:
            return
        if self._formed_at is not None:
            self._look(transfer.kind if transfer is not None else None, now)
        self._tell_news(now)
        self._tell_again(now)

    def _look(self, contents: ObjectKind | None, now: float) -> None:
        """Check links that do not work, and add targets that can be fed now."""
        failed = []
        for link in self._links.values():
            is_over = link.doubted_at is not None and now - link.doubted_at > DOUBT_S + self._slack_s
            if is_over or (link.island is not None and self._is_unheard(link, now)):
                failed.append(link)
            elif link.doubted_at is None and self._is_failing(link, contents, now):
                self._doubt(link, now)
        if failed:
            for link in failed:
                if link.island is None:
                    self._fail(link, now)
            for island in {link.island for link in failed if link.island is not None}:
                self._fail_in(island, [link for link in failed if link.island is island], now)
            self._connect(now)
        for target in self._roster.live:
            if target.flow.answered_at > self._parked.get(target.id, now):
                del self._parked[target.id]
        for target_id, until in list(self._barred_until.items()):
            if now > until:
                del self._barred_until[target_id], self.barred[target_id]
        healed = [target for chain in self._chains for target in chain[1:] if not target.path.is_unicast]
        if any([self._take_out(target) for target in healed]):  # they hear the group now
            self._connect(now)
        newcomers = [target for target in self._roster.live if self._is_lonely(target)]
        if newcomers and self._are_heads_known(len(newcomers), now):
            self._append(newcomers)
            self._connect(now)
        self._set_ways(now)

    def _is_lonely(self, target: Target) -> bool:
        in_chain = any(target in chain for chain in self._chains)
        return self._is_deaf(target) and target.id not in self._parked and not in_chain

    def _append(self, newcomers: list[Target]) -> None:
        for target in newcomers:
            neighbour = self._islands.join(target, self._neighbourhood.network(target))
            if neighbour is not None:
                chain = next(chain for chain in self._chains if neighbour in chain)
                chain.insert(chain.index(neighbour) + 1, target)
            elif self._chains:
                min(self._chains, key=len).append(target)
            else:
                heads = [head for head in self._roster.live if self._can_head(head)]
                self._chains.append([*heads[:1], target])

    def _is_failing(self, link: Link, contents: ObjectKind | None, now: float) -> bool:
        if not link.is_fed:
            return now - link.since > TRIAL_S + self._slack_s
        link.is_stalled = contents is not None and (self._is_stalled(link, contents, now) or self._is_slow(link))
        return link.is_stalled

    def _is_slow(self, link: Link) -> bool:
        """Return whether the parent forwards much more slowly than others, and nothing behind it is the reason."""
        children = [other.child for other in self._links.values() if other.parent is link.parent]
        are_writing = any(child.report is None or child.report.queue_pages > 0 for child in children)
        are_waiting = any(self._paces.waits(child.id) for child in children)
        return self._paces.is_slow(link.parent.id) and not are_writing and not are_waiting

    def _is_unheard(self, link: Link, now: float) -> bool:
        """Return whether both ends of a link have known of it for a while, and the child has heard nothing."""
        ends = (link.parent, link.child)
        if link.known_since is None and all(
            end.hop is not None and end.hop.number == self._assignments.number_of(end.id) for end in ends
        ):
            link.known_since = now
        is_over = link.known_since is not None and now - link.known_since > ISLAND_TRIAL_S + self._slack_s
        return link.is_tried and is_over

    def _is_stalled(self, link: Link, contents: ObjectKind, now: float) -> bool:
        """Return whether the child receives nothing of what its parent holds, or keeps lacking one page of it.

        Between busy hosts a round trip may last half a second, and a repair may be lost as well.
        """
        held = int(contents), link.child.frontier(contents)
        if held != link.frontier or link.parent.frontier(contents) <= held[1]:
            link.frontier, link.moved_at = held, now
        activity = link.child.report.activity if link.child.report is not None else 0
        if activity != link.activity:
            link.activity, link.written_at = activity, now
        waited_s = now - link.moved_at - self._slack_s
        if waited_s <= STALL_S:
            return False
        return waited_s > GAP_S or (now - link.written_at >= STALL_S and not self._is_held_up(link))

    def _is_held_up(self, link: Link) -> bool:
        """Return whether another one in the same island has pages to write, so that all of it wait for that one."""
        return link.island is not None and any(
            other.child.report is not None and other.child.report.queue_pages > 0
            for other in self._links.values()
            if other.island is link.island and other is not link
        )

    def _doubt(self, link: Link, now: float) -> None:
        """Handle a link that does not work, after seeing whether both ends answer."""
        self._paces.forget(link.parent.id)
        link.was_fed, link.is_fed = link.is_fed, False
        link.doubted_at = link.since = now
        self._assignments.remind(link.parent.id)
        self._set_ways(now, [link.child])

    def _fail(self, link: Link, now: float) -> None:
        """Give up a link: remove the end that does not answer, or the one that is to blame."""
        parent, child, doubted_at = link.parent, link.child, link.doubted_at or now
        del self._links[child.id]
        if parent.flow.answered_at <= doubted_at:
            self._park(parent, now)
        elif child.flow.answered_at <= doubted_at:
            self._park(child, now)
        elif self._has_worked and parent.path.is_unicast and self._faults[parent.id] >= self._faults[child.id]:
            self._move_last(parent)
            self._faults.update((parent.id, child.id))
        else:
            self.barred[child.id] = f"{parent.name} cannot feed it"
            self._barred_until[child.id] = now + BARRED_S * 2 ** self._faults[child.id]
            self._faults[child.id] += 1
            self._take_out(child)

    def _fail_in(self, island: Island, failed: list[Link], now: float) -> None:
        """Give up links of an island: remove the ends that do not answer, who hears nothing, or whom nobody hears."""
        assert island.relay is not None  # else there were no links
        doubted = [link for link in failed if link.doubted_at is not None]
        if any(island.relay.flow.answered_at <= (link.doubted_at or now) for link in doubted):
            self._park(island.relay, now)
            return
        silent = [link for link in doubted if link.child.flow.answered_at <= (link.doubted_at or now)]
        for link in silent:
            del self._links[link.child.id]
            self._park(link.child, now)
        deaf = [link for link in failed if link not in silent]
        links = [link for link in self._links.values() if link.island is island]
        fed = sum(link.is_fed for link in links)
        if not island.has_worked and len(deaf) == len(links):
            self._islands.dissolve(island)
            self._part_anew()
        elif fed < len(links) / 2 and any(link.doubted_at is not None for link in deaf):
            self._move_last(island.relay)
        elif fed:
            for link in deaf:
                self._move_last(link.child)
            for link in links:
                link.moved_at = now  # the relay may have waited for those, and soon sees that they are gone

    def _part_anew(self) -> None:
        """Make several chains, if they are asked for, of one that was for the sake of an island."""
        assert self._rules is not None  # there are no chains without
        (chain, *others) = self._chains
        if not self._islands and not others and chain[0].path.is_unicast:
            self._chains = parts(chain, min(self._rules.chains_max, len(chain)))

    def _move_last(self, target: Target) -> None:
        """Let a target that feeds badly, or hears nothing of its island, feed nobody before it is needed."""
        self._islands.leave(target, is_stranger=True)
        for chain in self._chains:
            if target in chain:
                chain.remove(target)
                chain.append(target)

    def _park(self, target: Target, now: float) -> None:
        if target.path.is_unicast:
            self._parked[target.id] = now
        self._take_out(target)

    # what is said

    def _tell_news(self, now: float) -> None:
        self._assignments.tell_news(self._reach.step.datagram_bytes, now)

    def _tell_again(self, now: float) -> None:
        """Repeat assignments that are not confirmed, or do not work yet."""
        doubted = {link.parent.id for link in self._links.values() if link.doubted_at is not None}
        unfed = {link.child.id for link in self._links.values() if not link.is_fed}
        fine = self._assignments.targets - doubted - unfed
        probe_bytes = self._reach.step.datagram_bytes
        self._assignments.tell_again(probe_bytes, now, but=fine, patience_s=self._slack_s / 2)
