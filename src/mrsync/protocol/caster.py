"""Caster: the sending side of a session as a state machine without I/O.

After any call the driver drains `sends`, then `next_event`, then re-arms one timer for `next_timeout`. Input from the network never raises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from mrsync.protocol.admission import Admission
from mrsync.protocol.clock import ELECTION_S, Clock
from mrsync.protocol.commits import Commits
from mrsync.protocol.events import (
    CasterEvent,
    CastFinished,
    ComparisonFinished,
    FileSatOut,
    PhaseEntered,
    TargetEnded,
    TargetJoined,
)
from mrsync.protocol.liveness import overdue_reason
from mrsync.protocol.ranges import RangeSet
from mrsync.protocol.roster import Roster, Target
from mrsync.protocol.sends import Address, Send, SendCoded, SendMessage, SendPage
from mrsync.protocol.states import PHASES, TargetState, TargetTrigger, Trigger, step
from mrsync.protocol.timers import Timer, TimerTable
from mrsync.protocol.transfer import Transfer
from mrsync.protocol.window import Window
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import TERMS_MAX
from mrsync.wire.messages import (
    Ack,
    ComparedRecord,
    Ending,
    ErrorRecord,
    FailedRecord,
    Farewell,
    Hello,
    Message,
    NeedsRecord,
    ObjectKind,
    ObjectState,
    Phase,
    Record,
    Report,
    ResultRecord,
    SatOutRecord,
    SealKind,
    Status,
    Welcome,
)

STATUS_S = 0.1
POLL_MIN_S = 0.005
POLL_MAX_S = 0.25
SLOT_S = 0.00025  # between two reports of a round: 4000 reports/s whatever the number of targets
REPORT_INTERVAL_MIN_S = 0.02
BURSTS_MAX = 16  # per call of sends: reports are looked at in between
REPAIR_PATIENCE_S = 0.1  # lost packets wait that long for others to be coded with
GATHER_STATUS_S = 0.02
REPAIR_PAGES = 64  # or until so many pages have losses
LINGER_S = 0.003
LINGER_COUNT = 3
LIVENESS_SHARE = 20  # looks per ack wait


@dataclass(frozen=True)
class CasterConfig:
    """What does not change during a session; times in seconds, rate in bytes/s of payload."""

    session: int
    geometry: Geometry
    names: Mapping[int, str]  # target id -> name
    seals: int  # bit set of the seals this end has
    must_encrypt: bool = False
    ack_wait_s: float = 60.0
    quit_on_bad: bool = False
    rate_bytes_s: float | None = None


@dataclass(frozen=True)
class CasterStatistics:
    """Numbers for progress and reports."""

    phase: Phase
    seal: SealKind
    tx: int
    pages: int
    pages_sent: int
    pages_held: int  # by the slowest live target
    packets_repaired: int
    packets_coded: int
    window_pages: int
    window_cuts: int
    monitor: str | None
    rtt_us: dict[int, int]


class Caster:
    """Gathers targets, casts manifest, plan and contents, repairs, grants commits, learns every result."""

    def __init__(self, config: CasterConfig, now: float) -> None:
        self.roster = Roster(dict(config.names))
        self.phase = Phase.GATHERING
        self.abort_reason = ""
        self._config = config
        self._seal = SealKind.NONE
        self._admission = Admission(config.seals, config.must_encrypt)
        self._tx = 0
        self._counter = 0
        self._clock = Clock(
            Window(
                rate_bytes_s=config.rate_bytes_s,
                page_bytes=config.geometry.page_bytes,
                packets=config.geometry.packets,
            ),
            config.geometry.packets,
        )
        self._objects = [ObjectState(), ObjectState(), ObjectState()]
        self._transfer: Transfer | None = None
        self._contents_bytes = 0
        self._commits = Commits(0)
        self._repaired_before = [0, 0]  # packets of finished transfers: repaired, coded
        self._is_compared = False
        self._is_flush_due = False
        self._poll_s = POLL_MIN_S
        self._linger = LINGER_COUNT
        self._messages: list[SendMessage] = []
        self._events: deque[CasterEvent] = deque()
        self._timers = TimerTable()
        self._timers.set(Timer.STATUS, now)
        self._timers.set(Timer.GATHER, now + config.ack_wait_s)
        self._timers.set(Timer.LIVENESS, now + config.ack_wait_s / LIVENESS_SHARE)

    # inputs from the application

    def offer_manifest(self, size_bytes: int) -> None:
        """The manifest is there; it is cast as soon as targets are gathered."""
        self._objects[ObjectKind.MANIFEST] = ObjectState(size_bytes, 0)
        self._timers.set(Timer.CHECK, 0.0)

    def offer_plan(self, size_bytes: int, contents_bytes: int, file_count: int, now: float) -> None:
        """Answer to ComparisonFinished; without files the session goes on to finish."""
        if self.phase is not Phase.COMPARING:
            return
        self._commits = Commits(file_count)
        self._contents_bytes = contents_bytes
        if file_count:
            self._objects[ObjectKind.CONTENTS] = ObjectState(contents_bytes, 0)  # known before the first page
            self._enter(Trigger.PLANNED, now)
            self._start_transfer(ObjectKind.PLAN, size_bytes)
        else:
            self._enter(Trigger.NOTHING_PLANNED, now)

    def void_file(self, index: int) -> None:
        """The source of this plan file changed: nobody puts it into place. Comes before its last page is sent."""
        self._commits.except_file(index)

    def give_up(self, target_id: int, reason: str, now: float) -> None:
        """The application knows that this target cannot go on (its process ended, its launch failed)."""
        target = self.roster.find(target_id)
        if target is not None and target.state in (TargetState.EXPECTED, TargetState.PRESENT):
            self._end_target(target, TargetTrigger.FAILURE, reason, now)

    def abort(self, reason: str, now: float) -> None:
        """End the session at once: catchers stop and clean up."""
        if self.phase in (Phase.DONE, Phase.ABORTED):
            return
        self.abort_reason = reason
        for target in list(self.roster.live):
            self._farewell(target, Ending.ABORTED, reason)
        self._enter(Trigger.ABANDONED, now)

    # inputs from the driver

    def receive_message(self, message: Message, source: Address, now: float) -> None:
        """Take an authentic message; never raises."""
        if isinstance(message, Hello):
            self._receive_hello(message, source, now)
        elif isinstance(message, Report):
            self._receive_report(message, source, now)

    def handle_timeout(self, now: float) -> None:
        """Do what is due; early or twice changes nothing."""
        timers = self._timers
        if timers.take_expired(Timer.LIVENESS, now):
            self._end_overdue(now)
            timers.set(Timer.LIVENESS, now + self._config.ack_wait_s / LIVENESS_SHARE)
        if timers.take_expired(Timer.ELECT, now):
            self._elect(now)
        if timers.take_expired(Timer.CHECK, now) or timers.take_expired(Timer.GATHER, now):
            self._advance(now)
        if timers.take_expired(Timer.POLL, now):
            self._queue_status(now, is_poll=True)
            self._poll_s = min(self._poll_s * 1.5, max(POLL_MAX_S, self._round_s()))
        if timers.take_expired(Timer.STATUS, now):
            self._queue_status(now, is_poll=False)
        if timers.take_expired(Timer.LINGER, now):
            self._go_on_lingering(now)
        timers.take_expired(Timer.RATE, now)
        if timers.take_expired(Timer.FLUSH, now):
            self._is_flush_due = True

    # outputs

    def sends(self, now: float) -> list[Send]:
        """What to send now, in this order; empty when there is nothing."""
        sends: list[Send] = list(self._messages)
        self._messages.clear()
        if self._transfer is not None:
            self._plan_bursts(self._transfer, sends, now)
        return sends

    def next_event(self) -> CasterEvent | None:
        return self._events.popleft() if self._events else None

    def next_timeout(self) -> float | None:
        return self._timers.next_timeout()

    def statistics(self) -> CasterStatistics:
        """Where the session stands; pages are those of the contents."""
        contents = self._objects[ObjectKind.CONTENTS]
        transfer = self._transfer
        is_casting = transfer is not None and transfer.kind is ObjectKind.CONTENTS
        pages = transfer.page_count if transfer is not None and is_casting else 0
        held = self.roster.lowest(lambda target: target.frontier(ObjectKind.CONTENTS)) if is_casting else 0
        repaired, coded = self._repaired_before
        if transfer is not None:
            repaired += transfer.packets_repaired
            coded += transfer.packets_coded
        return CasterStatistics(
            phase=self.phase,
            seal=self._seal,
            tx=self._tx,
            pages=pages,
            pages_sent=contents.pages_sent,
            pages_held=min(held, pages),
            packets_repaired=repaired,
            packets_coded=coded,
            window_pages=int(self._clock.window.size),
            window_cuts=self._clock.window.cuts,
            monitor=self._clock.monitors[0].name if self._clock.monitors else None,
            rtt_us=self._clock.rtt_us,
        )

    # hello and reports

    def _receive_hello(self, hello: Hello, source: Address, now: float) -> None:
        target = self.roster.find(hello.target)
        if target is None:
            self._refuse(hello.target, source, "this number is not on the caster's roster")
            return
        if target.is_live and target.hello is not None and target.hello.instance == hello.instance:
            target.source = source
            self._welcome(target, hello, source)
            return
        is_open = self.phase is Phase.GATHERING or (self.phase is Phase.COMPARING and not self._is_compared)
        refusal = self._admission.refusal(target, hello, self._seal, is_open=is_open, now=now)
        if refusal:
            self._refuse(hello.target, source, refusal)
            if target.state in (TargetState.EXPECTED, TargetState.UNREACHABLE):
                self._end_target(target, TargetTrigger.REFUSAL, refusal, now)
            return
        if target.is_live:
            self._forget(target)
            target = self.roster.renew(target)
        elif target.state not in (TargetState.EXPECTED, TargetState.UNREACHABLE):
            self._refuse(hello.target, source, target.reason)
            return
        self.roster.admit(target, hello, source, now)
        self._clock.window.on_buffer(hello.buffer_bytes)
        self._welcome(target, hello, source)
        self._events.append(TargetJoined(target.id))
        self._elect(now)
        self._check_soon(now)

    def _welcome(self, target: Target, hello: Hello, source: Address) -> None:
        welcome = Welcome(hello.instance, self._next_counter(), target.id, target.slot)
        self._messages.append(SendMessage(welcome, source))

    def _refuse(self, target_id: int, source: Address, reason: str) -> None:
        farewell = Farewell(target_id, self._next_counter(), Ending.REFUSED, reason)
        self._messages.append(SendMessage(farewell, source))

    def _receive_report(self, report: Report, source: Address, now: float) -> None:
        target = self.roster.find(report.target)
        if target is None or target.hello is None or target.hello.instance != report.instance:
            return
        if not target.is_live:
            if target.state is not TargetState.DONE:
                self._farewell(target, Ending.DROPPED, target.reason)
            return
        if report.counter <= target.counter or report.tx_seen > self._tx or report.tx_done > report.tx_seen:
            return
        old = target.report
        target.counter = report.counter
        target.source = source
        target.heard_at = now
        if old is None or _shows_progress(old, report):
            target.progress_at = now
            self._poll_s = POLL_MIN_S
        records = target.log.feed(report.log_offset, report.log_bytes)
        target.report = report
        if records is None:
            self._end_target(target, TargetTrigger.FAILURE, "sent a log that makes no sense", now)
            return
        for record in records:
            self._receive_record(target, record, now)
        if report.log_bytes:
            self._messages.append(SendMessage(Ack(target.id, self._next_counter(), target.log.offset), target.source))
        if target.is_live:
            self._receive_flow(target, old, report, now)
        self._check_soon(now)

    def _receive_flow(self, target: Target, old: Report | None, report: Report, now: float) -> None:
        """Claims and flow control of a report."""
        transfer = self._transfer
        if transfer is not None and report.active is transfer.kind:
            lost = transfer.receive_claim(target.id, report.tx_seen, report.needs_end, report.needs)
            if lost:
                self._clock.on_lost(target, lost, len(self.roster.live), self._tx, now)
        self._clock.on_report(target, old, report, self._tx, now)

    def _receive_record(self, target: Target, record: Record, now: float) -> None:
        if isinstance(record, NeedsRecord):
            target.needs.update(record.ranges)
        elif isinstance(record, ComparedRecord):
            target.compared = record
        elif isinstance(record, SatOutRecord):
            if record.index < self._commits.file_count:
                target.sat_out[record.index] = record.errno
                self._commits.except_file(record.index)
                self._events.append(FileSatOut(target.id, record.index, record.errno))
        elif isinstance(record, ErrorRecord):
            target.errors.append(record)
        elif isinstance(record, ResultRecord):
            target.result = record
        elif isinstance(record, FailedRecord) and target.is_live:
            self._end_target(target, TargetTrigger.FAILURE, record.reason, now)

    # the end of a target

    def _end_target(self, target: Target, trigger: TargetTrigger, reason: str, now: float) -> None:
        was_live = target.is_live
        self.roster.end(target, trigger, reason, now)
        if was_live:
            self._forget(target)
            self._farewell(target, Ending.DROPPED, reason)
            self._elect(now)
        self._events.append(TargetEnded(target.id))
        if self._config.quit_on_bad:
            self.abort(f"{target.name}: {reason}", now)
        self._check_soon(now)

    def _forget(self, target: Target) -> None:
        if self._transfer is not None:
            self._transfer.forget_target(target.id)

    def _farewell(self, target: Target, ending: Ending, reason: str) -> None:
        if target.source is not None:
            self._messages.append(SendMessage(Farewell(target.id, self._next_counter(), ending, reason), target.source))

    def _end_overdue(self, now: float) -> None:
        sent = self._transfer.next_page if self._transfer is not None else 0
        for target in list(self.roster.live):
            reason = overdue_reason(
                target,
                phase=self.phase,
                pages_sent=sent,
                commit_end=self._commits.span.end,
                file_count=self._commits.file_count,
                ack_wait_s=self._config.ack_wait_s,
                now=now,
            )
            if reason:
                self._end_target(target, TargetTrigger.SILENCE, reason, now)

    # phases

    def _check_soon(self, now: float) -> None:
        """Look at all targets soon: at once while they are few, at most once per half round when they are many."""
        live = len(self.roster.live)
        self._timers.advance(Timer.CHECK, now if live <= 32 else now + self._round_s() / 2)

    def _advance(self, now: float) -> None:
        if self.phase is Phase.GATHERING:
            self._advance_gathering(now)
        elif not self.roster.live and self.phase not in (Phase.DONE, Phase.ABORTED):
            self.abort("every target is lost", now)
        elif self.phase is Phase.COMPARING:
            if not self._is_compared and self.roster.every(lambda target: target.compared is not None):
                self._is_compared = True
                needs = RangeSet()
                for target in self.roster.live:
                    needs.update(target.needs)
                self._events.append(ComparisonFinished(needs))
        elif self.phase is Phase.PLANNING:
            if self.roster.every(lambda target: _is_active(target, ObjectKind.CONTENTS)):
                self._enter(Trigger.PLAN_HELD, now)
                self._start_transfer(ObjectKind.CONTENTS, self._contents_bytes)
        elif self.phase is Phase.CASTING:
            self._advance_casting(now)
        elif self.phase is Phase.FINISHING and self.roster.every(lambda target: target.result is not None):
            for target in list(self.roster.live):
                self.roster.end(target, TargetTrigger.RESULT, "", now)
                self._farewell(target, Ending.DONE, "")
                self._events.append(TargetEnded(target.id))
            self._enter(Trigger.RESULTS_KNOWN, now)

    def _advance_gathering(self, now: float) -> None:
        is_over = not self._timers.is_set(Timer.GATHER)
        expected = self.roster.expected()
        if not expected and not self.roster.live:
            self.abort("no target could be reached", now)
            return
        if not self._objects[ObjectKind.MANIFEST].size_bytes or (expected and not is_over):
            return
        for target in expected:
            self._end_target(target, TargetTrigger.ABSENCE, f"not heard of within {self._config.ack_wait_s:g} s", now)
        if self.phase is not Phase.GATHERING:
            return
        if not self.roster.live:
            self.abort("no target could be reached", now)
            return
        self._timers.stop(Timer.GATHER)
        self._seal = self._admission.choose(self.roster.common_seals())
        self._enter(Trigger.GATHERED, now)
        self._start_transfer(ObjectKind.MANIFEST, self._objects[ObjectKind.MANIFEST].size_bytes)

    def _advance_casting(self, now: float) -> None:
        if self._commits.update(self.roster):
            self._timers.set(Timer.STATUS, now)
        commits = self._commits
        pages = self._transfer.page_count if self._transfer is not None else 0
        if commits.span.end == commits.file_count and self.roster.every(
            lambda target: target.committed >= commits.file_count and target.frontier(ObjectKind.CONTENTS) >= pages
        ):
            self._enter(Trigger.COMMITTED, now)

    def _enter(self, trigger: Trigger, now: float) -> None:
        self.phase = step(PHASES, self.phase, trigger)
        self._events.append(PhaseEntered(self.phase))
        self._poll_s = POLL_MIN_S
        if self.phase in (Phase.DONE, Phase.ABORTED):
            self._transfer = None
            self._timers.stop_all()
            self._timers.set(Timer.LINGER, now)
        else:
            self._timers.set(Timer.STATUS, now)
            self._timers.advance(Timer.CHECK, now)

    def _start_transfer(self, kind: ObjectKind, size_bytes: int) -> None:
        if self._transfer is not None:
            self._repaired_before[0] += self._transfer.packets_repaired
            self._repaired_before[1] += self._transfer.packets_coded
        retained = min((target.hello.retained_pages for target in self.roster.live if target.hello), default=0)
        terms = max(2, min(TERMS_MAX, len(self._config.names)))
        self._objects[kind] = ObjectState(size_bytes, 0)
        self._transfer = Transfer(kind, size_bytes, self._config.geometry, terms_max=terms, retained_pages=retained)

    def _go_on_lingering(self, now: float) -> None:
        """The last status, a few times: a catcher that misses them all ends by silence or the end of its stdin."""
        self._linger -= 1
        if self._linger < 0:
            self._events.append(CastFinished(self.phase))
            return
        self._queue_status(now, is_poll=False)
        self._timers.stop(Timer.STATUS)
        self._timers.set(Timer.LINGER, now + LINGER_S)

    # bursts and status

    def _plan_bursts(self, transfer: Transfer, sends: list[Send], now: float) -> None:
        opens_at = self._clock.window.opens_at(now)
        if opens_at is not None:
            self._timers.set(Timer.RATE, opens_at)
            return
        tx_done = self._clock.tx_done(now)
        room = min(BURSTS_MAX, self._clock.window.room(self._tx, tx_done))
        planned = self._plan_repairs(transfer, room, now) if room else []
        while len(planned) < room and not transfer.is_sent:
            planned.append(transfer.first_send(self._tx + 1 + len(planned)))
        for send in planned:
            self._tx += 1
            self._clock.on_sent(self._tx, self._packets(send), now)
        if planned:
            self._timers.stop(Timer.POLL)
            self._objects[transfer.kind] = ObjectState(transfer.size_bytes, transfer.next_page)
            sends += planned
        if len(planned) < BURSTS_MAX:
            self._timers.advance(Timer.POLL, now + max(self._poll_s, self._round_s()))

    def _plan_repairs(self, transfer: Transfer, room: int, now: float) -> list[Send]:
        """Repairs that are due: enough company for coding, waited long enough, or nothing else to send."""
        missing = transfer.missing_pages
        if not missing:
            self._timers.stop(Timer.FLUSH)
            self._is_flush_due = False
            return []
        if not self._is_flush_due:
            self._timers.advance(Timer.FLUSH, now + REPAIR_PATIENCE_S + 2 * self._round_s())
            if not transfer.is_sent and missing < REPAIR_PAGES:
                return []
        pages = transfer.ripe_pages(
            self.roster.lowest(lambda target: target.tx_seen), self.roster.lowest(lambda target: target.spoken_for)
        )
        if self._is_flush_due:
            pages = pages or transfer.all_missing()  # someone is silent: the others need not wait
        elif not transfer.is_sent and len(pages) < REPAIR_PAGES:
            return []
        if not pages:
            return []
        self._timers.stop(Timer.FLUSH)
        self._is_flush_due = False
        return transfer.repair(pages, self._tx + 1, room)

    def _packets(self, send: Send) -> int:
        if isinstance(send, SendPage) and send.mask:
            return bin(send.mask).count("1")
        return len(send.combinations) if isinstance(send, SendCoded) else self._config.geometry.packets

    def _queue_status(self, now: float, *, is_poll: bool) -> None:
        self._tx += 1
        self._clock.on_sent(self._tx, 0, now)
        self._messages.append(SendMessage(self._status(is_poll=is_poll), None))
        self._timers.set(Timer.STATUS, now + (GATHER_STATUS_S if self.phase is Phase.GATHERING else STATUS_S))

    def _status(self, *, is_poll: bool) -> Status:
        config = self._config
        manifest, plan, contents = self._objects
        return Status(
            session=config.session,
            counter=self._next_counter(),
            tx=self._tx,
            phase=self.phase,
            seal=self._seal,
            slice_bytes=config.geometry.slice_bytes,
            packets=config.geometry.packets,
            objects=(manifest, plan, contents),
            active=self._transfer.kind if self._transfer is not None else ObjectKind.MANIFEST,
            target_count=len(self.roster),
            plan_files=self._commits.file_count,
            monitors=tuple(target.id for target in self._clock.monitors),
            report_pages=self._clock.report_pages,
            report_interval_us=int(max(REPORT_INTERVAL_MIN_S, self._round_s()) * 1e6),
            is_poll=is_poll,
            commit=self._commits.span,
            ack_wait_s=max(1, int(config.ack_wait_s)),
        )

    def _elect(self, now: float) -> None:
        if self._clock.elect(self.roster, now):
            self._timers.advance(Timer.STATUS, now)
        if self.phase not in (Phase.DONE, Phase.ABORTED):
            self._timers.set(Timer.ELECT, now + ELECTION_S)

    def _round_s(self) -> float:
        """Time in which every live target can report once."""
        return len(self.roster.live) * SLOT_S

    def _next_counter(self) -> int:
        self._counter += 1
        return self._counter


def _shows_progress(old: Report, new: Report) -> bool:
    return (
        new.frontier != old.frontier
        or new.activity != old.activity
        or new.log_end != old.log_end
        or new.log_offset != old.log_offset
        or new.ready != old.ready
        or new.committed != old.committed
        or new.active is not old.active
    )


def _is_active(target: Target, kind: ObjectKind) -> bool:
    return target.report is not None and target.report.active is kind
