"""LinkFailures: who is to blame for a link that failed, and what becomes of both ends.

An end that does not answer is left out until it does, and a child that cannot write until it can. Two ends that never
reached each other are not linked for a while. Where a link has worked, the parent is put to the end of its chain, so
that it feeds nobody, unless its child has failed more often, or the two would only change places; then the caster
serves the child for a while. The relay of an island is judged by what all of the island report.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from mrsync.protocol.targets.chains.absentees import Absentees
from mrsync.protocol.targets.chains.chains import Chains
from mrsync.protocol.targets.chains.islands import Island
from mrsync.protocol.targets.chains.link import Link
from mrsync.protocol.targets.chains.link_watch import LinkWatch
from mrsync.protocol.targets.chains.unreached import UnreachedPairs
from mrsync.protocol.targets.roster import Target

SWAP_S = 10.0  # two that were put to the end in this time would change places for ever
BARRED_S = 5.0  # doubled each time, up to an hour and a half; meanwhile the caster serves it
DOUBLINGS_MAX = 10


class LinkFailures:
    """Give up links and reorder the chains.

    links: all of them, by child; those given up are removed. has_any_worked: some link, at some time.
    """

    def __init__(
        self,
        links: dict[int, Link],
        watch: LinkWatch,
        chains: Chains,
        absentees: Absentees,
        unreached: UnreachedPairs,
    ) -> None:
        self.has_any_worked = False
        self._links = links
        self._watch = watch
        self._chains = chains
        self._absentees = absentees
        self._unreached = unreached
        self._faults: Counter[int] = Counter()  # target -> number of its links that failed although it answered
        self._demoted_at: dict[int, float] = {}  # when a target was put to the end of its chain

    def handle(self, failed: Sequence[Link], now: float) -> None:
        """Give up the links that failed. The chains are changed; the links that they need instead are not yet made."""
        for link in failed:
            if link.island is None:
                self._fail(link, now)
        for island in {link.island for link in failed if link.island is not None}:
            self._fail_in(island, [link for link in failed if link.island is island], now)
        if self.has_any_worked:  # else targets may not talk to each other at all, and to try all pairs takes long
            self._chains.rejoin(self.may_link)
        for link in failed:
            until = self._unreached.until(link.parent.id, link.child.id)
            if until is not None and self._chains.is_alone(link.child):
                self._bar(link, until)

    def may_link(self, parent: Target, child: Target) -> bool:
        """Return whether the parent may feed the child, for all that is known of the two."""
        return self._unreached.may_link(parent.id, child.id)

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
                self._chains.move_last(parent)  # others that it fed had pages that they could not write, too
            self._faults.update((parent.id, child.id))
        elif not link.has_fed:
            self._unreached.add(parent.id, child.id, self._next_try(child, now))
            self._chains.split(child)  # those behind it may reach each other
        elif self._is_to_blame(parent, child, now):
            self._move_last(parent, now)
            self._faults.update((parent.id, child.id))
        elif link.is_slow:  # as it was with its last parent
            self._watch.slow_children.add(child.id)
            self._move_last(child, now)
        else:
            self._bar(link, self._next_try(child, now))

    def _move_last(self, target: Target, now: float) -> None:
        self._chains.move_last(target)
        self._demoted_at[target.id] = now

    def _is_to_blame(self, parent: Target, child: Target, now: float) -> bool:
        """Return whether to put the parent to the end, rather than to have the caster serve its child."""
        are_swapped = all(now - self._demoted_at.get(end.id, -math.inf) < SWAP_S for end in (parent, child))
        is_worse = self._faults[parent.id] >= self._faults[child.id]
        return self.has_any_worked and parent.path.is_unicast and is_worse and not are_swapped

    def _next_try(self, child: Target, now: float) -> float:
        """Count a failure of a link to this child. Return when to try again."""
        self._faults[child.id] += 1
        return now + BARRED_S * 2.0 ** min(self._faults[child.id] - 1, DOUBLINGS_MAX)

    def _bar(self, link: Link, until: float) -> None:
        """Have the caster serve the child of a link until then."""
        self._absentees.bar(link.child, f"{link.parent.name} cannot feed it", until)
        self._chains.take_out(link.child)

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
            self._chains.dissolve(island)
        elif fed < len(links) / 2 and any(link.doubted_at is not None for link in deaf):
            self._chains.move_last(island.relay)
        elif fed or stuck:
            for link in deaf:
                self._chains.move_last(link.child)
            for link in links:
                link.moved_at = now  # the relay may have waited for those, and soon sees that they are gone

    def _park(self, target: Target, now: float) -> None:
        self._absentees.park(target, now)
        self._chains.take_out(target)

    def _park_quiet(self, link: Link, now: float) -> None:
        """Leave out the others that were asked when a link was doubted, and that did not answer either."""
        for target in link.quiet:
            if not self._absentees.is_parked(target) and target.flow.answered_at <= (link.doubted_at or now):
                self._park(target, now)

    def _set_aside(self, target: Target) -> None:
        self._absentees.set_aside(target)
        self._chains.take_out(target)
