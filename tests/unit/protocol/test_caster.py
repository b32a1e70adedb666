"""Caster: gathers, casts, grants, drops and ends, one call at a time."""

from __future__ import annotations

import pytest

from mrsync.protocol.caster import PROMPT_TARGETS_MAX
from mrsync.protocol.core.events import (
    CastFinished,
    ComparisonFinished,
    FileSatOut,
    FilesChanged,
    PhaseEntered,
    TargetEnded,
)
from mrsync.protocol.core.sends import SendMessage, SendPage
from mrsync.protocol.core.states import RosterState
from mrsync.protocol.pace.delay import Delay
from mrsync.protocol.targets.lingering import LINGER_COUNT
from mrsync.protocol.targets.outbox import STATUS_S, URGENT_STATUS_S
from mrsync.ranges import RangeSet
from mrsync.wire.limits import CONTROL_BYTES_MAX
from mrsync.wire.messages import Ending, Farewell, Knock, ObjectKind, Phase, SealKind, Status
from mrsync.wire.records import ComparedRecord, FailedRecord, SatOutRecord, WantsRecord
from tests.unit.protocol.builders import PAGE, are_files, found, report
from tests.unit.protocol.session import ACK_WAIT_S, RESULT, Session

# gathering


def test_it_goes_on_when_all_are_there_and_the_manifest_is() -> None:
    session = Session()
    session.hello(0)
    session.hello(1)
    assert session.phase() is Phase.GATHERING
    session.caster.offer_manifest(PAGE, are_files)
    session.pump()
    assert session.phase() is Phase.COMPARING
    assert session.status().seal is SealKind.HMAC_SHA256


def test_statuses_are_frequent_while_somebody_is_missing_and_then_only_until_the_scan_ends() -> None:
    session = Session()
    session.hello(0)
    assert _statuses_in(session, 10.0) == pytest.approx(10.0 / URGENT_STATUS_S, rel=0.1)
    session.hello(1)
    assert _statuses_in(session, 10.0) == pytest.approx(10.0 / STATUS_S, rel=0.1)


def _statuses_in(session: Session, seconds: float) -> int:
    session.sent.clear()
    session.pump(seconds)
    messages = [send.message for send in session.sent if isinstance(send, SendMessage) and send.destination is None]
    return sum(isinstance(message, Status) for message in messages)


def test_a_status_announces_an_object_before_its_first_page() -> None:
    session = Session().gathered()
    (page,) = [send for send in session.sent if isinstance(send, SendPage)]
    before = [send.message for send in session.sent[: session.sent.index(page)] if isinstance(send, SendMessage)]
    status = [message for message in before if isinstance(message, Status)][-1]
    assert (status.active, status.objects[0].size_bytes, status.tx) == (ObjectKind.MANIFEST, PAGE, page.tx - 1)


def test_gathering_ends_after_ack_wait() -> None:
    session = Session()
    session.caster.offer_manifest(PAGE, are_files)
    session.hello(0)
    session.pump(ACK_WAIT_S - 1)
    session.report(0)
    assert session.phase() is Phase.GATHERING
    session.pump(1.0)
    assert session.phase() is Phase.COMPARING
    assert session.states() == [RosterState.PRESENT, RosterState.EXPECTED]
    session.report(0, ComparedRecord(0, 0, 0), frontier=1)
    assert session.states() == [RosterState.PRESENT, RosterState.UNREACHABLE]
    assert found(session.caster.roster, 1).reason == "nothing received within 60 s"


def test_no_targets_ends_the_run() -> None:
    session = Session()
    session.caster.offer_manifest(PAGE, are_files)
    session.pump(ACK_WAIT_S + 1)
    assert session.heard[-2:] == [PhaseEntered(Phase.ABORTED), CastFinished(Phase.ABORTED)]
    assert session.states() == [RosterState.UNREACHABLE] * 2


def test_all_given_up_is_the_end_at_once() -> None:
    session = Session()
    for target in range(2):
        session.caster.give_up(target, "ssh failed", 0.0)
    session.pump()
    assert session.phase() is Phase.ABORTED
    assert session.caster.abort_reason == "no target could be reached"


# comparing and planning


def test_the_union_of_needs_is_handed_out_once() -> None:
    session = Session().compared()
    session.pump(1.0)
    assert [event for event in session.heard if isinstance(event, ComparisonFinished)] == [
        ComparisonFinished(RangeSet([(0, 3)]), RangeSet())
    ]


def test_a_plan_without_files_leads_to_the_finish() -> None:
    session = Session().compared()
    session.caster.offer_plan(0, 0, 0, session.now)
    assert session.phase() is Phase.FINISHING
    session.caster.offer_plan(PAGE, PAGE, 1, session.now)  # too late to matter
    assert session.phase() is Phase.FINISHING


