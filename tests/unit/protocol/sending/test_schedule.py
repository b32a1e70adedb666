"""Schedule: what leaves next, under which tx, and when everyone is asked."""

from __future__ import annotations

import pytest

from mrsync.protocol.core.sends import SendPage
from mrsync.protocol.core.timers import Timer, TimerTable
from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.departures import PLANNED_MAX
from mrsync.protocol.sending.schedule import (
    LONE_PATIENCE_S,
    POLL_CLOSED_S,
    POLL_MAX_S,
    POLL_MIN_S,
    REPAIR_PATIENCE_S,
    Schedule,
)
from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.sending.window import RATE_CREDIT_S, WINDOW_BURSTS_START, Window
from mrsync.wire.limits import TAG_BYTES
from mrsync.wire.messages import NetworkShare, ObjectKind
from tests.unit.protocol.builders import GEOMETRY, PAGE, found, report, roster

KIND = ObjectKind.CONTENTS


class Cast:
    """Return a schedule with a transfer of this many pages to these targets."""

    def __init__(self, pages: int, *, targets: int = 1, pages_per_s: float | None = None) -> None:
        rate = pages_per_s * PAGE if pages_per_s else None
        self.roster = roster(targets)
        self.timers = TimerTable()
        window = Window(rate_bytes_s=rate, geometry=GEOMETRY)
        self.clock = AckClock(self.roster.audience, window, Courtesy(NetworkShare.ALL))
        self.schedule = Schedule(self.roster.audience, self.clock, self.timers)
        self.transfer = self.start(pages)

    def start(self, pages: int, *, size_bytes: int = 0) -> Transfer:
        transfer = Transfer(KIND, size_bytes or pages * PAGE, GEOMETRY)
        self.schedule.start(transfer, terms_max=4, retained_pages=512)
        return transfer

    def elect(self) -> None:
        self.clock.elect(0.0)

    def report(self, target: int, tx_seen: int, lost: dict[int, int], now: float = 0.0) -> None:
        """A report of what this target lost: page -> mask."""
        needs = tuple((page, 1, mask) for page, mask in lost.items())
        end = self.transfer.next_page
        said = report(target, active=KIND, tx_seen=tx_seen, needs_end=end, needs=needs)
        found(self.roster, target).receive_report(said, None, now)
        self.transfer.receive_claim(target, tx_seen, end, needs)
        self.schedule.on_reports(now)


def test_nothing_leaves_without_a_transfer() -> None:
    cast = Cast(1)
    cast.schedule.transfer = None
    assert cast.schedule.sends(0.0) == []
    assert cast.timers.next_timeout() is None


def test_pages_leave_in_order_until_the_window_is_full() -> None:
    cast = Cast(99)
    sent = [cast.schedule.sends(0.0) for _ in range(3)]
    assert [len(sends) for sends in sent] == [PLANNED_MAX, WINDOW_BURSTS_START - PLANNED_MAX, 0]
    assert sent[0] + sent[1] == [SendPage(KIND, page, 0, page + 1) for page in range(WINDOW_BURSTS_START)]


def test_a_status_uses_up_a_tx() -> None:
    cast = Cast(2)
    assert cast.schedule.stamp(0.0) == 1
    assert [send.tx for send in cast.schedule.sends(0.0) if isinstance(send, SendPage)] == [2, 3]


def test_the_cap_charges_the_bytes_of_a_short_page() -> None:
    cast = Cast(1, pages_per_s=1 / PAGE)  # 1 byte/s
    cast.transfer = cast.start(1, size_bytes=1)
    cast.schedule.sends(0.0)
    assert cast.clock.window.opens_at(0.0) == pytest.approx(1 + TAG_BYTES)
    now = cast.clock.window.opens_at(0.0) or 0.0
    cast.report(0, cast.schedule.stamp(now), {0: 0b1}, now)
    assert cast.schedule.sends(now) == [SendPage(KIND, 0, 0, cast.schedule.tx, True)]
    assert cast.clock.window.opens_at(now) == pytest.approx(now + 1 + TAG_BYTES)


def test_a_closed_window_lets_nothing_through_but_asks() -> None:
    cast = Cast(99)
    while cast.schedule.sends(0.0):
        pass
    assert not cast.schedule.handle_timeout(POLL_CLOSED_S / 2)
    assert cast.schedule.handle_timeout(POLL_CLOSED_S)
    assert cast.schedule.sends(POLL_CLOSED_S) == []


def test_a_closed_window_asks_no_more_often_than_answers_can_come() -> None:
    cast = Cast(99)
    cast.elect()
    cast.clock.monitors[0].delay.add(0.2, 0.0)
    while cast.schedule.sends(0.0):
        pass
    assert not cast.schedule.handle_timeout(0.19)
    assert cast.schedule.handle_timeout(0.2)


def test_while_one_keeps_the_window_closed_the_others_get_their_repairs() -> None:
    cast = Cast(99, targets=2)
    while cast.schedule.sends(0.0):
        pass
    tx = cast.schedule.stamp(0.0)
    cast.report(0, tx, {1: 0, 2: 0})
    cast.report(1, tx, {7: 0b10})
    cast.elect()
    found(cast.roster, 1).flow.tx_done = tx
    late = REPAIR_PATIENCE_S * 1.5
    cast.schedule.handle_timeout(late)
    assert cast.schedule.sends(late) == [SendPage(KIND, 7, 0b10, tx + 1, True)]


