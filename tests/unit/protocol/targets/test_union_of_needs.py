from __future__ import annotations

from mrsync.protocol.core.events import ComparisonFinished
from mrsync.protocol.targets.union_of_needs import RANGES_PER_TURN, UnionOfNeeds
from mrsync.ranges import RangeSet
from mrsync.wire.records import ComparedRecord
from tests.unit.protocol.builders import PAGE, are_files, found, roster
from tests.unit.protocol.session import Session


def test_overlapping_needs_are_united() -> None:
    known = roster(3)
    found(known, 0).needs.add(5, 9)
    found(known, 2).needs.add(0, 6)
    found(known, 1).basis.add(3, 4)
    union = UnionOfNeeds(known.live)
    assert union.work()
    assert union.needs == RangeSet([(0, 9)])
    assert union.basis == RangeSet([(3, 4)])


def test_needs_of_many_targets_are_united_in_bounded_turns() -> None:
    session = Session(3).gathered()
    scattered = RangeSet((entry, entry + 1) for entry in range(0, 4 * RANGES_PER_TURN, 2))
    for target in session.caster.roster:
        target.needs = scattered
        target.compared = ComparedRecord(len(scattered), 0, 0)
    session.caster.offer_manifest(PAGE, are_files)
    turns = 0
    while turns < 100 and not any(isinstance(event, ComparisonFinished) for event in session.heard):
        session.now += 0.01
        session.caster.handle_timeout(session.now)
        session.heard += list(iter(session.caster.next_event, None))
        turns += 1
    assert turns >= 4 * len(scattered) // RANGES_PER_TURN - 1, "three are read, and one is made"
    (finished,) = [event for event in session.heard if isinstance(event, ComparisonFinished)]
    assert finished.needs == scattered
