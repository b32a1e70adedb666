"""Reports: which of them count, what becomes of the log in them, and how the caster answers."""

from __future__ import annotations

import pytest

from mrsync.protocol.core.events import ChangesReported, FileSatOut, TargetEnded
from mrsync.protocol.core.sends import SendPage
from mrsync.protocol.core.states import RosterState
from mrsync.protocol.targets.path import Via
from mrsync.wire.formats.record_codec import NONSENSE, encode_record
from mrsync.wire.messages import Ack, Ending, Farewell, ObjectKind
from mrsync.wire.records import (
    ChangesRecord,
    ComparedRecord,
    DeletionsRecord,
    ErrorRecord,
    FailedRecord,
    LogRecord,
    NeedsRecord,
    SatOutRecord,
    WantsRecord,
)
from tests.unit.protocol.builders import PAGE, are_files, found, report
from tests.unit.protocol.session import RESULT, Session

LOG: list[LogRecord] = [ErrorRecord(13, b"a", "open"), ErrorRecord(2, b"b", "open"), ComparedRecord(0, 0, 0)]


def say(session: Session, counter: int, offset: int, log: bytes, end: int = 0) -> None:
    """Let target 0 report a piece of its log."""
    said = report(0, counter, log_offset=offset, log_bytes=log, log_end=max(end, offset + len(log)))
    session.caster.receive_message(said, "address 0", session.now)
    session.pump()


def told(session: Session, *kinds: type) -> list[object]:
    return [event for event in session.heard if isinstance(event, kinds)]


# which reports count


def test_old_reports_and_those_of_others_do_not_count() -> None:
    session = Session().planned()
    known = found(session.caster.roster, 0).report
    for stale in (report(0, counter=1, frontier=9), report(0, counter=99, instance=1, frontier=9), report(7)):
        session.caster.receive_message(stale, "somewhere", session.now)
    assert found(session.caster.roster, 0).report is known


def test_a_report_before_the_hello_draws_no_answer() -> None:
    session = Session()
    session.caster.receive_message(report(0, log_bytes=encode_record(RESULT)), "somewhere", session.now)
    session.pump()
    assert session.messages(Ack) == session.messages(Farewell) == []
    assert found(session.caster.roster, 0).report is None


def test_a_tx_that_was_never_sent_is_not_believed() -> None:
    session = Session().planned()
    session.report(0, tx_seen=10**6, tx_done=10**6)
    target = found(session.caster.roster, 0)
    assert target.flow.tx_seen == target.flow.tx_done <= session.caster.statistics().tx


def test_claims_of_a_target_that_is_fed_by_another_are_left_to_that_one() -> None:
    session = Session().planned()
    session.pump(0.1)
    for target, via in ((0, Via.RELAY), (1, Via.CASTER)):
        found(session.caster.roster, target).path.via = via
        tx = session.caster.statistics().tx
        session.report(target, tx_seen=tx, needs_end=10, needs=((4 + target, 1, 0b10),), frontier=4)
    session.pump(0.2)
    assert sum(isinstance(send, SendPage) and send.is_repair for send in session.sent) == 1
    assert [found(session.caster.roster, target).frontier(ObjectKind.CONTENTS) for target in (0, 1)] == [4, 4]


# the log


def test_every_piece_of_a_log_is_acknowledged() -> None:
    session = Session().gathered()
    session.report(0, ComparedRecord(0, 0, 0))
    ack = session.messages(Ack)[-1]
    assert (ack.target, ack.log_offset) == (0, len(encode_record(ComparedRecord(0, 0, 0))))


def test_records_are_taken_in_order_and_once_however_their_pieces_come() -> None:
    session = Session().gathered()
    pieces = [encode_record(record) for record in LOG]
    first, second = len(pieces[0]), len(pieces[0]) + len(pieces[1])
    target = found(session.caster.roster, 0)
    say(session, 2, first, pieces[1])  # the one before it was lost
    assert (target.errors, session.messages(Ack)[-1].log_offset) == ([], 0)
    say(session, 3, 0, pieces[0] + pieces[1][:3])
    assert (target.errors, session.messages(Ack)[-1].log_offset) == (LOG[:1], first + 3)
    say(session, 4, 0, pieces[0] + pieces[1])  # it repeats what was not acknowledged in time
    say(session, 5, second, pieces[2])
    assert (target.errors, target.compared) == (LOG[:2], LOG[2])
    assert session.messages(Ack)[-1].log_offset == second + len(pieces[2])


