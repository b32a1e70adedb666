"""Rounds: what was planned is cast, and then once more those files whose source changed meanwhile."""

from __future__ import annotations

from typing import NamedTuple

from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.roster import PagesOf, Roster
from mrsync.wire.messages import ObjectKind


class Round(NamedTuple):
    """The objects of one round."""

    plan: ObjectKind
    contents: ObjectKind


FIRST = Round(ObjectKind.PLAN, ObjectKind.CONTENTS)
AGAIN = Round(ObjectKind.PLAN_AGAIN, ObjectKind.CONTENTS_AGAIN)


class Rounds:
    """The round that the session is in, and which pages of it are worth sending."""

    def __init__(self) -> None:
        self.current = FIRST
        self.is_asked = False  # the application, for a second round
        self.transfers: list[Transfer] = []  # of contents
        self.pages_of: PagesOf | None = None  # of the first round
        self._has_unwanted = False  # perhaps: pages that no live target wants

    def note_wants(self) -> None:
        """What targets want may have become less."""
        self._has_unwanted = True

    def note_transfer(self, transfer: Transfer) -> None:
        """This is cast from now on."""
        if transfer.kind in (FIRST.contents, AGAIN.contents):
            self.transfers.append(transfer)

    def skip_unwanted(self, transfer: Transfer, roster: Roster) -> None:
        """Leave out what no live target wants, or not any more; in a second round all want all."""
        if transfer.kind is not ObjectKind.CONTENTS:
            return
        if self._has_unwanted and self.pages_of is not None:
            transfer.skip_unwanted(roster.all_wants(self.pages_of))
        self._has_unwanted = False
