"""A record that no honest target writes ends its target, and does no harm to the others."""

from __future__ import annotations

import typing

import pytest

from mrsync.protocol.core.events import ComparisonFinished
from mrsync.protocol.core.plausibility import CHANGES_COST_MIN, Bounds, Plausibility
from mrsync.protocol.core.states import RosterState
from mrsync.wire.formats.record_codec import NONSENSE
from mrsync.wire.limits import CHANGES_BYTES_MAX, ERRORS_MAX
from mrsync.wire.messages import Phase
from mrsync.wire.records import (
    BasisRecord,
    ChangesRecord,
    ComparedRecord,
    DeletionsRecord,
    ErrorRecord,
    FailedRecord,
    FailureCause,
    LogRecord,
    NeedsRecord,
    SatOutRecord,
    WantsRecord,
)
from tests.unit.protocol.session import RESULT, Session

FILES = range(3, 9)  # entries of the manifest
PAGES = 10
HONEST: list[tuple[LogRecord, Phase]] = [
    (NeedsRecord(0, 9, ((3, 5), (6, 9))), Phase.COMPARING),
    (NeedsRecord(0, 9, ()), Phase.WITHDRAWING),
    (BasisRecord(0, 9, ((4, 5),)), Phase.COMPARING),
    (ComparedRecord(1, 1, 1), Phase.COMPARING),
    (WantsRecord(0, PAGES, ((0, 2), (5, PAGES))), Phase.PLANNING),
    (SatOutRecord(1 << 31, 5), Phase.CASTING),
    (ErrorRecord(5, b"a", "read"), Phase.COMPARING),
    (RESULT, Phase.FINISHING),
    (RESULT, Phase.WITHDRAWING),
]
LIES: list[tuple[LogRecord, Phase]] = [
    (NeedsRecord(0, 9, ((0, 1),)), Phase.COMPARING),  # a directory
    (NeedsRecord(0, 9, ((2, 5),)), Phase.COMPARING),
    (NeedsRecord(0, 1 << 32, ((8, 1 << 32),)), Phase.COMPARING),  # there are no such entries
    (BasisRecord(0, 1 << 32, ((8, 1 << 32),)), Phase.COMPARING),
    (WantsRecord(0, PAGES + 1, ()), Phase.PLANNING),
    (ComparedRecord(1, 1, 1), Phase.GATHERING),
    *((RESULT, phase) for phase in (Phase.GATHERING, Phase.COMPARING, Phase.PLANNING, Phase.CASTING)),
]


def bounds(phase: Phase) -> Bounds:
    known = Bounds()
    known.phase, known.pages, known.files = phase, PAGES, len(FILES)
    known.are_files = lambda first, end: first in FILES and end - 1 in FILES
    return known


@pytest.mark.parametrize(("record", "phase"), HONEST)
def test_records_of_honest_targets_are_accepted(record: LogRecord, phase: Phase) -> None:
    assert Plausibility().holds(record, bounds(phase))


@pytest.mark.parametrize(("record", "phase"), LIES)
def test_records_that_only_liars_send_are_not(record: LogRecord, phase: Phase) -> None:
    assert not Plausibility().holds(record, bounds(phase))


@pytest.mark.parametrize("kind", [NeedsRecord, BasisRecord, WantsRecord])
def test_ranges_come_in_order(kind: type[NeedsRecord]) -> None:
    """Else each of them costs as much as there are ranges already."""
    plausibility, known = Plausibility(), bounds(Phase.PLANNING)
    assert plausibility.holds(kind(0, 9, ((3, 4), (6, 7))), known)
    assert plausibility.holds(kind(0, 9, ((8, 9),)), known)
    assert not plausibility.holds(kind(0, 9, ((4, 5),)), known)


def test_errors_take_no_more_memory_than_honest_targets_need() -> None:
    plausibility, known, error = Plausibility(), bounds(Phase.COMPARING), ErrorRecord(5, b"a", "read")
    assert all(plausibility.holds(error, known) for _ in range(ERRORS_MAX))
    assert not plausibility.holds(error, known)


