"""Catcher: the receiving side of a session as a state machine without I/O.

After any call the driver drains `sends`, then `next_event`, then re-arms one timer for `next_timeout`. Input from the network never raises.
The data path (`receive_page`, `receive_packet`, `receive_coded`) takes plain numbers; the bytes stay with the driver.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mrsync.protocol.assembly import Assembly, Verdict
from mrsync.protocol.events import (
    CatcherEvent,
    CommitGranted,
    FinishGranted,
    ObjectHeld,
    SessionEnded,
    SessionOpened,
    Welcomed,
)
from mrsync.protocol.log import LogWriter
from mrsync.protocol.sends import Address, Send, SendMessage, Term
from mrsync.protocol.states import CATCHERS, CatcherState, CatcherTrigger, step
from mrsync.protocol.timers import Timer, TimerTable
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import TX_AHEAD_MAX
from mrsync.wire.messages import (
    Ack,
    Ending,
    Farewell,
    Hello,
    Message,
    ObjectKind,
    Phase,
    Record,
    Report,
    ResultRecord,
    SealKind,
    Status,
    Welcome,
)

HELLO_S = 0.1
SLOT_S = 0.00025  # as the caster's
KEEPALIVE_SHARE = 8  # reports per ack wait when nothing changes
KEEPALIVE_MAX_S = 1.0
LOG_RETRY_S = 0.05
SILENCE_ACK_WAITS = 2  # the master is gone after so many ack waits without anything genuine
SILENCE_AFTER_RESULT_S = 2.0  # our result is known there: only the farewell got lost
LOG_ROOM_BYTES = 600  # of a report; the rest is for needs


@dataclass(frozen=True)
class CatcherConfig:
    """What does not change during a session."""

    target: int
    instance: int  # 64 random bits
    host: str
    version: str
    seals: int
    buffer_bytes: int
    retained_pages: int
    wait_s: float = 3600.0  # for a first status


@dataclass
class Counters:
    """What the driver counts and reports carry."""

    kernel_drops: int = 0
    packets_seen: int = 0
    pages_rejected: int = 0
    coded_useless: int = 0
    queue_pages: int = 0


class Catcher:
    """Joins a session, receives objects, reports what it holds and needs, until the farewell."""

    def __init__(self, config: CatcherConfig, now: float) -> None:
        self.state = CatcherState.SEEKING
        self.counters = Counters()
        self._config = config
        self._status: Status | None = None
        self._heard_counter = -1
        self._slot = 0
        self._geometry: Geometry | None = None
        self._active = ObjectKind.MANIFEST
        self._assemblies: dict[ObjectKind, Assembly] = {}
        self._log = LogWriter()
        self._counter = 0
        self._tx_seen = 0
        self._tx_done = 0
        self._tx_done_at = now
        self._pages_done = 0  # since the last report
        self._pages_opened = 0  # and not yet written
        self._ready = self._committed = self._activity = 0
        self._granted_end = 0
        self._is_finish_granted = False
        self._is_result_logged = False
        self._packets_reported = 0
        self._is_new = True  # something to report
        self._events: deque[CatcherEvent] = deque()
        self._messages: list[SendMessage] = []
        self._timers = TimerTable()
        self._timers.set(Timer.SILENCE, now + config.wait_s)

    # inputs from the application

    def want(self, kind: ObjectKind, ranges: Iterable[tuple[int, int]], now: float) -> None:
        """The plan is understood here: of this object these ranges of pages matter."""
        if self._status is None or self._geometry is None:
            return
        size = self._status.objects[kind].size_bytes
        self._expect(kind, Assembly(size, self._geometry, ranges), now)

    def log(self, record: Record, now: float) -> None:
        """Tell the caster something that must not get lost."""
        self._log.append(record)
        self._is_result_logged = self._is_result_logged or isinstance(record, ResultRecord)
        self._report_by(now)

    def set_progress(
        self, now: float, *, ready: int | None = None, committed: int | None = None, activity: int = 0
    ) -> None:
        """Where the work on files stands; `activity` is added up and shows that something is being done."""
        before = (self._ready, self._committed)
        self._ready = self._ready if ready is None else ready
        self._committed = self._committed if committed is None else committed
        self._activity = (self._activity + activity) & 0xFFFFFFFF
        self._is_new = True
        if before != (self._ready, self._committed) and self._is_all_held():
            self._report_by(now)
        self._grant_finish()

    def stop(self, reason: str) -> None:
        """Ended from outside: end of stdin, a signal, a failure here."""
        if self.state is not CatcherState.ENDED:
            self._end(CatcherTrigger.STOP, Ending.ABORTED, reason)

    # inputs from the driver: control

    def receive_message(self, message: Message, source: Address, now: float) -> None:
        """Take an authentic message from the caster; never raises."""
        if self.state is CatcherState.ENDED:
            return
        if isinstance(message, Status):
            self._receive_status(message, now)
        elif isinstance(message, Welcome):
            self._receive_welcome(message, now)
        elif isinstance(message, Farewell) and message.target == self._config.target:
            if self.state is CatcherState.JOINED or message.ending is Ending.REFUSED:
                self._end(CatcherTrigger.FAREWELL, message.ending, message.reason)
        elif isinstance(message, Ack) and message.target == self._config.target:
            self._heard(now)
            if self._log.receive_ack(message.log_offset) and not self._log.is_acked:
                self._report_by(now)

    def handle_timeout(self, now: float) -> None:
        """Do what is due; early or twice changes nothing."""
        if self._timers.take_expired(Timer.SILENCE, now):
            self._handle_silence(now)
        if self._timers.take_expired(Timer.HELLO, now) and self.state is CatcherState.JOINING:
            self._say_hello(now)
        if self._timers.take_expired(Timer.REPORT, now) and self.state is CatcherState.JOINED:
            self._queue_report(now)

    # inputs from the driver: pages

    def receive_page(self, kind: int, page: int, generation: int, count: int, tx: int, now: float) -> bool:
        """A whole burst arrived; True: open its seal and call `page_opened` or `page_rejected`."""
        if not self._see(tx, now):
            return False
        assembly = self._assemblies.get(kind)  # type: ignore[call-overload]
        return assembly is not None and assembly.receive_page(page, count)

    def receive_packet(
        self, kind: int, page: int, generation: int, index: int, count: int, tx: int, now: float
    ) -> Verdict:
        """One packet of a page arrived: what to do with its bytes."""
        if not self._see(tx, now):
            return Verdict.IGNORE
        assembly = self._assemblies.get(kind)  # type: ignore[call-overload]
        return Verdict.IGNORE if assembly is None else assembly.receive_packet(page, generation, index, count)

    def receive_coded(self, kind: int, generation: int, terms: Sequence[Term], tx: int, now: float) -> int:
        """A coded packet arrived: the position of the one term that is missing here, or -1."""
        if not self._see(tx, now):
            return -1
        assembly = self._assemblies.get(kind)  # type: ignore[call-overload]
        return -1 if assembly is None else assembly.receive_coded(generation, terms)

    def coded_useless(self) -> None:
        """The bytes of another term were no longer at hand."""
        self.counters.coded_useless += 1

    def page_opened(self, kind: int, page: int) -> None:
        """The seal was good; the page is on its way to the disk."""
        self._assemblies[ObjectKind(kind)].opened(page)
        self._pages_opened += 1

    def page_rejected(self, kind: int, page: int) -> None:
        """The seal was bad, or there was no room: the page is needed again."""
        self._assemblies[ObjectKind(kind)].rejected(page)
        self.counters.pages_rejected += 1

    def pages_written(self, kind: int, pages: Sequence[int], tx_done: int, now: float) -> None:
        """These pages are where they belong; `tx_done` is the tx of the last of them."""
        assembly = self._assemblies[ObjectKind(kind)]
        assembly.held(pages)
        self._pages_opened -= len(pages)
        self._pages_done += len(pages)
        self._is_new = True
        self._done(self._tx_seen if self._pages_opened == 0 else tx_done, now)
        status = self._status
        if status is not None and self._pages_done >= status.report_pages and self._config.target in status.monitors:
            self._report_by(now)
        if assembly.is_whole:
            self._object_held(ObjectKind(kind), now)
        elif not self._timers.is_set(Timer.REPORT):
            self._report_by(now + self._interval_s())

    # outputs

    def sends(self, now: float) -> list[Send]:
        """What to send to the caster now."""
        sends: list[Send] = list(self._messages)
        self._messages.clear()
        return sends

    def next_event(self) -> CatcherEvent | None:
        return self._events.popleft() if self._events else None

    def next_timeout(self) -> float | None:
        return self._timers.next_timeout()

    # status

    def _receive_status(self, status: Status, now: float) -> None:
        if status.counter <= self._heard_counter:
            return
        self._heard_counter = status.counter
        self._status = status
        self._heard(now)
        if self.state is CatcherState.SEEKING:
            self.state = step(CATCHERS, self.state, CatcherTrigger.STATUS)
            self._say_hello(now)
        if status.phase in (Phase.DONE, Phase.ABORTED):
            ending = Ending.DONE if status.phase is Phase.DONE and self._is_result_logged else Ending.ABORTED
            self._end(CatcherTrigger.FAREWELL, ending, "")
            return
        if self.state is not CatcherState.JOINED:
            return
        self._see(status.tx, now)
        self._open_objects(status, now)
        self._grant_commits(status)
        self._grant_finish()
        self._schedule(status, now)

    def _open_objects(self, status: Status, now: float) -> None:
        """Learn the geometry and the objects that are cast; contents wait for the plan to be understood."""
        if self._geometry is None and status.seal is not SealKind.NONE:
            self._geometry = Geometry(status.slice_bytes, status.packets)
            self._events.append(SessionOpened(status.session, self._geometry, status.seal))
        if self._geometry is None:
            return
        for kind in (ObjectKind.MANIFEST, ObjectKind.PLAN):
            size = status.objects[kind].size_bytes
            if kind not in self._assemblies and size and status.active >= kind:
                self._assemblies[kind] = Assembly(size, self._geometry)
                if self._active < kind:
                    self._active = kind
        for kind, assembly in self._assemblies.items():
            assembly.extend_horizon(status.objects[kind].pages_sent)

    def _grant_commits(self, status: Status) -> None:
        span = status.commit
        if span.end > self._granted_end and span.first <= self._granted_end:
            first = self._granted_end
            self._granted_end = span.end
            self._events.append(CommitGranted(first, span.end, span.exceptions))

    def _grant_finish(self) -> None:
        status = self._status
        if status is None or status.phase is not Phase.FINISHING or self._is_finish_granted:
            return
        if self._committed >= status.plan_files:
            self._is_finish_granted = True
            self._events.append(FinishGranted())

    def _schedule(self, status: Status, now: float) -> None:
        """When to report next, as this status asks."""
        if status.is_poll:
            self._report_by(now + self._slot * SLOT_S)
        elif self._is_new or self.counters.packets_seen != self._packets_reported:
            self._report_by(now + self._interval_s())
        keepalive = min(KEEPALIVE_MAX_S, status.ack_wait_s / KEEPALIVE_SHARE)
        self._report_by(now + keepalive)

    # joining and ending

    def _say_hello(self, now: float) -> None:
        config = self._config
        self._counter += 1
        hello = Hello(
            target=config.target,
            instance=config.instance,
            counter=self._counter,
            seals=config.seals,
            buffer_bytes=config.buffer_bytes,
            retained_pages=config.retained_pages,
            host=config.host,
            version=config.version,
        )
        self._messages.append(SendMessage(hello, None))
        self._timers.set(Timer.HELLO, now + HELLO_S)

    def _receive_welcome(self, welcome: Welcome, now: float) -> None:
        if welcome.instance != self._config.instance or self.state is not CatcherState.JOINING:
            return
        self.state = step(CATCHERS, self.state, CatcherTrigger.WELCOME)
        self._slot = welcome.slot
        self._events.append(Welcomed())
        self._heard(now)
        self._timers.stop(Timer.HELLO)
        self._report_by(now + self._slot * SLOT_S)
        if self._status is not None:
            self._open_objects(self._status, now)

    def _handle_silence(self, now: float) -> None:
        if self.state is CatcherState.JOINED and self._is_result_logged and self._log.is_acked:
            self._end(CatcherTrigger.MASTER_SILENT, Ending.DONE, "")
        else:
            self._end(CatcherTrigger.MASTER_SILENT, Ending.ABORTED, "nothing was heard from the master any more")

    def _heard(self, now: float) -> None:
        """Something genuine came from the caster."""
        wait = SILENCE_ACK_WAITS * self._status.ack_wait_s if self._status else self._config.wait_s
        if self._is_result_logged and self._log.is_acked:
            wait = min(wait, SILENCE_AFTER_RESULT_S)
        self._timers.set(Timer.SILENCE, now + wait)

    def _end(self, trigger: CatcherTrigger, ending: Ending, reason: str) -> None:
        self.state = step(CATCHERS, self.state, trigger)
        self._timers.stop_all()
        self._messages.clear()
        self._events.append(SessionEnded(ending, reason))

    # pages

    def _see(self, tx: int, now: float) -> bool:
        """Note a tx number; False when it is beyond what the caster can have reached."""
        if tx <= self._tx_seen:
            return True
        status = self._status
        if status is None or self.state is not CatcherState.JOINED or tx > status.tx + TX_AHEAD_MAX:
            return False
        self._tx_seen = tx
        if self._pages_opened == 0:
            self._done(tx, now)
        return True

    def _done(self, tx: int, now: float) -> None:
        if tx > self._tx_done:
            self._tx_done = tx
            self._tx_done_at = now

    def _expect(self, kind: ObjectKind, assembly: Assembly, now: float) -> None:
        self._assemblies[kind] = assembly
        self._active = kind
        self._is_new = True
        self._report_by(now)
        if assembly.is_whole:
            self._object_held(kind, now)

    def _object_held(self, kind: ObjectKind, now: float) -> None:
        self._events.append(ObjectHeld(kind))
        self._report_by(now + self._slot * SLOT_S)

    def _is_all_held(self) -> bool:
        assembly = self._assemblies.get(self._active)
        return assembly is None or assembly.is_whole

    # reports

    def _interval_s(self) -> float:
        return self._status.report_interval_us / 1e6 if self._status else HELLO_S

    def _report_by(self, when: float) -> None:
        if self.state is CatcherState.JOINED:
            self._timers.advance(Timer.REPORT, when)

    def _queue_report(self, now: float) -> None:
        assembly = self._assemblies.get(self._active)
        first, end, needs = assembly.needs() if assembly is not None else (0, 0, [])
        offset, piece = self._log.chunk(LOG_ROOM_BYTES)
        self._counter += 1
        counters = self.counters
        report = Report(
            target=self._config.target,
            instance=self._config.instance,
            counter=self._counter,
            active=self._active,
            tx_seen=self._tx_seen,
            tx_done=self._tx_done,
            hold_us=max(0, min(int((now - self._tx_done_at) * 1e6), 0xFFFFFFFF)),
            frontier=assembly.frontier if assembly is not None else 0,
            ready=self._ready,
            committed=self._committed,
            activity=self._activity,
            buffer_bytes=self._config.buffer_bytes,
            kernel_drops=counters.kernel_drops,
            queue_pages=counters.queue_pages,
            packets_seen=counters.packets_seen & 0xFFFFFFFF,
            packets_lost=sum(bin(mask).count("1") if mask else run for _, run, mask in needs),
            pages_rejected=counters.pages_rejected,
            coded_useless=counters.coded_useless,
            log_end=self._log.end,
            log_offset=offset,
            log_bytes=piece,
            needs_first=first,
            needs_end=end,
            needs=tuple(needs),
        )
        self._messages.append(SendMessage(report, None))
        self._pages_done = 0
        self._packets_reported = counters.packets_seen
        self._is_new = bool(needs) or bool(piece)
        if piece:
            self._report_by(now + LOG_RETRY_S + self._interval_s())
        elif needs:
            self._report_by(now + self._interval_s())
