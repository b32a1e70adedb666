"""Relays: targets forward pages where the group does not reach, and links that fail are replaced.

Copies from the caster remain the rule, and a link is the exception: it counts from the child's report that its parent
feeds it until its report that it does not. So a wrong decision here costs a copy, but never keeps pages from anyone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Callable

from mrsync.protocol.core.lateness import Lateness
from mrsync.protocol.core.sends import Address
from mrsync.protocol.sending.flow import Flow
from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.chains.absentees import Absentees
from mrsync.protocol.targets.chains.assignments import Assignments
from mrsync.protocol.targets.chains.chains import Chains, RelayRules
from mrsync.protocol.targets.chains.islands import Island
from mrsync.protocol.targets.chains.link import Link
from mrsync.protocol.targets.chains.link_watch import DOUBT_S, LinkWatch
from mrsync.protocol.targets.chains.slack import Slack
from mrsync.protocol.targets.chains.unreached import UnreachedPairs
from mrsync.protocol.targets.path import Via
from mrsync.protocol.targets.reach import Reach
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.messages import Assign, Feeding, Hop, ObjectKind, Peer

GRACE_S = 0.5  # before the caster serves a child that was fed and gets another parent
HEADS_ASKED = 2  # per target to be fed
SWAP_S = 10.0  # two that were put to the end in this time would change places for ever
BARRED_S = 5.0  # doubled each time, up to an hour and a half; meanwhile the caster serves it
DOUBLINGS_MAX = 10
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
        self._faults: Counter[int] = Counter()  # target -> number of its links that failed although it answered
        self._demoted_at: dict[int, float] = {}  # when a target was put to the end of its chain
        self._assignments = Assignments(roster, say)
        self._watch = LinkWatch(self._links, self._assignments.number_of)
        self._asked_at: float | None = None  # when the targets that may become heads were asked
        self._formed_at: float | None = None
        self._has_worked = False  # some link, at some time
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
            or (link is not None and link.was_fed and now - link.since < GRACE_S)
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
            link.is_fed = link.has_fed = self._has_worked = True
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
        if self._formed_at is not None:
            self._look(transfer, now)
        self._tell_news(now)
        self._tell_again(now)

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
            for link in failed:
                if link.island is None:
                    self._fail(link, now)
            for island in {link.island for link in failed if link.island is not None}:
                self._fail_in(island, [link for link in failed if link.island is island], now)
            if self._has_worked:  # else targets may not talk to each other at all, and to try all pairs takes long
                self.chains.rejoin(self._may_link)
            for link in failed:
                until = self._unreached.until(link.parent.id, link.child.id)
                if until is not None and self.chains.is_alone(link.child):
                    self._bar(link, until)
            self._connect(now)
        self.absentees.readmit(self._roster.live, now)
        if self._unreached.expire(now) and self.chains.rejoin(self._may_link):
            self._connect(now)
        if any([self.chains.take_out(target) for target in self.chains.healed]):
            self._connect(now)
        newcomers = [target for target in self._roster.live if self._is_lonely(target)]
        if newcomers and self._are_heads_known(len(newcomers), now):
            self.chains.append(newcomers, self._heads(), self._may_link)
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

    def _may_link(self, parent: Target, child: Target) -> bool:
        return self._unreached.may_link(parent.id, child.id)

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

    def _fail(self, link: Link, now: float) -> None:
        """Give up a link: remove the end that does not answer, or the one that is to blame."""
        parent, child, doubted_at = link.parent, link.child, link.doubted_at or now
        del self._links[child.id]
        silent = [end for end in (parent, child) if end.flow.answered_at <= doubted_at]
        if silent:
            self._park(min(silent, key=lambda end: end.progress.heard_at), now)
            self._park_quiet(link, now)
        elif self._watch.is_stuck(link, now):
            self._set_aside(child)
            if self._faults[parent.id] > self._faults[child.id]:
                self.chains.move_last(parent)  # others that it fed had pages that they could not write, too
            self._faults.update((parent.id, child.id))
        elif not link.has_fed:
            self._unreached.add(parent.id, child.id, self._next_try(child, now))
            self.chains.split(child)  # those behind it may reach each other
        elif self._is_to_blame(parent, child, now):
            self.chains.move_last(parent)
            self._demoted_at[parent.id] = now
            self._faults.update((parent.id, child.id))
        else:
            self._bar(link, self._next_try(child, now))

    def _is_to_blame(self, parent: Target, child: Target, now: float) -> bool:
        """Return whether to put the parent to the end, rather than to have the caster serve its child."""
        are_swapped = all(now - self._demoted_at.get(end.id, -math.inf) < SWAP_S for end in (parent, child))
        is_worse = self._faults[parent.id] >= self._faults[child.id]
        return self._has_worked and parent.path.is_unicast and is_worse and not are_swapped

    def _next_try(self, child: Target, now: float) -> float:
        """Count a failure of a link to this child. Return when to try again."""
        self._faults[child.id] += 1
        return now + BARRED_S * 2.0 ** min(self._faults[child.id] - 1, DOUBLINGS_MAX)

    def _bar(self, link: Link, until: float) -> None:
        """Have the caster serve the child of a link until then."""
        self.absentees.bar(link.child, f"{link.parent.name} cannot feed it", until)
        self.chains.take_out(link.child)

    def _fail_in(self, island: Island, failed: list[Link], now: float) -> None:
        """Give up links of an island. Remove ends that do not answer, hear nothing, or are not heard."""
        assert island.relay is not None  # else there were no links
        doubted = [link for link in failed if link.doubted_at is not None]
        if any(island.relay.flow.answered_at <= (link.doubted_at or now) for link in doubted):
            self._park(island.relay, now)
            for link in doubted:
                self._park_quiet(link, now)
            return
        silent = [link for link in doubted if link.child.flow.answered_at <= (link.doubted_at or now)]
        for link in silent:
            del self._links[link.child.id]
            self._park(link.child, now)
        stuck = [link for link in doubted if link not in silent and self._watch.is_stuck(link, now)]
        for link in stuck:
            del self._links[link.child.id]
            self._set_aside(link.child)
        deaf = [link for link in failed if link not in silent and link not in stuck]
        links = [link for link in self._links.values() if link.island is island]
        fed = sum(link.is_fed for link in links)
        if not island.has_worked and len(deaf) == len(links):
            self.chains.dissolve(island)
        elif fed < len(links) / 2 and any(link.doubted_at is not None for link in deaf):
            self.chains.move_last(island.relay)
        elif fed or stuck:
            for link in deaf:
                self.chains.move_last(link.child)
            for link in links:
                link.moved_at = now  # the relay may have waited for those, and soon sees that they are gone

    def _park(self, target: Target, now: float) -> None:
        self.absentees.park(target, now)
        self.chains.take_out(target)

    def _park_quiet(self, link: Link, now: float) -> None:
        """Leave out the others that were asked when a link was doubted, and that did not answer either."""
        for target in link.quiet:
            if not self.absentees.is_parked(target) and target.flow.answered_at <= (link.doubted_at or now):
                self._park(target, now)

    def _set_aside(self, target: Target) -> None:
        self.absentees.set_aside(target)
        self.chains.take_out(target)

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
