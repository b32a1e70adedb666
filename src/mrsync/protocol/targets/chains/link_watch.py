"""LinkWatch: when a link has failed.

A link is on trial until its child reports pages of its parent. After that it fails if nothing comes through it although
the parent holds more, or if the parent forwards much more slowly than others do. A parent that is served by the caster
cannot claim for ever to hold no more pages itself, because the caster has sent them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from mrsync.protocol.core.lateness import LATE_MAX_S, median
from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.chains.hop_paces import HopPaces
from mrsync.protocol.targets.chains.link import Link
from mrsync.protocol.targets.roster import Target
from mrsync.wire.messages import ObjectKind

TRIAL_S = 0.7  # after this time, a child that has not heard its parent never will
ISLAND_TRIAL_S = 0.25  # the same for a link to an island that both ends know: its network may have no multicast
STALL_S = 1.5  # without anything that its parent holds, after which a child counts as starved
GAP_S = 4.5  # without the first page that it lacks, though others arrive
DRY_S = 5.0  # without a page although some were sent: then a child gets another parent, whatever this one reports
PAUSE_SMOOTHING = 0.25
DOUBT_S = 0.3  # three statuses: an end that answers none of them is gone


class LinkWatch:
    """Tell which links fail.

    links: all of them, by child. number_of: returns the number of a target's assignment.
    """

    def __init__(self, links: Mapping[int, Link], number_of: Callable[[int], int]) -> None:
        self.paces = HopPaces()
        self.slow_children: set[int] = set()  # several parents could feed them only slowly
        self._links = links
        self._number_of = number_of

    def look(self, link: Link, now: float) -> None:
        """Note whether the child has written something since the last look. Call it for each link with each status."""
        activity = link.child.report.activity if link.child.report is not None else 0
        if activity != link.activity:
            link.activity, link.written_at = activity, now

    @property
    def pause_s(self) -> float:
        """For how many seconds children typically get nothing that they lack, and that their parents hold."""
        return min(LATE_MAX_S, median(link.pause_s for link in self._links.values()))

    def quiet_near(self, link: Link, is_answering: Callable[[Target], bool]) -> list[Target]:
        """Return the targets that would replace a lost parent but may be lost as well, as when a whole rack fails.

        These are the targets before it, up to the first one that answers, and its other children in an island.
        """
        quiet = []
        above = self._links.get(link.parent.id)
        while above is not None and not is_answering(above.parent):
            quiet.append(above.parent)
            above = self._links.get(above.parent.id)
        if link.island is not None:
            others = (other.child for other in self._links.values() if other.island is link.island)
            quiet += [other for other in others if other is not link.child and not is_answering(other)]
        return quiet

    def has_failed(self, link: Link, slack_s: float, now: float) -> bool:
        """Return whether the time is over in which a doubted link, or one to an island, should have worked.

        slack_s: additional patience.
        """
        is_over = link.doubted_at is not None and now - link.doubted_at > DOUBT_S + slack_s
        return is_over or (link.island is not None and self._is_unheard(link, slack_s, now))

    def is_failing(self, link: Link, transfer: Transfer | None, slack_s: float, now: float) -> bool:
        """Return whether a link is to be doubted. transfer: what is being cast, if anything. slack_s: more patience."""
        if not link.is_fed:
            return now - link.since > TRIAL_S + slack_s
        if transfer is None:
            return False
        stands = self._is_stalled(link, transfer.object, slack_s, now) or self._is_dry(link, transfer, slack_s, now)
        link.is_slow = not stands and self._is_slow(link)
        link.is_stalled = stands or link.is_slow
        return link.is_stalled

    def _is_slow(self, link: Link) -> bool:
        """Return whether the parent forwards much more slowly than others, and nothing behind it is the reason.

        A child that no parent feeds faster is fine at the end of its chain, where it holds up nobody else.
        """
        if link.child.id in self.slow_children and not any(
            other.parent is link.child for other in self._links.values()
        ):
            return False
        if not self.paces.is_slow(link.parent.id) or self._waits_behind(link.parent):
            return False
        children = [other.child for other in self._links.values() if other.parent is link.parent]
        are_writing = any(child.report is None or child.report.queue_pages > 0 for child in children)
        others = {other.parent.id: other.parent for other in self._links.values() if other.parent is not link.parent}
        held_up = [id for id, other in others.items() if not self._waits_behind(other)]
        return not are_writing and self.paces.is_slowest(link.parent.id, held_up)

    def _waits_behind(self, parent: Target) -> bool:
        """Return whether pages wait at a child of this target as well."""
        return any(link.parent is parent and self.paces.waits(link.child.id) for link in self._links.values())

    def _is_unheard(self, link: Link, slack_s: float, now: float) -> bool:
        """Return whether both ends of a link have known of it for a while, and the child has heard nothing."""
        ends = (link.parent, link.child)
        if link.known_since is None and all(
            end.hop is not None and end.hop.number == self._number_of(end.id) for end in ends
        ):
            link.known_since = now
        is_over = link.known_since is not None and now - link.known_since > ISLAND_TRIAL_S + slack_s
        return link.is_on_trial and is_over

    def _is_stalled(self, link: Link, contents: ObjectKind, slack_s: float, now: float) -> bool:
        """Return whether the child receives nothing of what its parent holds, or keeps lacking one page of it.

        Between busy hosts a round trip may last half a second, and a repair may be lost as well.
        """
        held = int(contents), link.child.frontier(contents)
        if held != link.frontier and held[0] == link.frontier[0]:
            link.pause_s += PAUSE_SMOOTHING * (now - link.moved_at - link.pause_s)
        if held != link.frontier or link.parent.frontier(contents) <= held[1]:
            link.frontier, link.moved_at = held, now
        waited_s, quiet_s = now - link.moved_at, now - link.written_at
        if waited_s <= STALL_S + slack_s:
            return False
        is_quiet = quiet_s >= STALL_S + slack_s and not self._is_held_up(link)
        return is_quiet or waited_s > GAP_S + slack_s

    def _is_dry(self, link: Link, transfer: Transfer, slack_s: float, now: float) -> bool:
        """Return whether nothing arrives of what the caster has sent to the parent, whatever the parent holds."""
        child, parent = link.child, link.parent
        lacks = child.frontier(transfer.object) < transfer.next_page
        is_writing = child.report is None or child.report.queue_pages > 0
        if not lacks or is_writing or not parent.path.is_direct:
            link.supplied_at = now
        return now - max(link.supplied_at, link.written_at) > DRY_S + slack_s

    def is_stuck(self, link: Link, now: float) -> bool:
        """Return whether the child has pages to write, and writes none: its disk is to blame, not the link."""
        report = link.child.report
        return report is not None and report.queue_pages > 0 and now - link.written_at >= STALL_S

    def _is_held_up(self, link: Link) -> bool:
        """Return whether another child in the same island has pages to write, so that the whole island waits for it."""
        return link.island is not None and any(
            other.child.report is not None and other.child.report.queue_pages > 0
            for other in self._links.values()
            if other.island is link.island and other is not link
        )
