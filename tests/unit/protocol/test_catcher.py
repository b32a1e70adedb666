"""Catcher: joins, reports, commits and ends, one call at a time."""

from __future__ import annotations

from typing import Any

import pytest

from mrsync.protocol.catcher import (
    HELLO_S,
    RETRY_S,
    SILENCE_ACK_WAITS,
    SILENCE_AFTER_RESULT_S,
)
from mrsync.protocol.core.events import (
    CommitGranted,
    FinishGranted,
    GroupSilent,
    ObjectHeld,
    SessionEnded,
    SessionOpened,
    Welcomed,
    Withdrawn,
)
from mrsync.protocol.core.sends import SendMessage
from mrsync.protocol.core.states import CatcherState
from mrsync.protocol.core.timers import KEEPALIVE_MAX_S, SLOT_S
from mrsync.protocol.receiving.assembly import Verdict
from mrsync.protocol.receiving.candidates import CANDIDATES_MAX
from mrsync.wire.messages import (
    Ack,
    CommitSpan,
    Ending,
    Farewell,
    Hello,
    ObjectKind,
    ObjectState,
    Phase,
    Report,
    SealKind,
    Status,
)
from mrsync.wire.record_codec import RecordDecoder
from mrsync.wire.records import ResultRecord, SatOutRecord, WantsRecord
from tests.unit.protocol.builders import GEOMETRY, PAGE, status
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


def test_says_hello_to_newer_statuses_until_welcomed() -> None:
    catcher = seeking()
    assert said(catcher) == []
    catcher.receive_message(status(1), 7, 0.0)
    (hello,) = said(catcher)
    assert isinstance(hello, Hello)
    assert (hello.instance, hello.retained_pages) == (INSTANCE, 512)
    catcher.receive_message(status(2), 7, HELLO_S / 2)
    assert said(catcher, HELLO_S / 2) == []
    catcher.receive_message(status(2), 7, HELLO_S)
    assert said(catcher, HELLO_S) == [], "a repeated status draws no hello anywhere"
    catcher.receive_message(status(3), 7, HELLO_S)
    assert [type(message) for message in said(catcher, HELLO_S)] == [Hello]
    catcher.receive_message(welcome(), 7, HELLO_S)
    assert catcher.state is CatcherState.JOINED
    report = only_report(catcher, 2 * HELLO_S)
    assert report.counter > hello.counter


def test_a_session_that_was_recorded_captures_and_ends_nothing() -> None:
    """With a key file, statuses, welcomes and farewells of an earlier session are authentic."""
    catcher = seeking()
    recorded = {"session": 6, "ack_wait_s": 1}
    catcher.receive_message(status(50, **recorded), 6, 0.0)
    catcher.receive_message(welcome(instance=INSTANCE - 1), 6, 0.0)
    catcher.receive_message(Farewell(INSTANCE - 1, 51, 0, Ending.REFUSED, "no"), 6, 0.0)
    catcher.receive_message(status(52, phase=Phase.ABORTED, **recorded), 6, 0.0)
    catcher.receive_message(status(51, **recorded), 6, 0.0)
    catcher.handle_timeout(WAIT_S - 1)
    assert (catcher.state, events(catcher)) == (CatcherState.SEEKING, [])
    catcher.receive_message(status(1), 7, WAIT_S - 1)
    assert [send.destination for send in catcher.sends(WAIT_S - 1) if isinstance(send, SendMessage)] == [6, 6, 7]
    catcher.receive_message(welcome(hello=3), 7, WAIT_S - 1)
    assert catcher.state is CatcherState.JOINED
    catcher.receive_message(status(60, phase=Phase.ABORTED, **recorded), 6, WAIT_S - 1)
    catcher.receive_message(Farewell(INSTANCE, 61, 0, Ending.ABORTED, "no"), 6, WAIT_S - 1)
    assert catcher.state is CatcherState.JOINED
    assert catcher.knows(7)
    assert not catcher.knows(6)


