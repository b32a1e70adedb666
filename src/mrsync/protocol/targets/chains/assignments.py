"""Assignments: the peers of each target, sent to it and repeated until the target confirms their number."""

from __future__ import annotations

from collections.abc import Container
from typing import Callable

from mrsync.protocol.core.sends import Address
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.tuples import NamedTuple
from mrsync.wire.messages import Assign, Peer

REPEAT_S = 0.05  # between two assignments of one target,
REPEAT_GROWTH, REPEAT_MAX_S = 1.5, 0.5  # longer each time


class Assignment(NamedTuple):
    """The peers of one target."""

    number: int
    parent: Peer | None
    child: Peer | None
    island: Peer | None


class Assignments:
    """The last assignment of each target. say: sends it, and sets its counter."""

    def __init__(self, roster: Roster, say: Callable[[Assign, Address], None]) -> None:
        self._roster = roster
        self._say = say
        self._known: dict[int, Assignment] = {}  # by target
        self._unsent: set[int] = set()  # targets to which their assignment was not sent
        self._sent_to: dict[int, Address] = {}  # target -> where its first one was sent
        self._sent_at: dict[int, float] = {}  # target -> when its last one was sent,
        self._repeat_s: dict[int, float] = {}  # and when to repeat it after that
        self._number = 0

    @property
    def targets(self) -> set[int]:
        """The targets that have an assignment."""
        return set(self._known)

    def next_number(self) -> int:
        """Return a number that no link and no assignment has."""
        self._number += 1
        return self._number

    def number_of(self, target_id: int) -> int:
        """Return the number of a target's assignment, or 0."""
        known = self._known.get(target_id)
        return known.number if known is not None else 0

    def assign(self, target_id: int, parent: Peer | None, child: Peer | None, island: Peer | None) -> None:
        """Set the peers of a target; None for one that it lacks. A target that never had any gets no message.

        parent: who feeds it. child: whom it feeds by unicast. island: where it hears pages, or casts them.
        """
        known = self._known.get(target_id)
        peers = parent, child, island
        if peers != (None, None, None) if known is None else known[1:] != peers:
            self.ask(target_id, *peers)

    def ask(
        self, target_id: int, parent: Peer | None = None, child: Peer | None = None, island: Peer | None = None
    ) -> None:
        """Set the peers of a target, and have it confirm them in any case."""
        self._known[target_id] = Assignment(self.next_number(), parent, child, island)
        self._unsent.add(target_id)
        self._repeat_s[target_id] = REPEAT_S

    def remind(self, target_id: int) -> None:
        """Send a target its assignment once more, as if it were new."""
        self._unsent.add(target_id)
        self._repeat_s[target_id] = REPEAT_S

    def forget(self, target_id: int) -> None:
        """Forget a target that has ended, or was replaced by another process."""
        self._known.pop(target_id, None)
        self._repeat_s.pop(target_id, None)
        self._sent_to.pop(target_id, None)

    def verify(self, target: Target, source: Address) -> None:
        """Note the address of a target that confirmed its number, which was sent to this address only."""
        if target.path.verified is None and source == self._sent_to.get(target.id):
            target.path.verified = source

    def tell_news(self, probe_bytes: int, now: float) -> None:
        """Send all assignments that were not sent yet."""
        unsent, self._unsent = self._unsent, set()
        for target_id in unsent:
            self._tell(target_id, probe_bytes, now)

    def tell_again(self, probe_bytes: int, now: float, *, but: Container[int], patience_s: float) -> None:
        """Repeat assignments that are not confirmed, each after REPEAT_S and patience_s, and later more rarely.

        probe_bytes: size of the datagrams that must get through. but: targets whose confirmed assignment is not
        repeated.
        """
        for target_id, assignment in self._known.items():
            target = self._roster.find(target_id)
            is_known = target is not None and target.hop is not None and target.hop.number == assignment.number
            is_fine = is_known and target_id in but
            repeat_s = self._repeat_s[target_id]
            if not is_fine and now - self._sent_at.get(target_id, now) >= repeat_s + patience_s:
                self._repeat_s[target_id] = min(REPEAT_MAX_S, REPEAT_GROWTH * repeat_s)
                self._tell(target_id, probe_bytes, now)

    def _tell(self, target_id: int, probe_bytes: int, now: float) -> None:
        target, assignment = self._roster.find(target_id), self._known.get(target_id)
        if target is None or not target.is_live or target.hello is None or assignment is None:
            return
        self._sent_at[target_id] = now
        destination = target.path.verified
        if destination is None:
            destination = self._sent_to.setdefault(target_id, target.path.source)
        number, *peers = assignment
        self._say(Assign(target.hello.instance, 0, target_id, number, probe_bytes, *peers), destination)
