"""Schedule: decide what the caster sends next, and under which tx. Repairs are mixed with first sends.

Invariants:
- Every burst and every status gets the next tx, in the order in which they leave. So a target that has seen a later tx
  than a page's last one has received all it will get of that transmission, and what it still claims is lost. This would
  break if something got its tx and then left after a later one, as the second half of a page would.
- Nothing leaves beyond the window, except REPAIRS_BEYOND repairs for targets other than those that keep it closed. They
  are counted by the clock of the fastest target. So a target that has stopped writing does not keep the others from
  being repaired until it is dropped. Counting them in its own backlog would break this, because that is what the window
  holds back.
- While both wait, one burst in three is a first send, so that the session goes on however much a target missed. Two in
  three are repairs, so that targets still hold the pages that a repair is coded with.
- A page is repaired once all answering targets have reported on it, or have had `_patience_s` to do so. The first makes
  one repair serve all targets; the second keeps a lagging target from delaying the others. A longer patience improves
  coding and delays repairs.
- A page is in one batch at a time, from being chosen until its last burst has left. Its claims do not count meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from typing import TypeVar

from mrsync.protocol.core.sends import Send, SendPage
from mrsync.protocol.core.timers import Timer, TimerTable
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.flow import Audience, Flow
from mrsync.protocol.sending.loss_trials import LossSample
from mrsync.protocol.sending.repairs import PAGES_MAX, Repairs
from mrsync.protocol.sending.transfer import Transfer
from mrsync.wire.limits import TX_MAX
from mrsync.wire.messages import Claim, FlowReport, ObjectKind, Report

REPAIR_PATIENCE_S = 0.1  # longest wait of a lost packet for others to be coded with
LONE_PATIENCE_S = 0.01  # the same with one listener: no other report is waited for, but late packets may still arrive
COMPANY_S = 1.0  # the same while first sends remain, as more of them may be lost
CHOOSE_S = 0.004  # between two choices of repairs, while there are first sends
REPAIRS_PER_FIRST = 2  # while both wait, so that a target that misses much does not stop the rest
REPAIRS_BEYOND = 2  # repairs under way by the fastest target's clock, although the slowest one's window is closed
POLL_MIN_S = 0.005
TX_ROOM = 1 << 24  # more than is sent between two checks
POLL_CLOSED_S = 0.05  # at least, while the window is closed: answers are under way
POLL_MAX_S = 0.25
POLL_GROWTH = 1.5
POLL_CYCLES_MAX = 4

_Reported = TypeVar("_Reported", Report, Claim)


class Schedule:
    """Assign tx numbers, and plan the bursts of one transfer after another within window and rate."""

    def __init__(self, audience: Audience, clock: AckClock, timers: TimerTable) -> None:
        self.tx = 0
        self.transfer: Transfer | None = None
        self._repairs: Repairs | None = None
        self._repaired_before = 0  # packets of transfers that are over
        self._audience = audience
        self._clock = clock
        self._timers = timers
        self._poll_s = POLL_MIN_S
        self._is_halted = False
        self._is_coding = False  # losses are combined
        self._is_flush_due = False
        self._tx_seen = 0  # by all targets that answer
        self._spoken_for = 0  # pages, by all targets that answer
        self._has_heard = False  # whether anything was received since repairs were last chosen
        self._choose_at = 0.0  # not before that
        self._aged_tx = 0  # targets have had time to report losses up to this tx
        self._marks: deque[tuple[float, int]] = deque()  # (time, tx) when later ones were sent
        self._beyond: deque[int] = deque()  # tx of repairs sent while the window was closed
        self._batched = 0  # pages below were in a batch if they were claimed then
        self._turn = 0  # of repairs and first sends

    @property
    def packets_repaired(self) -> int:
        return self._repaired_before + (self._repairs.packets_sent if self._repairs else 0)

    def start(self, transfer: Transfer, *, terms_max: int, retained_pages: int) -> None:
        """Cast the object of this transfer from now on.

        terms_max: most losses that one coded packet may combine; 1: none are. retained_pages: how many sealed pages the
        driver and the targets keep, behind which nothing can be coded.
        """
        self._repaired_before = self.packets_repaired
        self.transfer = transfer
        self._clock.begin_object()
        self._batched = 0
        for flow in self._audience.flows:
            flow.looked_page = 0
        self._is_coding = terms_max > 1
        self._repairs = Repairs(transfer, terms_max=terms_max, retained_pages=retained_pages)

    def forget(self, listener: int) -> None:
        """Plan no repairs for a lost listener."""
        if self.transfer is not None and self._repairs is not None:
            self.transfer.forget_target(listener)
            self._repairs.drop_unwanted(self.tx)

    def halt(self) -> None:
        """Send no more pages."""
        self._is_halted = True

    def stamp(self, now: float) -> int:
        """Return a tx for a status, which is sent before all bursts that are planned later."""
        self.tx += 1
        self._clock.on_sent(self.tx, 0, 0, now)
        self._marks.append((now, self.tx))
        return self.tx

    @property
    def exhaustion(self) -> str:
        """The reason why the session must end because hardly any tx are left; else empty."""
        return "more had to be repaired than one session can send" if self.tx > TX_MAX - TX_ROOM else ""

    def _choose(self, transfer: Transfer, slow: Set[int], now: float) -> list[int]:
        """Return pages to repair now, except those that only slow targets miss."""
        self._is_flush_due = False
        while self._marks and self._marks[0][0] <= now - self._patience_s:
            self._aged_tx = self._marks.popleft()[1]
        return transfer.choose_pages(PAGES_MAX, self._is_ripe, but=slow)

    @property
    def _patience_s(self) -> float:
        """Seconds to wait for reports on a page after it was sent."""
        audience = self._audience
        return LONE_PATIENCE_S if len(audience.flows) == 1 else REPAIR_PATIENCE_S + 2 * audience.cycle_s

    def on_progress(self, flow: Flow | None = None) -> None:
        """Note progress, of this listener or in general. Poll again soon, if it is a monitor."""
        if flow is None or flow in self._clock.monitors or not self._clock.monitors:
            self._poll_s = POLL_MIN_S

    def on_reports(self, now: float) -> None:
        """Update, after reports, what all answering listeners have received and reported on."""
        if self.transfer is not None:
            object = self.transfer.object
            answering = self._audience.answering(now)
            self._tx_seen = min((flow.tx_seen for flow in answering), default=0)
            self._spoken_for = min((flow.spoken_for(object) for flow in answering), default=0)
            self._has_heard = True

    def believable(self, report: _Reported) -> _Reported:
        """Return the report without tx numbers that were never sent, which forged packets may have caused."""
        if report.tx_done <= report.tx_seen <= self.tx:
            return report
        seen = min(report.tx_seen, self.tx)
        return report._replace(tx_seen=seen, tx_done=min(report.tx_done, seen))

    def receive_flow(self, flow: Flow, old: FlowReport | None, report: FlowReport, now: float) -> None:
        """Take the claims and the flow control of a report. old: the one before it."""
        transfer = self.transfer
        if transfer is not None and report.active is transfer.object:
            first, frontier = report.needs_first, report.frontier
            transfer.receive_claim(
                flow.id, report.tx_seen, report.needs_end, report.needs, first=first, frontier=frontier
            )
            self._count_losses(transfer, flow, report, now)
        self._clock.on_report(flow, old, report, self.tx, now)

    def _count_losses(self, transfer: Transfer, flow: Flow, report: FlowReport, now: float) -> None:
        """Judge the losses that a report mentions first, of pages sent at the current rate."""
        from_tx = flow.losses.from_tx
        first, end = flow.looked_page, min(flow.needs_end, transfer.sent_before(report.tx_seen))
        packets, lost, runs, missed = transfer.heard_repairs(flow.id, report.tx_seen, from_tx)
        first_tx = report.tx_seen
        if end > first:
            flow.looked_page = end
            missed += transfer.claimed_packets(flow.id, first, end)[0]
            first = max(first, transfer.sent_before(from_tx + 1))
        if end > first:
            first_tx = transfer.first_tx(first)
            claimed, outage, more = transfer.claimed_packets(flow.id, first, end)
            sent = max(0, transfer.packets_between(first, end) - outage)
            packets += sent
            lost += min(sent, claimed - outage)  # a claim counts compressed pages as if they were whole
            runs += more
        flow.losses.missed += missed
        self._clock.on_losses(flow, LossSample(packets, lost, runs), first_tx, self.tx, now)

    def on_compressed(self, object: ObjectKind, page: int, packets: int, now: float) -> None:
        """Set the number of packets of a page that is sent now."""
        if self.transfer is not None and self.transfer.object is object:
            known = self.transfer.payload_bytes(page, self.transfer.packet_count(page))
            spared = self.transfer.on_compressed(page, packets)
            self._clock.on_spared(spared, known - self.transfer.payload_bytes(page, packets), now)

    def handle_timeout(self, now: float) -> bool:
        """Do what is due. Return whether to ask all targets for a report."""
        self._timers.take_expired(Timer.RATE, now)
        self._is_flush_due |= self._timers.take_expired(Timer.FLUSH, now)
        if not self._timers.take_expired(Timer.POLL, now):
            return False
        poll_max = max(POLL_MAX_S, POLL_CYCLES_MAX * self._audience.cycle_s)
        self._poll_s = min(self._poll_s * POLL_GROWTH, poll_max)
        return True

    def window_held_by(self, now: float) -> Set[int]:
        """Return the listeners that keep the window closed, if there is more to send for the first time."""
        if self.transfer is None or self.transfer.is_sent or self._clock.window.room(self.tx, self._clock.tx_done(now)):
            return frozenset()
        return self._clock.slow(self.tx)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to send until a page or a report comes, or a timer is due."""
        transfer, repairs, timers = self.transfer, self._repairs, self._timers
        if transfer is None or repairs is None:
            return True
        return (
            transfer.is_sent
            and not repairs.is_waiting
            and not transfer.is_missed
            and not self._is_flush_due
            and timers.is_set(Timer.POLL)
            and not timers.is_set(Timer.FLUSH)
        )

    def sends(self, now: float) -> list[Send]:
        """Return the bursts that may be sent now."""
        transfer, repairs = self.transfer, self._repairs
        if transfer is None or repairs is None:
            return []
        window, until = self._clock.window, self._clock.courteous_until(now)
        if not self._clock.is_courteous(until):
            self._clock.note_limit(until, has_more=repairs.is_waiting or not transfer.is_sent)
            self._timers.advance(Timer.POLL, now + max(self._poll_s, self._answers_s, self._audience.cycle_s))
            return []
        bursts_max = self._clock.plan_max  # reports are read in between
        room = min(bursts_max, window.room(self.tx, self._clock.tx_done(now)))
        if self._is_halted:
            room = 0
        if room and not repairs.is_waiting:
            self._plan_repairs(transfer, repairs, now)
        sends = self._next_sends(transfer, repairs, room, until, now)
        self._clock.note_limit(until, has_more=repairs.is_waiting or not transfer.is_sent)
        if not room and not self._is_halted:
            sends = self._sends_beyond(transfer, repairs, now)
        if sends:
            self._timers.stop(Timer.POLL)
        if len(sends) < bursts_max and not self._timers.is_set(Timer.RATE):
            is_tail = room and transfer.is_at_end  # a relay whose next page has not come yet need not ask
            wait_s = self._poll_s if is_tail else max(self._poll_s, self._answers_s)
            self._timers.advance(Timer.POLL, now + max(wait_s, self._audience.cycle_s))
        return sends

    @property
    def _answers_s(self) -> float:
        """Seconds in which answers that are under way arrive: a poll before only keeps busy targets from answering."""
        return max(POLL_CLOSED_S, min(POLL_MAX_S, self._clock.round_trip_s))

    def _sends_beyond(self, transfer: Transfer, repairs: Repairs, now: float) -> list[Send]:
        """Return a few repairs for other targets while the window is closed, so that a slow one does not starve them.

        They have a limit of their own, counted by the fastest target's clock.
        """
        fastest = max((flow.tx_done for flow in self._audience.flows), default=0)
        while self._beyond and self._beyond[0] <= fastest:
            self._beyond.popleft()
        slow = self._clock.slow(self.tx) | self._audience.shed
        if transfer.is_missed:
            self._timers.advance(Timer.FLUSH, now + self._patience_s)
        sends: list[Send] = []
        while len(self._beyond) < REPAIRS_BEYOND and not self._awaits_rate(now):
            if not repairs.bring_forward(slow):
                if not (self._is_flush_due or self._is_time_to_choose(now)):
                    break
                repairs.plan(self._choose(transfer, slow, now))
                continue
            sends.append(self._next_repair(transfer, repairs, now))
            self._beyond.append(self.tx)
        return sends

    def _awaits_rate(self, now: float) -> bool:
        """Return whether the rate cap forbids the next burst, and set a timer then."""
        opens_at = self._clock.window.opens_at(now)
        if opens_at is not None:
            self._timers.set(Timer.RATE, opens_at)
        return opens_at is not None

    def _next_repair(self, transfer: Transfer, repairs: Repairs, now: float) -> Send:
        self.tx += 1
        send, packets = repairs.next_repair(self.tx)
        page = send.page if isinstance(send, SendPage) else 0  # coded packets are as large as those of a full page
        self._clock.on_sent(self.tx, packets, transfer.payload_bytes(page, packets), now)
        return send

    def _next_sends(self, transfer: Transfer, repairs: Repairs, room: int, until: float, now: float) -> list[Send]:
        """Return at most `room` bursts. until: see `AckClock.courteous_until`."""
        sends: list[Send] = []
        while len(sends) < room and (repairs.is_waiting or not transfer.is_sent):
            if self._awaits_rate(now) or (sends and not self._clock.is_courteous(until)):
                break  # the caller has asked for the first one whether it is courteous
            self._turn += 1
            is_first = not transfer.is_sent and self._turn % (REPAIRS_PER_FIRST + 1) == 0
            if repairs.is_waiting and not is_first:
                sends.append(self._next_repair(transfer, repairs, now))
                continue
            self.tx += 1
            first = transfer.first_send(self.tx)
            sends.append(first)
            packets = transfer.packet_count(first.page)
            self._clock.on_sent(self.tx, packets, transfer.payload_bytes(first.page, packets), now)
        return sends

    def _plan_repairs(self, transfer: Transfer, repairs: Repairs, now: float) -> None:
        """Plan repairs if there are enough to code, they have waited long enough, or nothing else is to send."""
        shed = self._audience.shed
        are_through = transfer.is_sent and self._spoken_for >= transfer.next_page
        if shed and are_through and not transfer.is_missed_by(lambda target: target not in shed):
            self._audience.take_back()
            shed = set()
        if not transfer.is_missed:
            self._end_flush()
            return
        has_company = self._is_coding and len(self._audience.flows) > 1 and not transfer.is_sent
        self._timers.advance(Timer.FLUSH, now + self._patience_s + (COMPANY_S if has_company else 0.0))
        if not (self._is_flush_due or self._is_batch_due(transfer, repairs, now)):
            return
        if pages := self._choose(transfer, shed, now):
            repairs.plan(pages)
            self._batched = max(self._batched, pages[-1] + 1)
            self._has_heard, self._choose_at = True, now  # there may be more than one batch of them
            self._end_flush()

    def _is_batch_due(self, transfer: Transfer, repairs: Repairs, now: float) -> bool:
        """Return whether to choose repairs now.

        With no first sends left: once all have reported. Before that: if enough pages are missing, or some are urgent.
        Losses of many pages can be combined better, but targets retain only some pages for decoding.
        """
        if transfer.is_sent:
            return self._spoken_for >= transfer.next_page and self._take_heard()
        spoken_for = min(self._spoken_for, transfer.next_page)
        is_worth = spoken_for - self._batched >= PAGES_MAX or repairs.is_pressing(self._batched)
        return is_worth and self._is_time_to_choose(now)

    def _take_heard(self) -> bool:
        """Return whether anything was received since the last call."""
        heard, self._has_heard = self._has_heard, False
        return heard

    def _is_time_to_choose(self, now: float) -> bool:
        """Do the same, but not too often, because looking through all claims takes time."""
        if now < self._choose_at or not self._take_heard():
            return False
        self._choose_at = now + CHOOSE_S
        return True

    def _is_ripe(self, page: int, tx: int) -> bool:
        """Return whether all have reported on this page, have had time to, or it cannot wait."""
        if tx <= self._aged_tx or (tx < self._tx_seen and page < self._spoken_for):
            return True
        return self._repairs is not None and self._repairs.is_pressing(page)

    def _end_flush(self) -> None:
        self._timers.stop(Timer.FLUSH)
        self._is_flush_due = False