def test_changes_and_deletions_reach_the_application() -> None:
    session = Session().planned()
    records: list[ChangesRecord | DeletionsRecord] = [
        DeletionsRecord(b"gone"),
        ChangesRecord(b"one"),
        ChangesRecord(b"two"),
    ]
    session.report(1, *records)
    assert told(session, ChangesReported) == [ChangesReported(1, record) for record in records]


def test_a_sit_out_after_the_grant_concerns_only_its_target() -> None:
    session = Session().planned()
    for target in (0, 1):
        session.report(target, ready=3, frontier=10)
    session.pump(0.2)
    assert session.status().commit.end == 3
    session.report(0, SatOutRecord(2, 28), SatOutRecord(3, 28))
    assert told(session, FileSatOut) == [FileSatOut(0, 3, 28)]
    assert found(session.caster.roster, 0).sat_out == {2: 28, 3: 28}


def test_a_failure_ends_the_target_with_its_own_reason() -> None:
    session = Session().planned()
    session.report(0, FailedRecord("the disk is gone"))
    assert told(session, TargetEnded) == [TargetEnded(0)]
    assert found(session.caster.roster, 0).reason == "the disk is gone"
    assert [(letter.target, letter.ending) for letter in session.messages(Farewell)] == [(0, Ending.DROPPED)]


@pytest.mark.parametrize(
    "lie",
    [
        NeedsRecord(0, 9, ((0, 1),)),  # behind those that it has told
        WantsRecord(0, 11, ((10, 11),)),  # there are ten pages
        RESULT,  # before the end
    ],
)
def test_a_lie_ends_its_target_alone_and_nothing_after_it_counts(lie: LogRecord) -> None:
    session = Session().planned()
    session.report(0, SatOutRecord(1, 28), lie, SatOutRecord(3, 28), ChangesRecord(b"what"))
    target = found(session.caster.roster, 0)
    assert (target.state, target.reason) == (RosterState.LOST, NONSENSE)
    assert target.result is None
    assert told(session, FileSatOut, ChangesReported) == [FileSatOut(0, 1, 28)]
    assert session.states()[1] is RosterState.PRESENT
    session.report(1, ready=5, frontier=10)
    session.pump(0.2)
    assert session.status().commit.exceptions == ((1, 2),)


def test_a_log_that_cannot_be_decoded_ends_its_target() -> None:
    session = Session()
    session.caster.offer_manifest(PAGE, are_files)
    session.hello(0)
    say(session, 2, 0, b"\xff" * 9)
    assert session.states() == [RosterState.REFUSED, RosterState.EXPECTED]
    assert found(session.caster.roster, 0).reason == NONSENSE


# targets that have ended


def test_farewell_is_repeated_for_late_reports() -> None:
    session = Session().compared()
    session.caster.give_up(1, "exited", session.now)
    session.report(1)
    session.caster.offer_plan(0, 0, 0, session.now)
    session.report(0, RESULT)
    session.report(0)
    assert [(letter.target, letter.ending) for letter in session.messages(Farewell)] == [
        (1, Ending.DROPPED),
        (1, Ending.DROPPED),
        (0, Ending.DONE),
        (0, Ending.DONE),
    ]


def test_a_repeated_report_draws_one_farewell_only() -> None:
    """The farewell may be longer, and anybody can repeat what a target said."""
    session = Session().gathered()
    session.caster.give_up(0, "its process ended " * 20, session.now)
    session.pump()
    before = len(session.messages(Farewell))
    for _ in range(5):
        session.caster.receive_message(report(0, counter=9), "elsewhere", session.now)
        session.pump()
    assert len(session.messages(Farewell)) == before + 1
