"""Catcher: joins, reports, commits and ends, one call at a time."""

from __future__ import annotations

import pytest

from mrsync.protocol.catcher import (
    CONTINUED_APART_S,
    SILENCE_ACK_WAITS,
    SILENCE_AFTER_RESULT_S,
)
from mrsync.protocol.core.events import (
    GroupSilent,
    ObjectHeld,
    SessionEnded,
    SessionOpened,
    Welcomed,
)
from mrsync.protocol.core.states import CatcherState
from mrsync.protocol.core.timers import KEEPALIVE_MAX_S, TURN_S
from mrsync.protocol.receiving.assembly import Verdict
from mrsync.protocol.receiving.report_turns import INTERVAL_GROWTH, RETRY_S
from mrsync.wire.formats.record_codec import RecordDecoder
from mrsync.wire.messages import (
    Ack,
    Ending,
    Farewell,
    ObjectKind,
    ObjectState,
    Phase,
    Report,
    SealKind,
)
from mrsync.wire.records import FailedRecord, ResultRecord, SatOutRecord, WantsRecord
from tests.unit.protocol.builders import PAGE, page_header, status
from tests.unit.protocol.catching import (
    CONTENTS,
    INSTANCE,
    INTERVAL_S,
    NOTHING,
    WAIT_S,
    events,
    joined,
    only_report,
    said,
    seeking,
    welcome,
    write,
)


def test_the_session_opens_when_its_seal_is_chosen() -> None:
    catcher = seeking()
    catcher.receive_message(status(1, seal=SealKind.NONE), 7, 0.0)
    catcher.receive_message(welcome(), 7, 0.0)
    assert events(catcher) == [Welcomed()]
    catcher.receive_message(status(2), 7, 0.0)
    assert [type(event) for event in events(catcher)] == [SessionOpened]


def test_first_report_comes_in_its_slot() -> None:
    catcher = seeking()
    catcher.receive_message(status(1, report_interval_us=200_000, objects=NOTHING), 7, 0.0)
    catcher.receive_message(welcome(turn=400), 7, 0.0)
    catcher.sends(0.0)
    assert said(catcher, 0.09) == []
    assert isinstance(only_report(catcher, 0.1), Report)


@pytest.mark.parametrize(
    ("is_welcome", "ending", "is_over"),
    [
        (False, Ending.REFUSED, True),
        (False, Ending.DROPPED, False),
        (True, Ending.DROPPED, True),
        (True, Ending.DONE, True),
    ],
)
def test_a_farewell_ends_the_session_if_it_is_for_this_instance(
    is_welcome: bool, ending: Ending, is_over: bool
) -> None:
    catcher = joined() if is_welcome else seeking()
    catcher.receive_message(status(2), 7, 0.0)
    events(catcher)
    catcher.receive_message(Farewell(INSTANCE + 1, 1, 0, ending, "to another"), 7, 0.0)
    assert events(catcher) == []
    catcher.receive_message(Farewell(INSTANCE, 1, 0, ending, "why"), 7, 0.0)
    assert events(catcher) == ([SessionEnded(ending, "why")] if is_over else [])
    if is_over:
        assert (said(catcher, 99.0), catcher.next_timeout()) == ([], None)


def test_a_farewell_before_any_status_is_of_no_session() -> None:
    catcher = seeking()
    catcher.receive_message(Farewell(INSTANCE, 1, 0, Ending.REFUSED, "why"), 7, 0.0)
    assert catcher.state is CatcherState.SEEKING


# pages


def test_a_page_is_held_when_it_is_written() -> None:
    catcher = joined(wanted=[(0, 100)])
    assert catcher.reception.receive_page(page_header(CONTENTS, 0, 2), 0.0)
    catcher.reception.page_opened(CONTENTS, 0, 0)
    assert only_report(catcher, 1.0).frontier == 0
    catcher.pages_written(CONTENTS, [0], 2, 1.0)
    report = only_report(catcher, 1.0 + INTERVAL_S)
    assert (report.frontier, report.tx_seen, report.tx_done) == (1, 2, 2)
    assert report.needs == ((1, 9, 0),)  # the status said that ten were sent


