"""Schedule: what leaves the caster next, and under which tx: repairs first, then what was never sent."""

from __future__ import annotations

from dataclasses import replace

from mrsync.protocol.clock import Clock
from mrsync.protocol.flow import Audience, Flow
from mrsync.protocol.repairs import Repairs
from mrsync.protocol.sends import Send
from mrsync.protocol.timers import Timer, TimerTable
from mrsync.protocol.transfer import Transfer
from mrsync.wire.limits import TX_MAX
from mrsync.wire.messages import Report

BURSTS_MAX = 16  # per call: reports are looked at in between
REPAIR_PATIENCE_S = 0.1  # lost packets wait that long for others to be coded with
REPAIR_PAGES = 64  # or until so many pages have losses
POLL_MIN_S = 0.005
TX_ROOM = 1 << 24  # more than is sent from one look at this to the next
POLL_MAX_S = 0.25
POLL_GROWTH = 1.5
POLL_ROUNDS_MAX = 4


class Schedule:
    """Hands out tx numbers; plans the bursts of one transfer after another, as far as window and rate allow."""

    def __init__(self, audience: Audience, clock: Clock, timers: TimerTable) -> None:
        self.tx = 0
        self.transfer: Transfer | None = None
        self._repairs: Repairs | None = None
        self._repaired_before = self._coded_before = 0  # packets of transfers that are over
        self._audience = audience
        self._clock = clock
        self._timers = timers
        self._poll_s = POLL_MIN_S
        self._is_probing = False
        self._is_halted = False
        self._is_flush_due = False
        self._tx_seen = 0  # by all targets that answer
        self._spoken_for = 0  # pages, by all targets that answer
        self._has_heard = False  # something since repairs were last thought of

    @property
    def packets_repaired(self) -> int:
        return self._repaired_before + (self._repairs.packets_sent if self._repairs else 0)

    @property
    def packets_coded(self) -> int:
        return self._coded_before + (self._repairs.packets_coded if self._repairs else 0)

    def start(self, transfer: Transfer, *, terms_max: int, retained_pages: int) -> None:
        """Cast this object from now on."""
        self._repaired_before, self._coded_before = self.packets_repaired, self.packets_coded
        self.transfer = transfer
        self._repairs = Repairs(transfer, terms_max=terms_max, retained_pages=retained_pages)

    def halt(self) -> None:
        """Nobody needs pages any more."""
        self._is_halted = True

    def forget(self, target: int) -> None:
        """Nothing is repaired for this one any more."""
        if self.transfer is not None:
            self.transfer.forget_target(target)

    def stamp(self, now: float) -> int:
        """A tx for a status, which goes out before all bursts that are planned later."""
        self.tx += 1
        self._clock.on_sent(self.tx, 0, now)
        return self.tx

    @property
    def exhaustion(self) -> str:
        """Why the session cannot go on, once hardly any tx are left; else empty."""
        return "more had to be repaired than one session can send" if self.tx > TX_MAX - TX_ROOM else ""

    def on_progress(self) -> None:
        """Some target got something done: ask soon again."""
        self._poll_s = POLL_MIN_S

    def on_reports(self, now: float) -> None:
        """Reports came in: what did everyone who answers hear and speak of?"""
        if self.transfer is not None:
            kind = self.transfer.kind
            answering = self._audience.answering(now)
            self._tx_seen = min((flow.tx_seen for flow in answering), default=0)
            self._spoken_for = min((flow.spoken_for(kind) for flow in answering), default=0)
            self._has_heard = True

    def believable(self, report: Report) -> Report:
        """Packets with invented tx numbers may have made a catcher believe in more than was sent."""
        if report.tx_done <= report.tx_seen <= self.tx:
            return report
        seen = min(report.tx_seen, self.tx)
        return replace(report, tx_seen=seen, tx_done=min(report.tx_done, seen))

    def receive_flow(self, flow: Flow, old: Report | None, report: Report, now: float) -> None:
        """Claims and flow control of a report; old: the one before it."""
        transfer = self.transfer
        if transfer is not None and report.active is transfer.kind:
            lost = transfer.receive_claim(flow.id, report.tx_seen, report.needs_end, report.needs)
            if lost:
                self._clock.on_lost(flow, lost)
        self._clock.on_report(flow, old, report, self.tx, now)

    def handle_timeout(self, now: float) -> bool:
        """Do what is due; True when everyone is to be asked for a report."""
        self._timers.take_expired(Timer.RATE, now)
        self._is_flush_due |= self._timers.take_expired(Timer.FLUSH, now)
        if not self._timers.take_expired(Timer.POLL, now):
            return False
        self._is_probing = True
        poll_max = max(POLL_MAX_S, POLL_ROUNDS_MAX * self._audience.round_s)
        self._poll_s = min(self._poll_s * POLL_GROWTH, poll_max)
        return True

    def sends(self, now: float) -> list[Send]:
        """The bursts that may go out now."""
        transfer, repairs = self.transfer, self._repairs
        if transfer is None or repairs is None:
            return []
        room = min(BURSTS_MAX, self._clock.window.room(self.tx, self._clock.tx_done(now)))
        if self._is_probing:
            room = max(1, room)  # a closed window must not keep everyone from being repaired
            self._is_probing = False
        if self._is_halted:
            room = 0
        if room and not repairs.is_waiting:
            self._plan_repairs(transfer, repairs, now)
        sends = self._next_sends(transfer, repairs, room, now)
        if sends:
            self._timers.stop(Timer.POLL)
        if len(sends) < BURSTS_MAX and not self._timers.is_set(Timer.RATE):
            self._timers.advance(Timer.POLL, now + max(self._poll_s, self._audience.round_s))
        return sends

    def _next_sends(self, transfer: Transfer, repairs: Repairs, room: int, now: float) -> list[Send]:
        sends: list[Send] = []
        clock = self._clock
        while len(sends) < room and (repairs.is_waiting or not transfer.is_sent):
            opens_at = clock.window.opens_at(now)
            if opens_at is not None:
                self._timers.set(Timer.RATE, opens_at)
                break
            self.tx += 1
            if repairs.is_waiting:
                send, packets = repairs.next_repair(self.tx)
                sends.append(send)
            else:
                first = transfer.first_send(self.tx)
                packets = transfer.packet_count(first.page)
                sends.append(first)
            clock.on_sent(self.tx, packets, now)
        return sends

    def _plan_repairs(self, transfer: Transfer, repairs: Repairs, now: float) -> None:
        """Plan what is due: enough company for coding, waited long enough, or nothing else to send."""
        missing = transfer.missing_pages
        if not missing:
            self._end_flush()
        elif self._is_flush_due:
            repairs.plan(transfer.ripe_pages(self._tx_seen, self._spoken_for) or transfer.all_missing())
            self._end_flush()
        else:
            self._timers.advance(Timer.FLUSH, now + REPAIR_PATIENCE_S + 2 * self._audience.round_s)
            enough = 1 if transfer.is_sent else REPAIR_PAGES
            if self._has_heard and missing >= enough:
                pages = transfer.ripe_pages(self._tx_seen, self._spoken_for)
                if len(pages) >= enough:
                    repairs.plan(pages)
                    self._end_flush()
            self._has_heard = False

    def _end_flush(self) -> None:
        self._timers.stop(Timer.FLUSH)
        self._is_flush_due = False