def test_contents_are_cast_when_all_have_understood_the_plan() -> None:
    session = Session().planned()
    assert session.phase() is Phase.CASTING
    pages = [send.page for send in session.sent if isinstance(send, SendPage) and send.object is ObjectKind.CONTENTS]
    assert pages == list(range(10))
    session.pump(1.0)
    status = session.status()
    assert [(state.size_bytes, state.pages_sent) for state in status.objects[:3]] == [
        (PAGE, 1),
        (PAGE, 1),
        (10 * PAGE, 10),
    ]
    assert status.plan_files == 5


def test_only_pages_wanted_by_a_live_target_are_cast() -> None:
    session = Session().compared()

    def pages_of(needs: RangeSet) -> list[tuple[int, int]]:
        return [(100 * first, 100 * end) for first, end in needs]

    session.caster.offer_plan(PAGE, 400 * PAGE, 5, session.now, pages_of)
    session.pump()
    session.report(0, WantsRecord(0, 400, ((3, 5), (8, 9))), active=ObjectKind.CONTENTS, frontier=0)
    session.report(1, active=ObjectKind.CONTENTS, frontier=0)  # and needs the entries 1 and 2
    pages = [send.page for send in session.sent if isinstance(send, SendPage) and send.object is ObjectKind.CONTENTS]
    assert pages == [3, 4, 8, *range(100, 97 + len(pages))]
    session.caster.give_up(1, "died", session.now)
    session.pump(1.0)
    numbers = session.caster.statistics()
    assert (numbers.pages, numbers.pages_sent, numbers.pages_left) == (400, len(pages), 0)
    assert session.status().objects[ObjectKind.CONTENTS].pages_sent == 400


def test_the_plan_is_understood_only_when_all_wants_are_known() -> None:
    session = Session(1).compared()
    session.caster.offer_plan(PAGE, 10 * PAGE, 5, session.now)
    session.pump()
    session.report(0, active=ObjectKind.CONTENTS, frontier=0, log_end=10**6)
    assert session.phase() is Phase.PLANNING


# casting and commits


def test_a_loss_that_was_claimed_is_repaired() -> None:
    session = Session().planned()
    before = len(session.sent)
    tx = session.status().tx
    session.pump(0.2)
    session.report(0, tx_seen=tx + 10, needs_end=10, needs=((4, 1, 0b10),), frontier=4)
    session.report(1, tx_seen=tx + 10, needs_end=10, frontier=10)
    session.pump(0.2)
    repairs = [send for send in session.sent[before:] if isinstance(send, SendPage)]
    assert [(send.page, send.mask, send.is_repair) for send in repairs] == [(4, 0b10, True)]
    assert found(session.caster.roster, 0).flow.losses.missed == 1


def test_files_are_granted_when_all_are_ready_and_the_finish_when_all_are_committed() -> None:
    session = Session().planned()
    session.report(0, ready=5, frontier=10)
    session.report(1, ready=3, frontier=10)
    session.pump(0.2)
    assert session.status().commit.end == 3
    session.report(1, ready=5, committed=5)
    session.report(0, committed=4)
    session.pump(0.2)
    assert session.phase() is Phase.CASTING
    session.report(0, committed=5)
    assert session.phase() is Phase.FINISHING


def test_sat_out_and_changed_files_are_excepted_for_all() -> None:
    session = Session().planned()
    session.caster.invalidate_file(1)
    session.report(0, SatOutRecord(3, 28), SatOutRecord(99, 28), ready=5, frontier=10)
    session.report(1, ready=5, frontier=10)
    session.pump(0.2)
    assert session.status().commit.exceptions == ((1, 2), (3, 4))
    assert [event for event in session.heard if isinstance(event, FileSatOut)] == [FileSatOut(0, 3, 28)]
    assert found(session.caster.roster, 0).sat_out == {3: 28}


def test_changed_files_are_sent_again_after_the_rest() -> None:
    session = Session().planned()
    for file in (3, 1):
        session.caster.invalidate_file(file)
    session.report(0, ready=5, frontier=10)
    assert not [event for event in session.heard if isinstance(event, FilesChanged)]
    session.report(1, ready=5, frontier=10, committed=5)
    session.report(0, committed=4)
    assert [event for event in session.heard if isinstance(event, FilesChanged)] == [FilesChanged((1, 3))]
    session.caster.offer_plan_again(PAGE, 2 * PAGE, 1, [3], session.now)
    session.caster.offer_plan_again(PAGE, 2 * PAGE, 1, [1], session.now)  # too late
    session.pump()
    assert (session.phase(), session.status().plan_files) == (Phase.PLANNING, 6)
    for target in (0, 1):
        session.report(target, active=ObjectKind.CONTENTS_AGAIN, frontier=0, committed=5)
    assert session.phase() is Phase.CASTING
    assert [send.page for send in session.sent if isinstance(send, SendPage) and send.object == 4] == [0, 1]
    session.caster.invalidate_file(5)
    for target in (0, 1):
        session.report(target, ready=6, frontier=2)
    session.pump(0.2)
    assert session.status().commit.exceptions == ((5, 6),)
    for target in (0, 1):
        session.report(target, committed=6)
    assert session.phase() is Phase.FINISHING
    assert (session.caster.statistics().pages, session.caster.statistics().pages_sent) == (12, 12)