def test_a_refusal_by_one_of_two_sessions_leaves_the_other() -> None:
    catcher = seeking()
    for session in (6, 7):
        catcher.receive_message(status(1, session=session), session, 0.0)
    catcher.receive_message(Farewell(INSTANCE, 2, 0, Ending.REFUSED, "not on the roster"), 6, 0.1)
    catcher.receive_message(status(2, session=6), 6, 0.5)
    assert [send.destination for send in catcher.sends(0.5) if isinstance(send, SendMessage)] == [6, 7]
    catcher.receive_message(welcome(), 7, 0.5)
    assert catcher.state is CatcherState.JOINED


def test_sessions_beyond_the_limit_push_out_the_oldest() -> None:
    catcher = seeking()
    for session in range(CANDIDATES_MAX + 1):
        catcher.receive_message(status(1, session=session), session, 0.0)
    assert [session for session in range(CANDIDATES_MAX + 1) if not catcher.knows(session)] == [0]


def test_only_its_own_welcome_counts_and_once() -> None:
    catcher = seeking()
    catcher.receive_message(welcome(), 7, 0.0)
    catcher.receive_message(status(1), 7, 0.0)
    catcher.receive_message(welcome(instance=INSTANCE + 1), 7, 0.0)
    assert catcher.state is CatcherState.SEEKING
    catcher.receive_message(welcome(), 7, 0.0)
    catcher.receive_message(welcome(slot=9), 7, 0.0)
    assert events(catcher) == [Welcomed(), SessionOpened(7, GEOMETRY, SealKind.HMAC_SHA256)]


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
    catcher.receive_message(welcome(slot=400), 7, 0.0)
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
def test_farewell(is_welcome: bool, ending: Ending, is_over: bool) -> None:
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
    assert catcher.receive_page(CONTENTS, 0, 0, 4, 2, 0.0)
    catcher.page_opened(CONTENTS, 0, 0)
    assert only_report(catcher, 1.0).frontier == 0
    catcher.pages_written(CONTENTS, [0], 2, 1.0)
    report = only_report(catcher, 1.0 + INTERVAL_S)
    assert (report.frontier, report.tx_seen, report.tx_done) == (1, 2, 2)
    assert report.needs == ((1, 9, 0),)  # the status said that ten were sent


def test_packets_go_to_the_object_they_name() -> None:
    catcher = joined(wanted=[(0, 100)])
    assert catcher.receive_packet(CONTENTS, 0, 0, 1, 4, 2, 0.0) is Verdict.STORE
    assert catcher.receive_packet(9, 0, 0, 1, 4, 2, 0.0) is Verdict.IGNORE
    assert catcher.receive_coded(CONTENTS, 0, [(0, 1), (0, 2)], 3, 0.0) == 1
    catcher.coded_useless()
    catcher.receive_page(CONTENTS, 1, 0, 4, 4, 0.0)
    catcher.page_rejected(CONTENTS, 1, 0, 0)
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


def test_a_complete_object_is_an_event_and_reported_in_its_slot() -> None:
    catcher = joined(phase=Phase.COMPARING, active=ObjectKind.MANIFEST)
    write(catcher, ObjectKind.MANIFEST, 0, 2, 1.0)
    assert events(catcher) == [ObjectHeld(ObjectKind.MANIFEST)]
    assert only_report(catcher, 1.0 + 3 * SLOT_S).frontier == 1


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
    assert only_report(catcher, 0.5 + 3 * SLOT_S).tx_seen == 2


def test_events_common_to_all_are_reported_in_slots_and_rarely() -> None:
    sent = (ObjectState(PAGE, 1), ObjectState(PAGE, 1), ObjectState(100 * PAGE, 0))
    catcher = joined(wanted=[(0, 100)], objects=sent)
    only_report(catcher, 4.9)
    write(catcher, CONTENTS, 0, 1, 5.0)
    assert said(catcher, 5.0 + 2 * SLOT_S) == []
    assert only_report(catcher, 5.0 + 3 * SLOT_S).frontier == 1
    write(catcher, CONTENTS, 1, 2, 5.0 + 4 * SLOT_S)
    assert said(catcher, 5.0 + INTERVAL_S) == []
    assert only_report(catcher, 5.0 + 3 * SLOT_S + INTERVAL_S).frontier == 2