ENDLESS: list[LogRecord] = [
    NeedsRecord(0, 9, ()),
    WantsRecord(0, PAGES, ()),
    BasisRecord(0, 9, ()),
    ComparedRecord(1, 1, 1),
    SatOutRecord(1, 5),
    ErrorRecord(5, b"a", "read"),
    ChangesRecord(b"x" * 4000),
    DeletionsRecord(b"x"),
    RESULT,
]


@pytest.mark.parametrize("record", ENDLESS, ids=lambda record: type(record).__name__)
def test_no_log_goes_on_for_ever(record: LogRecord) -> None:
    """The session waits longer for a target that reports more: see patience.py."""
    plausibility, known = Plausibility(), bounds(Phase.FINISHING)
    limit = 2 * CHANGES_BYTES_MAX // CHANGES_COST_MIN
    assert any(not plausibility.holds(record, known) for _ in range(limit))


def test_every_kind_of_record_has_its_limit() -> None:
    known = {type(record) for record in ENDLESS} | {FailedRecord}  # which ends the part of its target
    assert known == set(typing.get_args(LogRecord))


@pytest.mark.parametrize("record", [ChangesRecord(b"x"), DeletionsRecord(b"x")])
def test_changes_are_told_only_if_they_were_asked_for(record: LogRecord) -> None:
    known = bounds(Phase.FINISHING)
    assert Plausibility().holds(record, known)
    known.itemizes = False
    assert not Plausibility().holds(record, known)


REFUSAL = FailedRecord("would delete most of what it has", FailureCause.DELETIONS)  # which ends the session


def test_deletions_are_refused_before_the_comparison_is_finished() -> None:
    """Later it would end the session with the report that nothing was changed."""
    plausibility, known = Plausibility(), bounds(Phase.COMPARING)
    assert plausibility.holds(REFUSAL, known)
    assert not plausibility.holds(REFUSAL, bounds(Phase.GATHERING))
    plausibility.holds(ComparedRecord(1, 1, 1), known)
    assert not plausibility.holds(REFUSAL, known)
    assert plausibility.holds(FailedRecord("no space"), known)


def test_deletions_are_refused_only_where_targets_guard_them() -> None:
    known = bounds(Phase.COMPARING)
    known.guards_deletions = False
    assert not Plausibility().holds(REFUSAL, known)


def test_a_target_that_refuses_deletions_late_is_left_out_alone() -> None:
    session = Session(targets=2).planned()
    session.report(0, REFUSAL)
    target = session.caster.roster.find(0)
    assert target is not None
    assert (target.state, target.reason) == (RosterState.LOST, NONSENSE)
    assert target.failure is not None
    assert target.failure.cause is FailureCause.OTHER
    assert session.states()[1] is RosterState.PRESENT


def test_a_target_with_an_endless_log_is_left_out() -> None:
    session = Session().compared()
    for _ in range(10):
        session.report(0, *[NeedsRecord(0, 9, ())] * 10)
    assert session.states() == [RosterState.LOST, RosterState.PRESENT]


def test_a_result_before_the_end_does_not_make_the_session_wait_for_ever() -> None:
    """A target that has given its result is not missed any more."""
    session = Session().compared()
    session.report(0, RESULT)
    assert session.states() == [RosterState.LOST, RosterState.PRESENT]
    assert session.caster.roster.find(0).reason == "its log makes no sense"  # type: ignore[union-attr]


def test_needs_of_a_liar_are_in_no_plan() -> None:
    session = Session()
    session.caster.offer_manifest(1000, lambda first, end: first in FILES and end - 1 in FILES)
    for target in range(2):
        session.hello(target)
    session.report(0, NeedsRecord(0, 9, ((0, 9),)), ComparedRecord(9, 9, 9), frontier=1)
    session.report(1, NeedsRecord(0, 9, ((4, 5),)), ComparedRecord(1, 9, 1), frontier=1)
    session.pump(1.0)
    (finished,) = [event for event in session.heard if isinstance(event, ComparisonFinished)]
    assert list(finished.needs) == [(4, 5)]
    assert session.states() == [RosterState.REFUSED, RosterState.PRESENT]
