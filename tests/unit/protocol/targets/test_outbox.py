"""Outbox: who is told what."""

from __future__ import annotations

import pytest

from mrsync.protocol.core.sends import SendMessage
from mrsync.protocol.core.timers import TimerTable
from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.sending.window import Window
from mrsync.protocol.targets.commit_decisions import CommitDecisions
from mrsync.protocol.targets.outbox import (
    REPORT_INTERVAL_MAX_S,
    REPORT_INTERVAL_MIN_S,
    REPORT_PACKETS,
    REPORT_SHARE,
    THIN_INTERVAL_MAX_S,
    Outbox,
)
from mrsync.protocol.targets.roster import Roster
from mrsync.wire.formats.record_codec import encode_record
from mrsync.wire.messages import (
    Ack,
    CommitSpan,
    Ending,
    Farewell,
    Message,
    NetworkShare,
    ObjectKind,
    ObjectState,
    Phase,
    SealKind,
    Status,
    Welcome,
)
from mrsync.wire.records import SatOutRecord
from tests.unit.protocol.builders import GEOMETRY, PAGE, found, hello, report, roster


class Office:
    """An outbox and what it looks things up in."""

    def __init__(self, targets: Roster) -> None:
        self.roster = targets
        self.clock = AckClock(
            targets.audience, Window(rate_bytes_s=None, geometry=GEOMETRY), Courtesy(NetworkShare.ALL)
        )
        self.schedule = Schedule(targets.audience, self.clock, TimerTable())
        self.outbox = Outbox(targets, self.clock, self.schedule, session=5, geometry=GEOMETRY, ack_wait_s=60.0)

    def status(self) -> Status:
        self.outbox.status(Phase.CASTING, CommitDecisions(7), is_poll=True, now=0.0)
        (send,) = self.outbox.take_all()
        assert isinstance(send, SendMessage)
        assert send.destination is None
        assert isinstance(send.message, Status)
        return send.message


def said(outbox: Outbox) -> list[tuple[Message, object]]:
    return [(send.message, send.destination) for send in outbox.take_all() if isinstance(send, SendMessage)]


def test_letters_go_to_their_catcher_in_order_and_once() -> None:
    office = Office(roster(2))
    outbox, target = office.outbox, found(office.roster, 1)
    target.log.feed(0, encode_record(SatOutRecord(1, 2)))
    outbox.welcome(target, hello(1, counter=6), "there", 9)
    outbox.ack(target)
    outbox.refuse(hello(9), "elsewhere", "no")
    outbox.farewell(target, Ending.DROPPED, "stuck")
    assert said(outbox) == [
        (Welcome(101, 1, 1, 1, 6, 9), "there"),
        (Ack(101, 2, 1, 9), ("host", 1)),
        (Farewell(109, 3, 9, Ending.REFUSED, "no"), "elsewhere"),
        (Farewell(101, 4, 1, Ending.DROPPED, "stuck"), ("host", 1)),
    ]
    assert outbox.take_all() == []


def test_absent_target_gets_no_farewell() -> None:
    office = Office(Roster({1: "n1"}))
    office.outbox.farewell(found(office.roster, 1), Ending.ABORTED, "over")
    assert office.outbox.take_all() == []


def test_a_status_holds_the_phase_of_the_session() -> None:
    office = Office(roster(2))
    office.clock.elect(0.0)
    office.outbox.seal = SealKind.HMAC_SHA256
    first, second = office.status(), office.status()
    assert (first.session, first.slice_bytes, first.packets, first.ack_wait_s) == (5, 1000, 4, 60)
    assert (first.phase, first.seal, first.is_poll) == (Phase.CASTING, SealKind.HMAC_SHA256, True)
    assert (first.target_count, first.plan_files, sorted(first.monitors)) == (2, 7, [0, 1])
    assert first.report_pages == office.clock.report_pages
    assert (second.counter, second.tx) == (first.counter + 1, first.tx + 1)


def test_a_status_holds_the_pages_sent_of_each_object() -> None:
    office = Office(roster(1))
    office.outbox.sizes[:2] = [3 * PAGE, 5 * PAGE]
    assert office.status().objects[ObjectKind.MANIFEST] == ObjectState(3 * PAGE, 0)
    transfer = Transfer(ObjectKind.PLAN, 5 * PAGE, GEOMETRY)
    office.schedule.start(transfer, terms_max=2, retained_pages=512)
    transfer.first_send(1)
    status = office.status()
    assert status.active is ObjectKind.PLAN
    assert status.objects[:3] == (ObjectState(3 * PAGE, 3), ObjectState(5 * PAGE, 1), ObjectState(0, 0))


def test_a_status_holds_the_span_of_commits() -> None:
    office = Office(roster(1))
    found(office.roster, 0).receive_report(report(ready=5), None, 0.0)
    commits = CommitDecisions(7)
    commits.sit_out(3)
    commits.update(office.roster)
    office.outbox.status(Phase.CASTING, commits, is_poll=False, now=0.0)
    (told, _), *_ = said(office.outbox)
    assert isinstance(told, Status)
    assert told.commit == CommitSpan(0, 5, ((3, 4),))


def test_reports_are_asked_for_as_often_as_the_roster_allows() -> None:
    assert Office(roster(1)).status().report_interval_us == REPORT_INTERVAL_MIN_S * 1e6
    many = Office(roster(1000))
    assert many.status().report_interval_us == int(many.roster.audience.cycle_s * 1e6) > REPORT_INTERVAL_MIN_S * 1e6


def test_reports_are_rarer_where_round_trips_are_long() -> None:
    office = Office(roster(1))
    office.clock.elect(0.0)
    (monitor,) = office.clock.monitors
    for round_trip_s, interval_s in ((0.06, REPORT_INTERVAL_MIN_S), (0.4, 0.1), (9.0, REPORT_INTERVAL_MAX_S)):
        monitor.delay.add(round_trip_s, 0.0)
        assert office.status().report_interval_us == int(interval_s * 1e6)


@pytest.mark.parametrize(
    ("packets_s", "interval_s"), [(20_000, REPORT_INTERVAL_MIN_S), (4000, 0.05), (80, THIN_INTERVAL_MAX_S)]
)
def test_reports_of_all_take_a_small_share_of_what_is_sent(packets_s: int, interval_s: float) -> None:
    office = Office(roster(8))
    office.clock.elect(0.0)
    office.clock.on_sent(1, packets_s, packets_s * PAGE, 0.5)
    office.clock.elect(1.0)
    told_s = office.status().report_interval_us / 1e6
    assert told_s == pytest.approx(interval_s, abs=1e-6)
    office.clock.begin_object()
    assert office.status().report_interval_us == REPORT_INTERVAL_MIN_S * 1e6
    assert interval_s != 0.05 or 8 * REPORT_PACKETS / told_s == pytest.approx(REPORT_SHARE * packets_s)