def poll_waits(cast: Cast, count: int, now: float = 0.0) -> list[float]:
    waits = []
    for _ in range(count):
        cast.schedule.sends(now)
        deadline = cast.timers.next_timeout()
        assert deadline is not None
        waits.append(deadline - now)
        now = deadline
        assert cast.schedule.handle_timeout(now)
    return waits


def test_polls_get_rarer_until_something_gets_done() -> None:
    cast = Cast(0)
    waits = poll_waits(cast, 20)
    assert waits == pytest.approx(sorted(waits))
    assert waits[0] == pytest.approx(POLL_MIN_S)
    assert waits[-1] == pytest.approx(POLL_MAX_S)
    cast.timers.stop(Timer.POLL)
    cast.schedule.on_progress()
    assert poll_waits(cast, 1, 99.0) == [pytest.approx(POLL_MIN_S)]


def test_no_poll_while_bursts_are_sent() -> None:
    cast = Cast(0)
    cast.schedule.sends(0.0)
    assert cast.timers.is_set(Timer.POLL)
    cast.start(99)
    assert len(cast.schedule.sends(0.0)) == PLANNED_MAX
    assert not cast.timers.is_set(Timer.POLL)


def test_polls_leave_everyone_time_to_report() -> None:
    cast = Cast(0, targets=1000)
    assert poll_waits(cast, 1) == [pytest.approx(cast.roster.audience.cycle_s)]


def test_the_rate_cap_holds() -> None:
    cast = Cast(30, pages_per_s=100)
    now, sent = 5.0, 0
    for _ in range(20):
        sent += len(cast.schedule.sends(now))
        assert not cast.timers.is_set(Timer.POLL)  # what is late is late because of us
        deadline = cast.timers.next_timeout()
        assert deadline is not None
        assert sent <= 100 * (now - 5.0 + RATE_CREDIT_S) + 1.01
        now = max(now, deadline)
        cast.schedule.handle_timeout(now)
    assert sent >= 20


def test_with_everything_sent_losses_are_repaired_at_once() -> None:
    cast = Cast(3)
    cast.schedule.sends(0.0)
    cast.report(0, cast.schedule.stamp(0.0), {1: 0b10})
    assert cast.schedule.sends(0.0) == [SendPage(KIND, 1, 0b10, 5, True)]
    assert cast.schedule.sends(0.0) == []
    assert cast.schedule.packets_repaired == 1


def test_repairs_count_over_all_transfers() -> None:
    cast = Cast(3, targets=2)
    cast.schedule.sends(0.0)
    tx = cast.schedule.stamp(0.0)
    cast.report(0, tx, {1: 0b10})
    cast.report(1, tx, {0: 0b10})
    cast.schedule.sends(0.0)
    cast.start(3)
    assert cast.schedule.packets_repaired == 1


def test_repairs_wait_for_answering_targets_up_to_a_limit() -> None:
    cast = Cast(3, targets=2)
    cast.schedule.sends(0.0)
    cast.report(0, cast.schedule.stamp(0.0), {1: 0b10})
    assert cast.schedule.sends(0.0) == []
    late = REPAIR_PATIENCE_S * 1.5
    cast.schedule.handle_timeout(late)
    assert SendPage(KIND, 1, 0b10, 5, True) in cast.schedule.sends(late)


def test_repairs_do_not_wait_for_silent_targets() -> None:
    cast = Cast(3, targets=2)
    cast.schedule.sends(0.0)
    cast.report(0, cast.schedule.stamp(0.0), {1: 0b10}, now=9.0)
    assert cast.schedule.sends(9.0) == [SendPage(KIND, 1, 0b10, 5, True)]


@pytest.mark.parametrize(
    ("targets", "later_s", "is_repaired"),
    [(1, 1.5 * LONE_PATIENCE_S, True), (1, 0.5 * LONE_PATIENCE_S, False), (2, 1.5 * REPAIR_PATIENCE_S, False)],
)
def test_losses_of_a_single_target_wait_for_no_company(targets: int, later_s: float, is_repaired: bool) -> None:
    cast = Cast(99, targets=targets)
    cast.clock.window.size = 99.0
    cast.schedule.sends(0.0)
    for target in range(targets):
        cast.report(target, cast.schedule.stamp(0.0), {1: 0b10})
    cast.schedule.sends(0.0)
    cast.schedule.handle_timeout(later_s)
    sends = cast.schedule.sends(later_s)
    assert any(isinstance(send, SendPage) and send.mask for send in sends) is is_repaired


def test_while_casting_a_few_losses_wait_for_company() -> None:
    cast = Cast(99)
    cast.schedule.sends(0.0)
    cast.report(0, cast.schedule.stamp(0.0), {1: 0b10})
    assert cast.schedule.sends(0.0)[0] == SendPage(KIND, PLANNED_MAX, 0, PLANNED_MAX + 2)
    cast.schedule.handle_timeout(REPAIR_PATIENCE_S * 1.5)
    repair = cast.schedule.sends(REPAIR_PATIENCE_S * 1.5)[0]
    assert isinstance(repair, SendPage)
    assert (repair.page, repair.mask) == (1, 0b10)


def test_pages_that_a_lost_report_told_of_are_not_taken_for_received() -> None:
    cast = Cast(99)
    while cast.schedule.sends(0.0):
        pass
    flow = found(cast.roster, 0).flow
    for first, end, looked in ((3, 6, 0), (0, 3, 3)):  # the report that the first one continues was lost
        said = report(0, active=KIND, tx_seen=cast.schedule.tx, needs_first=first, needs_end=end)
        flow.receive(said, 0.0, is_believed=True)
        cast.schedule.receive_flow(flow, None, said, 0.0)
        assert flow.looked_page == looked
