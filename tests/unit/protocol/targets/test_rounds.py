"""Rounds: pages that nobody wants are left out of the first, and of nothing else."""

from __future__ import annotations

import pytest

from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.rounds import AGAIN, FIRST, Rounds
from mrsync.ranges import RangeSet
from mrsync.wire.messages import ObjectKind
from tests.unit.protocol.builders import GEOMETRY, PAGE, found, roster


@pytest.mark.parametrize(("kind", "left"), [(FIRST.contents, 3), (AGAIN.contents, 10), (ObjectKind.MANIFEST, 10)])
def test_unneeded_files_are_not_in_the_contents(kind: ObjectKind, left: int) -> None:
    known, rounds, transfer = roster(1), Rounds(), Transfer(kind, 10 * PAGE, GEOMETRY)
    rounds.pages_of = lambda needs: []
    found(known, 0).wants = RangeSet([(2, 5)])
    rounds.skip_unwanted(transfer, known)  # nobody has said that he wants less
    assert transfer.pages_left == 10
    rounds.note_wants()
    rounds.skip_unwanted(transfer, known)
    assert transfer.pages_left == left


def test_transfers_of_contents_are_remembered() -> None:
    rounds = Rounds()
    transfers = [Transfer(kind, PAGE, GEOMETRY) for kind in ObjectKind]
    for transfer in transfers:
        rounds.note_transfer(transfer)
    assert rounds.transfers == [transfers[FIRST.contents], transfers[AGAIN.contents]]
