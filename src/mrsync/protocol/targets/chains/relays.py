"""Relays: targets forward pages where the group does not reach, and links that fail are replaced.

Copies from the caster remain the rule, and a link is the exception: it counts from the child's report that its parent
feeds it until its report that it does not. So a wrong decision here costs a copy, but never keeps pages from anyone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Callable

from mrsync.protocol.core.lateness import Lateness
from mrsync.protocol.core.sends import Address
from mrsync.protocol.sending.flow import Flow
from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.chains.absentees import Absentees
from mrsync.protocol.targets.chains.assignments import Assignments
from mrsync.protocol.targets.chains.chains import Chains, RelayRules
from mrsync.protocol.targets.chains.link import Link
from mrsync.protocol.targets.chains.link_failures import LinkFailures
from mrsync.protocol.targets.chains.link_watch import DOUBT_S, LinkWatch
from mrsync.protocol.targets.chains.slack import Slack
from mrsync.protocol.targets.chains.unreached import UnreachedPairs
from mrsync.protocol.targets.path import Via
from mrsync.protocol.targets.reach import Reach
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.messages import Assign, Feeding, Hop, ObjectKind, Peer

GRACE_S = 0.5  # before the caster serves a child that was fed and gets another parent
HEADS_ASKED = 2  # per target to be fed
SETTLE_S = 3.0  # gathering waits no longer than this for links


class Relays:
    """Links between live targets. The result is in `via` of each target on the roster.

    rules: None: no target forwards pages. lateness: that of targets. on_rerouted: called with each target whose `via`
    has changed. say: numbers and sends an assignment.
    """

    def __init__(
        self,
        roster: Roster,
        reach: Reach,
        rules: RelayRules | None,
        lateness: Lateness,
        on_rerouted: Callable[[Target], None],
        say: Callable[[Assign, Address], None],
    ) -> None:
        self.chains = Chains(rules if rules is not None else RelayRules(lambda address: (b"", 0)))
        self.absentees = Absentees()
        self._roster = roster
        self._reach = reach
        self._rules = rules
        self._on_rerouted = on_rerouted
        self._links: dict[int, Link] = {}  # by child
        self._unreached = UnreachedPairs()
        self._assignments = Assignments(roster, say)
        self._watch = LinkWatch(self._links, self._assignments.number_of)
        self._failures = LinkFailures(self._links, self._watch, self.chains, self.absentees, self._unreached)
        self._asked_at: float | None = None  # when the targets that may become heads were asked
        self._formed_at: float | None = None
        self._slack = Slack(roster, lateness, reach.keepalive_s)

    def is_settled(self, now: float) -> bool:
        """Return whether the chains are complete, or the wait for them is over."""
        if self._rules is None:
            return True
        if self._formed_at is None:
            self._form(now)
            self._tell_news(now)
        if self._formed_at is None:
            return False
        are_fed = all(link.is_fed for link in self._links.values())
        return are_fed or now - self._formed_at > SETTLE_S + self._slack.typical_s

    def _form(self, now: float) -> None:
        """Make the first chains, once it is known who receives the group."""
        deaf = [target for target in self._roster.live if self._is_deaf(target)]
        if deaf and not self._are_heads_known(len(deaf), now):
            return
        self._formed_at = now
        self.chains.form(deaf, self._heads())
        self._connect(now)

    def _are_heads_known(self, count: int, now: float) -> bool:
        """Return whether enough targets that receive the group have verified their addresses.

        They are told that they have no peers. A target that repeats the number of that has verified its address.
        """
        if self._asked_at is None:
            hearers = [target for target in self._roster.live if not target.path.is_unicast]
            for target in hearers[: HEADS_ASKED * count]:
                self._assignments.ask(target.id)
            self._asked_at = now if hearers else -math.inf
        asked = [self._roster.find(target_id) for target_id in self._assignments.targets]
        is_open = any(target is not None and target.is_live and target.path.verified is None for target in asked)
        return not is_open or now - self._asked_at > DOUBT_S + self._slack.typical_s

    def _is_deaf(self, target: Target) -> bool:
        return target.is_live and target.path.is_unicast and target.id not in self.absentees.barred

    def _heads(self) -> list[Target]:
        """Return the targets that receive the group and can forward what they receive."""
        return [
            target
            for target in self._roster.live
            if not target.path.is_unicast
            and target.path.verified is not None
            and target.id not in self.absentees.barred
        ]

    # links

    def _connect(self, now: float) -> None:
        """Make the links of the chains, and send assignments to targets whose peers changed."""
        self.chains.appoint(self._assignments.next_number)
        in_chains = set()
        for child, parent, island in self.chains.links():
            in_chains.add(child.id)
            known = self._links.get(child.id)
            if parent is None:
                self._links.pop(child.id, None)
            elif known is None or known.parent is not parent or known.island is not island:
                was_fed = child.path.via is not Via.CASTER
                number = island.number if island is not None else self._assignments.next_number()
                self._links[child.id] = Link(number, parent, child, now, was_fed, island)
        for target_id in set(self._links) - in_chains:
            del self._links[target_id]
        self._assign(in_chains)
        self._set_ways(now)

    def _assign(self, in_chains: set[int]) -> None:
        children = {link.parent.id: link for link in self._links.values() if link.island is None}
        for target_id in in_chains | self._assignments.targets:
            above, below = self._links.get(target_id), children.get(target_id)
            parent = self._peer(above, above.parent) if above is not None else None
            child = self._peer(below, below.child) if below is not None else None
            self._assignments.assign(target_id, parent, child, self._island(target_id, above))

    def _peer(self, link: Link, other: Target) -> Peer:
        address, port = self.chains.place(other)
        return Peer(other.id, link.number, address, port)

    def _island(self, target_id: int, above: Link | None) -> Peer | None:
        """Return the island that a target listens or casts to, if any."""
        target = self._roster.find(target_id)
        island = self.chains.islands.cast_by(target) if target is not None else None
        if above is not None and above.island is not None:
            island = above.island
        if island is None or island.relay is None:
            return None
        assert self._rules is not None  # there are no islands without,
        assert self._rules.island is not None  # nor without a group
        return Peer(island.relay.id, island.number, *self._rules.island)

    def _set_ways(self, now: float, targets: Sequence[Target] = ()) -> None:
        """Decide for these targets, or for all, whether their pages come from the caster."""
        changed = []
        for target in targets or self._roster.live:
            via = self._via(target, now)
            if via is not target.path.via:
                target.path.via = via
                target.path.parent = self._links[target.id].parent.name if via is Via.RELAY else ""
                changed.append(target)
        if changed:
            self._roster.count_listeners()
            for target in changed:
                self._on_rerouted(target)

    def _via(self, target: Target, now: float) -> Via:
        if not target.path.is_unicast:
            return Via.CASTER
        link = self._links.get(target.id)
        if link is not None and link.is_fed:
            return Via.RELAY
        if (
            target.flow.is_shed  # it gets the rest when the others have everything
            or self.absentees.is_parked_or_stuck(target)
            or (link is not None and link.was_fed and now - link.since < GRACE_S + self._slack.of(link))
        ):
            return Via.NOBODY
        return Via.CASTER

    def is_led(self, target: Target, contents: ObjectKind) -> bool:
        """Return whether this target is fed by one that holds no more of the contents than it does."""
        link = self._links.get(target.id)
        return link is not None and link.is_fed and link.parent.frontier(contents) <= target.frontier(contents)

    # messages and time

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
        self._watch.paces.receive(target.id, hop, now)
        link = self._links.get(target.id)
        if hop.number != self._assignments.number_of(target.id):
            return
        self._assignments.verify(target, source)
        if link is None:
            return
        if hop.feeding is Feeding.FED and not link.is_fed and not link.is_stalled:
            link.is_fed = link.has_fed = self._failures.has_any_worked = True
            if link.island is not None:
                link.island.has_worked = True
            link.doubted_at, link.moved_at = None, now
            self._set_ways(now, [target])
        elif hop.feeding is Feeding.STARVED and link.is_fed:
            self._doubt(link, now)

    def slow_flow(self, flow: Flow) -> Flow:
        """Return the target for which this one waits: the last one behind it for which pages wait, or this one."""
        target = self._roster.find(flow.id)
        while target is not None and self._watch.paces.waits(target.id):
            fed = [link for link in self._links.values() if link.parent is target and link.is_fed]
            if len(fed) != 1:
                break  # of an island, it is not known which one
            target = fed[0].child
        return target.flow if target is not None else flow

    def leave_behind(self, target: Target, now: float) -> None:
        """Take a target that is served after all others out of its chain, so that no other one waits for it."""
        self.absentees.bar(target, "it is left behind")
        if self.chains.take_out(target):
            self._connect(now)

    def forget(self, target: Target, now: float) -> None:
        """Remove a target that has ended, or was replaced by another process."""
        self.absentees.forget(target)
        self._assignments.forget(target.id)
        if self.chains.take_out(target):
            self._connect(now)

    def tend(self, transfer: Transfer | None, now: float) -> None:
        """With a status, check links and repeat assignments. transfer: what is being cast, if anything."""
        if self._rules is None:
            return
        self._slack.note(self._watch.pause_s)
        self._watch.paces.late_s = self._slack.late_s
        if transfer is not None:
            self._watch.paces.note_arrived(self._arrived(transfer), now)
        if self._formed_at is not None:
            self._look(transfer, now)
        self._tell_news(now)
        self._tell_again(now)

    def _arrived(self, transfer: Transfer) -> int:
        """Return how many pages have arrived at a target from the caster itself.

        Those that were sent may still wait in a queue.
        """
        heads = (target for target in self._roster.live if target.id not in self._links)
        return min(transfer.next_page, max((target.frontier(transfer.object) for target in heads), default=0))

    def _look(self, transfer: Transfer | None, now: float) -> None:
        """Check links that do not work, and add targets that can be fed now."""
        failed = []
        for link in self._links.values():
            self._watch.look(link, now)
            slack_s = self._slack.of(link)
            if self._watch.has_failed(link, slack_s, now):
                failed.append(link)
            elif link.doubted_at is None and self._watch.is_failing(link, transfer, slack_s, now):
                self._doubt(link, now)
        if failed:
            self._failures.handle(failed, now)
            self._connect(now)
        self.absentees.readmit(self._roster.live, now)
        if self._unreached.expire(now) and self.chains.rejoin(self._failures.may_link):
            self._connect(now)
        if any([self.chains.take_out(target) for target in self.chains.healed]):
            self._connect(now)
        newcomers = [target for target in self._roster.live if self._is_lonely(target)]
        if newcomers and self._are_heads_known(len(newcomers), now):
            self.chains.append(newcomers, self._heads(), self._failures.may_link)
            self._connect(now)
        self._take_back(transfer)
        self._set_ways(now)

    def _take_back(self, transfer: Transfer | None) -> None:
        """Serve those that were left behind once all others hold everything."""
        live = self._roster.live
        is_rest = transfer is None or (
            transfer.is_sent
            and all(target.flow.is_shed or target.frontier(transfer.object) >= transfer.next_page for target in live)
        )
        for target in live if is_rest else ():
            if target.flow.is_shed and not target.path.is_direct:
                target.flow.is_shed = False

    def _is_lonely(self, target: Target) -> bool:
        is_absent = self.absentees.is_parked_or_stuck(target)
        return self._is_deaf(target) and not is_absent and not self.chains.has(target)

    def _doubt(self, link: Link, now: float) -> None:
        """Handle a link that does not work, after seeing whether both ends answer."""
        self._watch.paces.forget(link.parent.id)
        link.was_fed, link.is_fed = link.is_fed, False
        link.doubted_at = link.since = now
        link.quiet = self._watch.quiet_near(link, lambda target: self._roster.audience.is_answering(target.flow, now))
        for target in (link.parent, link.child, *link.quiet):
            self._assignments.remind(target.id)
        self._set_ways(now, [link.child])

    # sending

    def _tell_news(self, now: float) -> None:
        self._assignments.tell_news(self._reach.fitting.datagram_bytes, now)

    def _tell_again(self, now: float) -> None:
        """Repeat assignments that are not confirmed, or do not work yet."""
        doubted = {
            target.id
            for link in self._links.values()
            if link.doubted_at is not None
            for target in (link.parent, *link.quiet)
        }
        unfed = {link.child.id for link in self._links.values() if not link.is_fed}
        fine = self._assignments.targets - doubted - unfed
        probe_bytes = self._reach.fitting.datagram_bytes
        self._assignments.tell_again(probe_bytes, now, but=fine, patience_s=self._slack.typical_s / 2)
