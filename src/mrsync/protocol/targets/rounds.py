"""Rounds: planned files are cast in the first round, and those that changed meanwhile in a second one."""

from __future__ import annotations

from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.roster import PagesOf, Roster
from mrsync.tuples import NamedTuple
from mrsync.wire.messages import ObjectKind


class Round(NamedTuple):
    """The objects of one round."""

    plan: ObjectKind
    contents: ObjectKind


FIRST = Round(ObjectKind.PLAN, ObjectKind.CONTENTS)
AGAIN = Round(ObjectKind.PLAN_AGAIN, ObjectKind.CONTENTS_AGAIN)


class Rounds:
    """The current round of the session, and its pages that are worth sending."""

    def __init__(self) -> None:
        self.current = FIRST
        self.is_asked = False  # whether the application was asked for a second round
        self.transfers: list[Transfer] = []  # of contents
        self.pages_of: PagesOf | None = None  # of the first round
        self._has_unwanted = False  # there may be pages that no live target wants

    def note_wants(self) -> None:
        """Note that the set of wanted pages may have shrunk."""
        self._has_unwanted = True

    def note_transfer(self, transfer: Transfer) -> None:
        """Note that this transfer has started."""
        if transfer.object in (FIRST.contents, AGAIN.contents):
            self.transfers.append(transfer)

    def sent_below(self, page: int) -> int:
        """Return how many of the first round's pages below this one were sent."""
        return self.transfers[0].sent_below(page) if self.transfers else 0

    def skip_unwanted(self, transfer: Transfer, roster: Roster) -> None:
        """Skip pages that no live target wants. In the second round all targets want all pages."""
        if transfer.object is not ObjectKind.CONTENTS:
            return
        if self._has_unwanted and self.pages_of is not None:
            transfer.skip_unwanted(roster.all_wants(self.pages_of))
        self._has_unwanted = False