def test_the_session_goes_on_without_changed_files_that_vanish() -> None:
    session = Session().planned()
    session.caster.invalidate_file(3)
    for target in (0, 1):
        session.report(target, ready=5, frontier=10, committed=5)
    session.caster.offer_plan_again(0, 0, 0, [], session.now)
    session.pump()
    assert session.phase() is Phase.FINISHING
    assert session.status().plan_files == 5


def test_unrequested_plan_is_ignored() -> None:
    session = Session().planned()
    session.caster.invalidate_file(3)
    session.caster.offer_plan_again(PAGE, PAGE, 1, [3], session.now)
    assert (session.phase(), session.status().plan_files) == (Phase.CASTING, 5)


# the end


def test_results_end_the_session() -> None:
    session = Session().compared()
    session.caster.offer_plan(0, 0, 0, session.now)
    session.report(0, RESULT)
    session.caster.give_up(0, "exited", session.now)  # it may: its result is known
    assert session.phase() is Phase.FINISHING
    session.report(1, RESULT)
    assert session.phase() is Phase.DONE
    session.pump(1.0)
    assert session.states() == [RosterState.DONE] * 2
    assert session.heard[-1] == CastFinished(Phase.DONE)
    assert sum(status.phase is Phase.DONE for status in session.messages(Status)) == LINGER_COUNT
    assert [letter.ending for letter in session.messages(Farewell)] == [Ending.DONE] * 2
    assert session.caster.next_timeout() is None


def test_the_silent_are_dropped_and_the_others_go_on() -> None:
    session = Session().planned()
    for _ in range(7):
        session.pump(10.0)
        session.report(0, ready=5, frontier=10, committed=5)
    assert session.states() == [RosterState.PRESENT, RosterState.LOST]
    assert found(session.caster.roster, 1).reason == "silent for 60 s"
    assert session.phase() is Phase.FINISHING


def test_a_target_that_holds_all_pages_and_keeps_the_window_closed_is_dropped() -> None:
    """It says that it is not done with what was sent; the caster sends no more until it is."""
    session = Session(1).planned(pages=1000)
    for _ in range(round(ACK_WAIT_S) + 5):
        session.pump(1.0)
        sent = session.status().objects[ObjectKind.CONTENTS].pages_sent
        session.report(0, active=ObjectKind.CONTENTS, frontier=sent, tx_seen=0, tx_done=0)
    assert 0 < sent < 1000
    assert session.states() == [RosterState.LOST]


def test_target_that_reports_failure_is_dropped() -> None:
    session = Session().planned()
    session.report(0, FailedRecord("the disk is gone"))
    assert found(session.caster.roster, 0).reason == "the disk is gone"
    assert session.states() == [RosterState.LOST, RosterState.PRESENT]


def test_when_all_are_lost_it_is_over() -> None:
    session = Session(1).planned()
    session.report(0, FailedRecord("the disk is gone"))
    assert session.phase() is Phase.ABORTED
    assert session.caster.abort_reason == "every target is lost"


@pytest.mark.parametrize("quit_on_bad", [False, True])
def test_one_bad_target_ends_it_only_if_asked_to(quit_on_bad: bool) -> None:
    session = Session(3, quit_on_bad=quit_on_bad).planned()
    session.report(0, FailedRecord("the disk is gone"))
    assert (session.phase() is Phase.ABORTED) == quit_on_bad
    ended = [event.target for event in session.heard if isinstance(event, TargetEnded)]
    assert ended == ([0, 1, 2] if quit_on_bad else [0])


def test_quit_on_bad_does_not_wait_for_absent_targets() -> None:
    session = Session(quit_on_bad=True)
    session.caster.offer_manifest(PAGE, are_files)
    session.hello(0)
    for _ in range(7):
        session.pump(10.0)
        session.report(0)
    assert session.caster.abort_reason == "n1: nothing received within 60 s"


