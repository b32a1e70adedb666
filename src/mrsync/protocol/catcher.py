"""Catcher: the receiving side of a session as a state machine without I/O.

After any call the driver drains `sends`, then `next_event`, then re-arms one timer for `next_timeout`. Input from the
network never raises. Packets of pages go to `reception`, which takes their headers; the bytes stay with the driver.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from mrsync.protocol.core.events import (
    CatcherEvent,
    ObjectHeld,
    SessionEnded,
    SessionOpened,
    Welcomed,
)
from mrsync.protocol.core.sends import CatcherSend, SendMessage
from mrsync.protocol.core.states import CATCHERS, CatcherState, CatcherTrigger, step
from mrsync.protocol.core.timers import TURN_S, Timer, TimerTable
from mrsync.protocol.receiving.assembly import Assembly
from mrsync.protocol.receiving.candidates import Candidate
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.protocol.receiving.grants import Grants
from mrsync.protocol.receiving.joining import Joining
from mrsync.protocol.receiving.reception import Counters, Reception
from mrsync.protocol.receiving.relaying import Relaying
from mrsync.protocol.receiving.report_turns import ReportTurns, cycle_s
from mrsync.protocol.receiving.reporter import Reporter
from mrsync.wire.formats.record_codec import wants_records
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import (
    Ack,
    Ending,
    Farewell,
    Message,
    ObjectKind,
    Phase,
    Probe,
    Report,
    SealKind,
    Status,
    Welcome,
)
from mrsync.wire.records import FailedRecord, LogRecord

SILENCE_ACK_WAITS = 2  # the master is gone after this many ack waits without an authentic message
SILENCE_AFTER_RESULT_S = 2.0  # the caster has the result, so only the farewell was lost
CONTINUATIONS_MAX = 3  # of a report: with losses in every page, 512 pages fit into four, as many as are retained
CONTINUED_APART_S = 0.005  # times the targets, between two such reports: an eighth of the caster's time at most


class Catcher:
    """Join a session, receive objects, and report what is held and needed, until the farewell."""

    def __init__(self, config: CatcherConfig, now: float) -> None:
        self.state = CatcherState.SEEKING
        self._config = config
        self._geometry: Geometry | None = None
        self._counter = 0
        self._continued_at = -math.inf  # the last report that did not fit into one datagram
        self.reception = Reception(now)
        self._reporter = Reporter(config.target, config.instance, config.buffer_bytes, self.reception)
        self._messages: list[CatcherSend] = []
        self._events: deque[CatcherEvent] = deque()
        self._timers = TimerTable()
        self._timers.set(Timer.SILENCE, now + config.wait_s)
        tell = self._events.append
        self._grants = Grants(self.reception, self._reporter, tell)
        self.relaying = Relaying(config, self.reception, self._next_counter, tell)
        self.reception.on_burst = self._on_burst
        self.reception.on_ignored = self._pass_by
        self.reception.on_opened = self.relaying.offer
        self._turns = ReportTurns(config.target, self.relaying, now)
        self._joining = Joining(config, self._timers, self._next_counter, self._say, tell)
        self._joining.start(now)

    @property
    def counters(self) -> Counters:
        """Counters for the driver."""
        return self.reception.counters

    @property
    def is_deaf(self) -> bool:
        """Whether pages can only come by unicast."""
        joined = self._joining.joined
        return joined is None or joined.hearing.is_deaf

    def knows(self, session: int) -> bool:
        """Return whether messages of this session may still matter."""
        return self._joining.knows(session)

    @property
    def active(self) -> ObjectKind:
        """The object of reports."""
        return self.reception.active

    @property
    def hears_session(self) -> bool:
        """Whether any session is heard."""
        return self._joining.hears_session

    @property
    def _status(self) -> Status | None:
        """The last status of the session that accepted this catcher, or None."""
        joined = self._joining.joined
        return None if joined is None else joined.status

    # inputs from the application

    def want(self, object: ObjectKind, ranges: Sequence[tuple[int, int]], now: float, *, is_less: bool = False) -> None:
        """Set which pages of an object are wanted, once the plan is decoded.

        ranges: [first, end) each, sorted. is_less: some pages with needed data are not wanted, so the caster must be
        told which are.
        """
        if self._status is None or self._geometry is None:
            return
        state = self._status.objects[object]
        assembly = Assembly(state.size_bytes, self._geometry, ranges)
        if is_less:
            for record in wants_records(assembly.page_count, ranges):
                self._reporter.log(record)
        assembly.extend_horizon(state.pages_sent)
        self.reception.expect(object, assembly)
        self._reporter.note()
        self._report_by(now)
        if assembly.is_whole:
            self._events.append(ObjectHeld(object))

    def log(self, record: LogRecord, now: float) -> None:
        """Send a record to the caster reliably. Raise the errors of encode_record."""
        self._reporter.log(record)
        self._report_by(now)

    def set_progress(
        self, now: float, *, ready: int | None = None, committed: int | None = None, activity: int = 0
    ) -> None:
        """Set the progress of work on files.

        ready: plan files below this number are staged or sat out. committed: those below are committed or exceptions.
        None: as before. activity: added to a counter that shows the caster that work goes on.
        """
        is_step = self._reporter.set_progress(ready=ready, committed=committed, activity=activity)
        assembly = self.reception.assembly
        if is_step and (assembly is None or assembly.is_whole):
            self._report_by(now)
        if self._status is not None:
            self._grants.take(self._status)

    def stop(self, reason: str, now: float) -> None:
        """End because of an event outside: end of stdin, a signal, or a failure on this host.

        One report tells the caster. If it is lost, the caster learns it from silence.
        """
        if self.state is CatcherState.ENDED:
            return
        is_missed = self.state is CatcherState.JOINED and not self._reporter.is_result_acked
        if is_missed and not self._reporter.has_result:
            self._reporter.log(FailedRecord(reason))
        self._end(CatcherTrigger.STOP, Ending.ABORTED, reason)
        if is_missed:
            self._say_report(now)

    # inputs from the driver: control

    def receive_message(self, message: Message, session: int, now: float, *, is_cast: bool = True) -> None:
        """Take an authentic message from the caster of a session. Never raise. is_cast: it was sent to the group."""
        joined = self._joining.joined
        if self.state is CatcherState.SEEKING:
            self._receive_seeking(message, session, now, is_cast=is_cast)
        elif self.state is CatcherState.JOINED and joined is not None and session == joined.session:
            self._receive_joined(joined, message, now, is_cast=is_cast)

    def _receive_seeking(self, message: Message, session: int, now: float, *, is_cast: bool) -> None:
        """Take a message of a session that has not accepted us yet. It may be a recording, so only a welcome counts."""
        if isinstance(message, Status):
            self._joining.seek(message, now, is_cast=is_cast)
            return
        candidate = self._joining.find(session)
        if candidate is None:
            return
        if isinstance(message, Probe):
            self._joining.receive_probe(candidate, message, now, is_cast=is_cast)
        elif isinstance(message, Welcome) and message.instance == self._config.instance:
            self._join(candidate, message, now)
        elif isinstance(message, Farewell) and message.instance == self._config.instance:
            self._receive_refusal(candidate, message, now)

    def _receive_joined(self, joined: Candidate, message: Message, now: float, *, is_cast: bool) -> None:
        is_ours = getattr(message, "instance", None) == self._config.instance
        if isinstance(message, Status):
            self._receive_status(joined, message, now, is_cast=is_cast)
        elif isinstance(message, Probe):
            self._joining.receive_probe(joined, message, now, is_cast=is_cast)
        elif isinstance(message, Welcome) and is_ours:
            self._receive_welcome(joined, message, now)
        elif isinstance(message, Farewell) and is_ours:
            self._end(CatcherTrigger.FAREWELL, message.ending, message.reason)
        elif isinstance(message, Ack) and is_ours:
            if self._reporter.receive_ack(message.log_offset):
                self._report_by(now + cycle_s(joined.status))
            self._heard(now)
        elif self.relaying.receive(message, now):
            self._report_by(now)

    def handle_timeout(self, now: float, *, is_drained: bool = True) -> None:
        """Do what is due. Calling it early or twice changes nothing.

        is_drained: whether all received datagrams were read. If not, neither master nor group counts as silent yet.
        """
        if is_drained and self._timers.take_expired(Timer.SILENCE, now):
            self._handle_silence()
        self._joining.handle_timeout(now, is_drained=is_drained)
        if self._timers.take_expired(Timer.REPORT, now):
            self._say_report(now)
        self.relaying.handle_timeout(now, is_drained=is_drained)

    # inputs from the driver: pages. What arrives goes to `reception`.

    def _on_burst(self, now: float) -> None:
        """Report in turn as a burst begins: where all of them lose packets, no page gets complete and is written."""
        if not self.relaying.is_fed:
            self._report_by(self._turns.in_turn(now, self._turns.interval_s(self._status)))

    def _pass_by(self, now: float) -> None:
        """Report when it is due:

        pages that this target does not need, and does not write, hold back the window, too.
        """
        if self.relaying.is_fed:
            self.relaying.note_done(now, is_written=False)
        elif self._turns.is_due(self._status, self.reception.tx_done):
            self._report_by(now)

    def page_disowned(self, object: int, page: int) -> None:
        """Request an opened page again: its digest is not the caster's, so another member has forged it."""
        self.reception.disowned(object, page)

    def ask_digests(self, page: int, now: float) -> None:
        """Report that this page of the active object waits for its digest."""
        self.counters.unverified = page + 1
        self._report_by(now)

    def pages_written(self, object: int, pages: Sequence[int], tx_done: int, now: float) -> None:
        """Note that these pages of an object are written. tx_done: up to this tx, everything that arrived is."""
        is_whole = self.reception.written(object, pages, tx_done, now)
        self._reporter.set_progress(ready=None, committed=None, activity=len(pages))
        self.relaying.note_done(now, is_written=True)
        status = self._status
        if is_whole:
            self._events.append(ObjectHeld(ObjectKind(object)))
            self._report_by(self._turns.in_turn(now, cycle_s(status)))
        elif self.relaying.is_fed:
            self._report_by(now + self._turns.interval_s(status))
        else:
            is_due = self._turns.is_due(status, self.reception.tx_done)
            self._report_by(now if is_due else self._turns.in_turn(now, self._turns.interval_s(status)))

    # outputs

    def sends(self, now: float) -> list[CatcherSend]:
        """Return what to send now, except pages for a child."""
        messages, self._messages = self._messages, []
        joined = self._joining.joined
        return messages if joined is None else messages + self.relaying.sends(joined.session)

    def next_event(self) -> CatcherEvent | None:
        return self._events.popleft() if self._events else None

    def next_timeout(self) -> float | None:
        deadlines = (self._timers.next_timeout(), self.relaying.next_timeout())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # status

    def _receive_status(self, joined: Candidate, status: Status, now: float, *, is_cast: bool) -> None:
        if status.counter <= joined.status.counter:
            return
        joined.receive_status(status, now, is_cast=is_cast)
        is_evidence = status is joined.evidence
        self._heard(now)
        if is_evidence:
            self._joining.hear_group(joined, now)
        self._joining.tell_hearing(joined, now, may_doubt=is_evidence)
        if status.phase in (Phase.DONE, Phase.ABORTED):
            is_done = status.phase is Phase.DONE and self._reporter.has_result
            self._end(CatcherTrigger.FAREWELL, Ending.DONE if is_done else Ending.ABORTED, "")
        else:
            self._take_part(joined, now)

    def _take_part(self, joined: Candidate, now: float) -> None:
        """Do what the last status allows, and report if it asks for that."""
        status = joined.status
        self._open_objects(status, now)
        self.reception.allow_generations(status)
        if status is joined.evidence and not self.relaying.is_fed:
            self.reception.believe(status, now)
        self._grants.take(status)
        if status.is_poll and not self.relaying.is_fed:  # it asks for claims, which go to the parent
            self._report_by(self._turns.in_turn(now, cycle_s(status)))
        elif self._reporter.has_news:
            self._report_by(self._turns.in_turn(now, self._turns.interval_s(status)))

    def _open_objects(self, status: Status, now: float) -> None:
        """Take geometry and objects from a status. Contents wait until the plan is decoded."""
        if status.seal is SealKind.NONE:
            return
        if self._geometry is None:
            self._geometry = Geometry(status.slice_bytes, status.packets)
            self._events.append(SessionOpened(status.session, self._geometry, status.seal))
            self.relaying.open(self._geometry, status.share, status.target_count, now)
        for object in (ObjectKind.MANIFEST, ObjectKind.PLAN, ObjectKind.PLAN_AGAIN):
            if status.active >= object and object not in self.reception:
                self.reception.expect(object, Assembly(status.objects[object].size_bytes, self._geometry))

    # joining and ending

    def _join(self, candidate: Candidate, welcome: Welcome, now: float) -> None:
        self.state = step(CATCHERS, self.state, CatcherTrigger.WELCOME)
        self._joining.join(candidate, now)
        self._turns.turn = welcome.turn
        self._events.append(Welcomed())
        self._report_by(now + welcome.turn * TURN_S)
        self._take_part(candidate, now)
        self._receive_welcome(candidate, welcome, now)

    def _receive_welcome(self, joined: Candidate, welcome: Welcome, now: float) -> None:
        if welcome.counter <= joined.welcome_counter:
            return
        self._heard(now)
        self._joining.receive_welcome(joined, welcome, now)

    def _receive_refusal(self, candidate: Candidate, farewell: Farewell, now: float) -> None:
        """Note that this session refuses us. Another one may still accept us."""
        if farewell.ending is Ending.REFUSED and self._joining.refuse(candidate, now):
            self._end(CatcherTrigger.FAREWELL, farewell.ending, farewell.reason)

    def _handle_silence(self) -> None:
        if self._reporter.is_result_acked:
            self._end(CatcherTrigger.MASTER_SILENT, Ending.DONE, "")
        elif self._joining.joined is None:
            self._end(CatcherTrigger.MASTER_SILENT, Ending.ABORTED, "no master accepted this catcher")
        else:
            self._end(CatcherTrigger.MASTER_SILENT, Ending.ABORTED, "lost contact with the master")

    def _heard(self, now: float) -> None:
        """Note that an authentic message of the caster arrived."""
        wait_s = SILENCE_ACK_WAITS * self._status.ack_wait_s if self._status else self._config.wait_s
        if self._reporter.is_result_acked:
            wait_s = min(wait_s, SILENCE_AFTER_RESULT_S)
        self._timers.set(Timer.SILENCE, now + wait_s)

    def _end(self, trigger: CatcherTrigger, ending: Ending, reason: str) -> None:
        self.state = step(CATCHERS, self.state, trigger)
        self._timers.stop_all()
        self.relaying.stop()
        self._messages.clear()
        self._events.append(SessionEnded(ending, reason))

    # reports

    def _say(self, send: CatcherSend) -> None:
        self._messages.append(send)

    def _report_by(self, when: float) -> None:
        if self.state is CatcherState.JOINED:
            self._timers.advance(Timer.REPORT, when)

    def _say_report(self, now: float) -> None:
        joined = self._joining.joined
        assert joined is not None  # otherwise no report is due
        fed_tx = joined.status.tx if self.relaying.is_fed else None
        report = self._reporter.report(self._next_counter(), now, fed_tx)
        self._messages.append(SendMessage(report, joined.session))
        if now >= self._continued_at + CONTINUED_APART_S * joined.status.target_count and not self.relaying.is_fed:
            self._say_continuations(report, joined, now)
        self.relaying.note_report(now)
        self._report_by(self._turns.on_report(report, joined.status, now))

    def _say_continuations(self, report: Report, joined: Candidate, now: float) -> None:
        """Send what did not fit into a report."""
        for _ in range(CONTINUATIONS_MAX):
            more = self._reporter.continuation(report, self._counter + 1)
            if more is None:
                return
            report = more
            self._counter += 1
            self._continued_at = now
            self._messages.append(SendMessage(report, joined.session))

    def _next_counter(self) -> int:
        self._counter += 1
        return self._counter