def test_packets_go_to_the_object_they_name() -> None:
    catcher = joined(wanted=[(0, 100)])
    assert catcher.reception.receive_packets(page_header(CONTENTS, 0, 2), 1 << 1, 0.0) is Verdict.STORE
    assert catcher.reception.receive_packets(page_header(9, 0, 2), 1 << 1, 0.0) is Verdict.IGNORE
    assert catcher.reception.receive_coded(page_header(CONTENTS, 0, 3), [(0, 1), (0, 2)], 0.0) == 1
    catcher.reception.coded_useless()
    catcher.reception.receive_page(page_header(CONTENTS, 1, 4), 0.0)
    catcher.reception.page_rejected(CONTENTS, 1, 0, 0)
    report = only_report(catcher, 1.0)
    assert (report.coded_useless, report.pages_rejected, report.tx_seen) == (1, 1, 4)
    assert report.needs == ((0, 1, 0b1101), (1, 9, 0))


def test_a_monitor_reports_after_some_pages() -> None:
    catcher = joined(
        wanted=[(0, 100)], monitors=(0,), objects=(ObjectState(), ObjectState(), ObjectState(100 * PAGE, 0))
    )
    for page in range(3):
        write(catcher, CONTENTS, page, page + 2, 0.01)
    assert said(catcher, 0.01) == []
    write(catcher, CONTENTS, 3, 5, 0.01)
    assert only_report(catcher, 0.01).frontier == 4


def test_a_report_is_due_in_turn_if_no_page_gets_complete() -> None:
    catcher = joined(wanted=[(0, 100)])
    catcher.reception.receive_packets(page_header(CONTENTS, 0, 2), 1 << 1, 5.0)
    assert only_report(catcher, 5.0) is not None, "the keepalive"
    catcher.reception.receive_packets(page_header(CONTENTS, 1, 3), 1 << 1, 5.001)
    assert said(catcher, 5.001) == []
    assert only_report(catcher, 5.001 + INTERVAL_S + 3 * TURN_S).tx_seen == 3


def test_a_complete_object_is_an_event_and_reported_in_its_slot() -> None:
    catcher = joined(phase=Phase.COMPARING, active=ObjectKind.MANIFEST)
    write(catcher, ObjectKind.MANIFEST, 0, 2, 1.0)
    assert events(catcher) == [ObjectHeld(ObjectKind.MANIFEST)]
    assert only_report(catcher, 1.0 + 3 * TURN_S).frontier == 1


def test_nothing_wanted_is_held_at_once() -> None:
    catcher = joined()
    catcher.want(CONTENTS, [], 0.0)
    assert events(catcher) == [ObjectHeld(CONTENTS)]
    assert only_report(catcher, 0.0).active is CONTENTS


def test_want_before_a_session_is_nothing() -> None:
    catcher = seeking()
    catcher.want(CONTENTS, [(0, 1)], 0.0)
    assert events(catcher) == []


# reports


def test_a_poll_is_answered_in_its_slot() -> None:
    catcher = joined(objects=NOTHING)
    catcher.receive_message(status(2, is_poll=True, objects=NOTHING), 7, 0.5)
    assert said(catcher, 0.5) == []
    assert only_report(catcher, 0.5 + 3 * TURN_S).tx_seen == 2


def test_events_common_to_all_are_reported_in_slots_and_rarely() -> None:
    sent = (ObjectState(PAGE, 1), ObjectState(PAGE, 1), ObjectState(100 * PAGE, 0))
    catcher = joined(wanted=[(0, 100)], objects=sent)
    only_report(catcher, 4.9)
    write(catcher, CONTENTS, 0, 1, 5.0)
    assert said(catcher, 5.0 + 2 * TURN_S) == []
    assert only_report(catcher, 5.0 + 3 * TURN_S).frontier == 1
    write(catcher, CONTENTS, 1, 2, 5.0 + 4 * TURN_S)
    assert said(catcher, 5.0 + INTERVAL_S) == []
    assert only_report(catcher, 5.0 + 3 * TURN_S + INTERVAL_S).frontier == 2


def test_without_news_a_keepalive_is_sent() -> None:
    catcher = joined(objects=NOTHING)
    catcher.receive_message(status(2, objects=NOTHING), 7, 0.1)
    assert said(catcher, 0.9) == []
    assert isinstance(only_report(catcher, 3 * TURN_S + KEEPALIVE_MAX_S), Report)