def test_without_news_a_keepalive() -> None:
    catcher = joined(objects=NOTHING)
    catcher.receive_message(status(2, objects=NOTHING), 7, 0.1)
    assert said(catcher, 0.9) == []
    assert isinstance(only_report(catcher, 3 * SLOT_S + KEEPALIVE_MAX_S), Report)


def test_needs_are_repeated_every_interval() -> None:
    catcher = joined(wanted=[(0, 100)])
    only_report(catcher, 0.1)
    only_report(catcher, 0.1 + INTERVAL_S)


def test_the_log_is_repeated_until_acknowledged() -> None:
    catcher = joined(objects=NOTHING)
    catcher.log(SatOutRecord(4, 28), 0.1)
    first = only_report(catcher, 0.1)
    again = only_report(catcher, 0.1 + INTERVAL_S + RETRY_S)
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
    assert only_report(catcher, 0.1 + 4 * SLOT_S).log_offset == end  # four targets make a round


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


# commits and the end


def granting(
    counter: int, end: int, first: int = 0, exceptions: tuple[tuple[int, int], ...] = (), **more: Any
) -> Status:
    return status(counter, commit=CommitSpan(first, end, exceptions), **more)


def test_commits_come_once_and_without_gaps() -> None:
    catcher = joined(wanted=[])
    catcher.set_progress(0.0, ready=10)
    events(catcher)
    catcher.receive_message(granting(2, 4, exceptions=((1, 3),)), 7, 0.0)
    assert events(catcher) == [CommitGranted(0, 4, ((1, 3),))]
    catcher.receive_message(granting(3, 4, exceptions=((1, 3),)), 7, 0.0)
    assert events(catcher) == []
    catcher.receive_message(granting(4, 7, exceptions=((1, 3), (6, 7))), 7, 0.0)
    assert events(catcher) == [CommitGranted(4, 7, ((6, 7),))]
    catcher.receive_message(granting(5, 10, first=8), 7, 0.0)  # file 7 was never mentioned
    assert events(catcher) == []


def test_only_complete_files_are_committed() -> None:
    """Told more, it was dropped and has not heard of it; or its own progress is just behind."""
    catcher = joined(wanted=[])
    catcher.set_progress(0.0, ready=2)
    catcher.receive_message(granting(2, 5), 7, 0.0)
    assert events(catcher)[-1] == CommitGranted(0, 2, ())
    catcher.set_progress(0.0, ready=5)
    assert events(catcher) == [CommitGranted(2, 5, ())]


@pytest.mark.parametrize(("generation", "end"), [(0, 5), (1, 2)])
def test_files_read_once_may_be_committed_ahead(generation: int, end: int) -> None:
    catcher = joined(wanted=[(0, 3)], generation=1)
    assert catcher.receive_page(CONTENTS, 0, generation, GEOMETRY.packets, 2, 0.0)
    catcher.page_opened(CONTENTS, 0, generation)
    catcher.set_progress(0.0, ready=5)
    events(catcher)
    catcher.receive_message(status(2, commit=CommitSpan(0, 2, ((3, 4),), ahead=7)), 7, 0.0)
    assert events(catcher) == [CommitGranted(0, end, ((3, 4),) if end > 3 else ())]


def test_forged_generation_delays_no_commit() -> None:
    """Anybody may have invented it; only a page whose seal was good counts."""
    catcher = joined(wanted=[(0, 3)], generation=1)
    catcher.receive_packet(CONTENTS, 0, 1, 0, GEOMETRY.packets, 2, 0.0)
    catcher.set_progress(0.0, ready=5)
    events(catcher)
    catcher.receive_message(status(2, commit=CommitSpan(0, 2, (), ahead=7)), 7, 0.0)
    assert events(catcher) == [CommitGranted(0, 5, ())]