def test_abort_reaches_everyone_and_every_target_ends_once() -> None:
    session = Session(3)
    session.caster.offer_manifest(PAGE, are_files)
    session.hello(0)
    session.caster.give_up(1, "ssh failed", session.now)
    session.caster.abort("interrupted", session.now)
    session.caster.abort("again", session.now)
    session.pump(1.0)
    assert session.states() == [RosterState.LOST, RosterState.UNREACHABLE, RosterState.UNREACHABLE]
    assert sorted(event.target for event in session.heard if isinstance(event, TargetEnded)) == [0, 1, 2]
    assert session.caster.abort_reason == "interrupted"
    assert [letter.ending for letter in session.messages(Farewell)] == [Ending.ABORTED]
    assert session.status().phase is Phase.ABORTED


def test_many_targets_are_looked_at_twice_per_round() -> None:
    count = PROMPT_TARGETS_MAX + 8
    session = Session(count).gathered()
    session.pump(1.0)
    for target in range(count):
        session.report(target, ComparedRecord(0, 0, 0), frontier=1)
    assert not any(isinstance(event, ComparisonFinished) for event in session.heard)
    session.pump(count * 0.00025 / 2)
    assert any(isinstance(event, ComparisonFinished) for event in session.heard)


def test_statistics_hold_the_progress_of_the_contents() -> None:
    session = Session().planned()
    session.report(0, frontier=10)
    session.report(1, frontier=4)
    numbers = session.caster.statistics()
    assert (numbers.pages, numbers.pages_sent, numbers.pages_held) == (10, 10, 4)
    assert numbers.monitor in ("n0", "n1")
    assert numbers.seal is SealKind.HMAC_SHA256


def test_liveness_is_judged_only_after_sockets_are_drained() -> None:
    session = Session().planned()
    late = session.now + 2 * ACK_WAIT_S
    session.caster.handle_timeout(late, is_drained=False)
    for target in (0, 1):
        session.caster.receive_message(report(target, 99, activity=1), "there", late)
    session.caster.handle_timeout(late)
    assert session.states() == [RosterState.PRESENT] * 2
    session.caster.handle_timeout(late + 2 * ACK_WAIT_S)
    assert session.states() == [RosterState.LOST] * 2


def test_gathering_is_not_over_before_all_that_came_was_read() -> None:
    session = Session()
    session.caster.offer_manifest(PAGE, are_files)
    session.caster.handle_timeout(ACK_WAIT_S, is_drained=False)
    assert session.phase() is Phase.GATHERING
    session.now = ACK_WAIT_S
    for target in (0, 1):
        session.hello(target)
    session.pump(1.0)
    assert session.states() == [RosterState.PRESENT] * 2


def test_a_second_reading_is_announced_ahead_of_its_pages() -> None:
    session = Session().planned()
    bursts = [send for send in session.sent if isinstance(send, SendPage) and send.object is ObjectKind.CONTENTS]
    (send,) = session.caster.announce_reading(1, bursts[3].tx)
    assert isinstance(send, SendMessage)
    assert isinstance(send.message, Status)
    assert (send.destination, send.message.generation) == (None, 1)
    assert send.message.tx == bursts[2].tx  # the others are planned, and have not left
    assert send.message.objects[ObjectKind.CONTENTS].pages_sent == 3


def test_only_a_knock_as_long_as_its_answer_is_answered() -> None:
    session = Session()
    session.pump(0.1)
    for size_bytes, answers in ((CONTROL_BYTES_MAX - 1, 0), (CONTROL_BYTES_MAX, 1)):
        session.caster.receive_knock(Knock(0, 100, 1, size_bytes), "somewhere")
        sends = [send for send in session.caster.sends(session.now) if isinstance(send, SendMessage)]
        assert len([send for send in sends if send.destination == "somewhere"]) == answers


def test_an_invited_catcher_gets_the_last_status() -> None:
    session = Session()
    session.pump(0.1)
    session.caster.invite("somewhere")
    invitations = [
        send for send in session.caster.sends(session.now) if isinstance(send, SendMessage) and send.destination
    ]
    assert [(send.destination, send.message) for send in invitations] == [("somewhere", session.messages(Status)[-1])]


def test_the_buffer_of_a_target_that_has_left_slows_nobody_down() -> None:
    session = Session(3)
    session.caster.offer_manifest(PAGE, are_files)
    window, before = session.caster.clock.window, session.caster.clock.window.size
    for target, buffer_bytes in enumerate((1 << 30, 1 << 30, 1)):
        session.hello(target, buffer_bytes=buffer_bytes)
    assert window.room(0, 0) < before
    session.caster.give_up(2, "it is gone", session.now)
    for done in range(0, 1000, 2):
        window.on_progress(done, Delay(), session.now)
    assert window.room(0, 0) > before