def test_needs_are_repeated_ever_more_rarely_until_something_comes() -> None:
    catcher = joined(wanted=[(0, 100)])

    def reports(first_s: float, end_s: float) -> int:
        return sum(len(said(catcher, at / 1000)) for at in range(int(first_s * 1000), int(end_s * 1000)))

    for number in range(2, 7):
        catcher.receive_message(status(number), 7, number / 10)
        assert reports(number / 10, (number + 1) / 10) >= 2
    assert reports(0.7, 3.0) <= 10
    assert reports(3.0, 8.0) <= 5 / KEEPALIVE_MAX_S


def test_a_report_that_is_full_is_continued_but_not_too_often_where_many_targets_report() -> None:
    objects = (ObjectState(), ObjectState(), ObjectState(500 * PAGE, 400))
    targets = 80
    catcher = joined(wanted=[(0, 500)], target_count=targets, objects=objects)
    for page in range(400):
        catcher.reception.receive_packets(page_header(CONTENTS, page, page + 2), 0b101, 0.1)
    first, more = said(catcher, 1.0)
    assert (more.counter, more.needs_first, more.needs_end) == (first.counter + 1, first.needs_end, 400)
    assert only_report(catcher, 1.0 + 0.9 * targets * CONTINUED_APART_S).counter == more.counter + 1
    assert len(said(catcher, 1.0 + targets * CONTINUED_APART_S + INTERVAL_S)) == 2


def test_the_log_is_repeated_until_acknowledged() -> None:
    catcher = joined(objects=NOTHING)
    catcher.log(SatOutRecord(4, 28), 0.1)
    first = only_report(catcher, 0.1)
    again = only_report(catcher, 0.1 + INTERVAL_GROWTH * INTERVAL_S + RETRY_S)
    assert (again.log_offset, again.log_bytes) == (first.log_offset, first.log_bytes)
    catcher.receive_message(Ack(INSTANCE + 1, 1, 0, again.log_end), 7, 0.2)  # to another
    catcher.receive_message(Ack(INSTANCE, 1, 0, again.log_end), 7, 0.2)
    assert only_report(catcher, 9.0).log_bytes == b""


def test_a_long_log_goes_on_after_each_acknowledgement() -> None:
    catcher = joined(objects=NOTHING)
    for index in range(500):
        catcher.log(SatOutRecord(index, 28), 0.1)
    first = only_report(catcher, 0.1)
    end = len(first.log_bytes)
    catcher.receive_message(Ack(INSTANCE, 1, 0, end), 7, 0.1)
    assert only_report(catcher, 0.1 + 4 * TURN_S).log_offset == end  # four targets make a round


def test_progress_on_files_is_reported_at_once_when_all_pages_are_held() -> None:
    catcher = joined(wanted=[(0, 100)])
    only_report(catcher, 0.1)
    catcher.set_progress(0.1, ready=1)
    assert said(catcher, 0.1) == []
    catcher = joined(wanted=[])
    catcher.set_progress(0.1, ready=1, activity=5)
    report = only_report(catcher, 0.1)
    assert (report.ready, report.activity) == (1, 5)


def test_an_older_status_is_ignored() -> None:
    catcher = joined(tx=50)
    catcher.receive_message(status(5, tx=90), 7, 0.1)
    catcher.receive_message(status(4, tx=80, phase=Phase.ABORTED), 7, 0.1)
    assert catcher.state is CatcherState.JOINED
    assert only_report(catcher, 2.0).tx_seen == 90


# the end


@pytest.mark.parametrize(
    ("phase", "has_result", "ending"),
    [(Phase.DONE, True, Ending.DONE), (Phase.DONE, False, Ending.ABORTED), (Phase.ABORTED, True, Ending.ABORTED)],
)
def test_the_last_status_ends_it(phase: Phase, has_result: bool, ending: Ending) -> None:
    catcher = joined()
    if has_result:
        catcher.log(ResultRecord(0, 0, 0, 0, 0, 0), 0.0)
    catcher.receive_message(status(2, phase=phase), 7, 0.0)
    catcher.receive_message(status(3, phase=phase), 7, 0.0)
    assert events(catcher) == [SessionEnded(ending, "")]