def test_withdraws_once() -> None:
    catcher = joined(wanted=[])
    events(catcher)
    catcher.receive_message(status(2, phase=Phase.WITHDRAWING), 7, 0.0)
    catcher.receive_message(status(3, phase=Phase.WITHDRAWING), 7, 0.0)
    assert events(catcher) == [Withdrawn()]


def test_finishes_once_all_is_committed() -> None:
    catcher = joined(wanted=[])
    catcher.set_progress(0.0, ready=10)
    catcher.receive_message(granting(2, 10, phase=Phase.FINISHING), 7, 0.0)
    catcher.set_progress(0.0, committed=9)
    assert FinishGranted() not in events(catcher)
    catcher.set_progress(0.0, committed=10)
    catcher.set_progress(0.0, committed=10)
    assert events(catcher) == [FinishGranted()]


@pytest.mark.parametrize(
    ("phase", "has_result", "ending"),
    [(Phase.DONE, True, Ending.DONE), (Phase.DONE, False, Ending.ABORTED), (Phase.ABORTED, True, Ending.ABORTED)],
)
def test_the_last_status_ends_it(phase: Phase, has_result: bool, ending: Ending) -> None:
    catcher = joined()
    if has_result:
        catcher.log(ResultRecord(0, 0, 0, 0, 0, 0, bytes(32)), 0.0)
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
    catcher.log(ResultRecord(0, 0, 0, 0, 0, 0, bytes(32)), 0.0)
    report = only_report(catcher, 0.0)
    catcher.receive_message(Ack(INSTANCE, 1, 0, report.log_end), 7, 1.0)
    catcher.handle_timeout(1.0 + SILENCE_AFTER_RESULT_S)
    assert events(catcher) == [SessionEnded(Ending.DONE, "")]


def test_stopped_from_outside_once() -> None:
    catcher = joined()
    catcher.stop("interrupted")
    catcher.stop("again")
    catcher.receive_message(status(9), 7, 0.0)
    assert events(catcher) == [SessionEnded(Ending.ABORTED, "interrupted")]


def test_wants_are_reported_only_if_they_are_fewer_than_the_needs() -> None:
    assert only_report(joined(wanted=[(0, 3)]), 1.0).log_end == 0
    catcher = joined()
    catcher.want(CONTENTS, [(2, 4), (9, 10)], 0.0, is_less=True)
    report = only_report(catcher, 1.0)
    assert report.active is CONTENTS
    assert RecordDecoder().feed(report.log_bytes) == [WantsRecord(0, 100, ((2, 4), (9, 10)))]


def test_a_group_that_may_be_silent_is_not_doubted() -> None:
    """Of statuses by unicast it does not follow that the group brings no probes; simulation's seed 70370."""
    catcher = seeking()
    catcher.receive_message(status(1), 7, 0.0)
    assert [type(message) for message in said(catcher)] == [Hello]
    catcher.receive_message(welcome(), 7, 0.0)
    said(catcher, 0.01)
    catcher.receive_message(status(2), 7, 1.0, is_cast=False)
    assert Hello not in map(type, said(catcher, 1.0))
    catcher.receive_message(status(3), 7, 2.0)
    assert Hello in map(type, said(catcher, 2.0))


def test_a_page_that_is_not_the_caster_s_is_needed_again() -> None:
    catcher = joined(wanted=[(0, 100)])
    assert catcher.receive_page(CONTENTS, 0, 0, 4, 2, 0.0)
    catcher.page_opened(CONTENTS, 0, 0)
    catcher.page_disowned(CONTENTS, 0)
    report = only_report(catcher, 1.0)
    assert (report.pages_rejected, report.tx_done) == (1, report.tx_seen)
    assert report.needs == ((0, 10, 0),)
    write(catcher, CONTENTS, 0, 3, 1.0)


def test_a_digest_that_is_overdue_is_asked_for_at_once() -> None:
    catcher = joined(wanted=[(0, 100)])
    catcher.ask_digests(7, 0.5)
    assert only_report(catcher, 0.5).unverified == 8