def test_a_silent_master_ends_the_session() -> None:
    catcher = seeking()
    catcher.handle_timeout(WAIT_S)
    (ended,) = events(catcher)
    assert isinstance(ended, SessionEnded)
    assert ended.ending is Ending.ABORTED
    catcher = joined(ack_wait_s=8)
    catcher.handle_timeout(8 * SILENCE_ACK_WAITS - 0.1)
    assert events(catcher) == [GroupSilent(was_heard=True)]
    catcher.handle_timeout(8 * SILENCE_ACK_WAITS)
    assert [type(event) for event in events(catcher)] == [SessionEnded]


def test_master_and_group_are_judged_only_after_sockets_are_drained() -> None:
    catcher = joined(ack_wait_s=8)
    late = 8 * SILENCE_ACK_WAITS + 1.0
    catcher.handle_timeout(late, is_drained=False)
    assert events(catcher) == []
    catcher.receive_message(status(2), 7, late)
    catcher.handle_timeout(late)
    assert events(catcher) == []


def test_after_its_result_is_known_silence_means_done() -> None:
    catcher = joined()
    catcher.log(ResultRecord(0, 0, 0, 0, 0, 0), 0.0)
    report = only_report(catcher, 0.0)
    catcher.receive_message(Ack(INSTANCE, 1, 0, report.log_end), 7, 1.0)
    catcher.handle_timeout(1.0 + SILENCE_AFTER_RESULT_S)
    assert events(catcher) == [SessionEnded(Ending.DONE, "")]


def test_stopped_from_outside_once() -> None:
    catcher = joined()
    catcher.stop("interrupted", 1.0)
    catcher.stop("again", 1.0)
    catcher.receive_message(status(9), 7, 1.0)
    assert events(catcher) == [SessionEnded(Ending.ABORTED, "interrupted")]


def test_catcher_that_is_stopped_tells_its_caster_why() -> None:
    catcher = joined()
    catcher.stop("interrupted", 1.0)
    assert RecordDecoder().feed(only_report(catcher, 1.0).log_bytes) == [FailedRecord("interrupted")]


def test_catcher_that_is_stopped_after_its_result_has_not_failed() -> None:
    catcher = joined()
    catcher.log(ResultRecord(0, 0, 0, 0, 0, 0), 0.0)
    only_report(catcher, 0.0)
    catcher.stop("interrupted", 1.0)
    (result,) = RecordDecoder().feed(only_report(catcher, 1.0).log_bytes)  # the first report may be lost
    assert isinstance(result, ResultRecord)


def test_catcher_that_is_stopped_after_its_result_arrived_says_nothing() -> None:
    catcher = joined()
    catcher.log(ResultRecord(0, 0, 0, 0, 0, 0), 0.0)
    report = only_report(catcher, 0.0)
    catcher.receive_message(Ack(INSTANCE, 1, 0, report.log_end), 7, 0.5)
    catcher.stop("interrupted", 1.0)
    assert catcher.sends(1.0) == []


def test_wants_are_reported_only_if_they_are_fewer_than_the_needs() -> None:
    assert only_report(joined(wanted=[(0, 3)]), 1.0).log_end == 0
    catcher = joined()
    catcher.want(CONTENTS, [(2, 4), (9, 10)], 0.0, is_less=True)
    report = only_report(catcher, 1.0)
    assert report.active is CONTENTS
    assert RecordDecoder().feed(report.log_bytes) == [WantsRecord(0, 100, ((2, 4), (9, 10)))]


def test_a_page_that_is_not_the_caster_s_is_needed_again() -> None:
    catcher = joined(wanted=[(0, 100)])
    assert catcher.reception.receive_page(page_header(CONTENTS, 0, 2), 0.0)
    catcher.reception.page_opened(CONTENTS, 0, 0)
    catcher.page_disowned(CONTENTS, 0)
    report = only_report(catcher, 1.0)
    assert (report.pages_rejected, report.tx_done) == (1, report.tx_seen)
    assert report.needs == ((0, 10, 0),)
    write(catcher, CONTENTS, 0, 3, 1.0)


def test_a_digest_that_is_overdue_is_asked_for_at_once() -> None:
    catcher = joined(wanted=[(0, 100)])
    catcher.ask_digests(7, 0.5)
    assert only_report(catcher, 0.5).unverified == 8
