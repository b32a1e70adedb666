"""Catcher: the receiving side of a session as a state machine without I/O.

After any call the driver drains `sends`, then `next_event`, then re-arms one timer for `next_timeout`. Input from the
network never raises. The data path (`receive_page`, `receive_packet`, `receive_coded`) takes plain numbers; the bytes
stay with the driver.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mrsync.protocol.catcher_config import CatcherConfig
from mrsync.protocol.core.events import (
    CatcherEvent,
    CommitGranted,
    FinishGranted,
    GroupGivenUp,
    GroupSilent,
    ObjectHeld,
    SessionEnded,
    SessionOpened,
    Welcomed,
    Withdrawn,
)
from mrsync.protocol.core.ranges import RangeSet
from mrsync.protocol.core.sends import CatcherSend, SendKnock, SendMessage, Term
from mrsync.protocol.core.states import CATCHERS, CatcherState, CatcherTrigger, step
from mrsync.protocol.core.timers import SLOT_S, Timer, TimerTable, keepalive_s
from mrsync.protocol.receiving.assembly import Assembly, Verdict
from mrsync.protocol.receiving.candidates import Candidate, Candidates
from mrsync.protocol.receiving.reception import Reception
from mrsync.protocol.receiving.relaying import Relaying
from mrsync.protocol.receiving.reporter import Counters, Reporter
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import CONTROL_BYTES_MAX
from mrsync.wire.messages import (
    Ack,
    Ending,
    Farewell,
    Knock,
    Message,
    ObjectKind,
    Phase,
    Probe,
    SealKind,
    Status,
    Welcome,
)
from mrsync.wire.record_codec import wants_records
from mrsync.wire.records import Record

HELLO_S = 0.1
DOUBTS_S = 0.3  # repeat HELLO if no probe has arrived
KNOCK_S = 0.2  # a status is due every 0.02 s
KNOCK_MAX_S = 1.0
KNOCK_GROWTH = 1.5
RIVAL_S = 2.0  # after a refusal, wait only for sessions that sent a new status this recently
SEEKING_REJOIN_S = 60.0  # switches forget a member after 260 s
RETRY_S = 0.05  # added to the interval, because the acknowledgement of the log may be under way
SILENCE_ACK_WAITS = 2  # the master is gone after this many ack waits without an authentic message
SILENCE_AFTER_RESULT_S = 2.0  # the caster has the result, so only the farewell was lost


class Catcher:
    """Join a session, receive objects, and report what is held and needed, until the farewell."""

    def __init__(self, config: CatcherConfig, now: float) -> None:
        self.state = CatcherState.SEEKING
        self._config = config
        self._candidates = Candidates()
        self._joined: Candidate | None = None  # the session that accepted this catcher
        self._geometry: Geometry | None = None
        self._counter = 0
        self._slot = 0
        self._reported_at = now
        self._pages_done = 0  # since the last report
        self._granted_end = 0
        self._is_finish_granted = False
        self._reception = Reception(now)
        self._reporter = Reporter(config.target, config.instance, config.buffer_bytes, self._reception)
        self._knock_s = KNOCK_S if config.has_group else 0.0
        self._messages: list[CatcherSend] = []
        self._events: deque[CatcherEvent] = deque()
        counters = self._reporter.counters
        self.relaying = Relaying(config, self._reception, counters, self._next_counter, self._events.append)
        self._timers = TimerTable()
        self._timers.set(Timer.SILENCE, now + config.wait_s)
        if config.has_group:
            self._timers.set(Timer.REJOIN, now + SEEKING_REJOIN_S)
        if config.knows_master:
            self._timers.set(Timer.KNOCK, now + self._knock_s)

    @property
    def counters(self) -> Counters:
        """Counters for the driver."""
        return self._reporter.counters

    @property
    def is_deaf(self) -> bool:
        """Whether pages can only come by unicast."""
        return self._joined is None or self._joined.hearing.is_deaf

    def knows(self, session: int) -> bool:
        """Return whether messages of this session may still matter."""
        return session in self._candidates if self._joined is None else session == self._joined.session

    @property
    def active(self) -> ObjectKind:
        """The object of reports."""
        return self._reception.active

    @property
    def hears_session(self) -> bool:
        """Whether any session is heard."""
        return self._joined is not None or len(self._candidates) > 0

    @property
    def _status(self) -> Status | None:
        """The last status of the session that accepted this catcher, or None."""
        return None if self._joined is None else self._joined.status

    # inputs from the application

    def want(self, kind: ObjectKind, ranges: Sequence[tuple[int, int]], now: float, *, is_less: bool = False) -> None:
        """Set the ranges of pages of an object that are wanted, once the plan is decoded.

        is_less: some pages with needed data are not wanted, so the caster must be told which are.
        """
        if self._status is None or self._geometry is None:
            return
        state = self._status.objects[kind]
        assembly = Assembly(state.size_bytes, self._geometry, ranges)
        if is_less:
            for record in wants_records(assembly.page_count, ranges):
                self._reporter.log(record)
        assembly.extend_horizon(state.pages_sent)
        self._reception.expect(kind, assembly)
        self._reporter.note()
        self._report_by(now)
        if assembly.is_whole:
            self._events.append(ObjectHeld(kind))

    def log(self, record: Record, now: float) -> None:
        """Send a record to the caster reliably. Raise the errors of encode_record."""
        self._reporter.log(record)
        self._report_by(now)

    def set_progress(
        self, now: float, *, ready: int | None = None, committed: int | None = None, activity: int = 0
    ) -> None:
        """Set the progress of work on files. activity: added to a counter that shows the caster that work goes on."""
        is_step = self._reporter.set_progress(ready=ready, committed=committed, activity=activity)
        assembly = self._reception.assembly
        if is_step and (assembly is None or assembly.is_whole):
            self._report_by(now)
        if self._status is not None:
            self._grant(self._status)

    def stop(self, reason: str) -> None:
        """End because of an event outside: end of stdin, a signal, or a failure on this host."""
        if self.state is not CatcherState.ENDED:
            self._end(CatcherTrigger.STOP, Ending.ABORTED, reason)

    # inputs from the driver: control

    def receive_message(self, message: Message, session: int, now: float, *, is_cast: bool = True) -> None:
        """Take an authentic message from the caster of a session. Never raise. is_cast: it was sent to the group."""
        if self.state is CatcherState.SEEKING:
            self._receive_seeking(message, session, now, is_cast=is_cast)
        elif self.state is CatcherState.JOINED and self._joined is not None and session == self._joined.session:
            self._receive_joined(self._joined, message, now, is_cast=is_cast)

    def _receive_seeking(self, message: Message, session: int, now: float, *, is_cast: bool) -> None:
        """Take a message of a session that has not accepted us yet. It may be a recording, so only a welcome counts."""
        if isinstance(message, Status):
            found = self._candidates.receive_status(message, now, is_cast=is_cast)
            if found is not None:
                self._seek(found, now, is_cast=is_cast)
            return
        candidate = self._candidates.find(session)
        if candidate is None:
            return
        if isinstance(message, Probe):
            if candidate.receive_probe(message, is_cast=is_cast) and not candidate.is_refused:
                self._tell_hearing(candidate, now, may_doubt=False)
        elif isinstance(message, Welcome) and message.instance == self._config.instance:
            self._join(candidate, message, now)
        elif isinstance(message, Farewell) and message.instance == self._config.instance:
            self._receive_refusal(candidate, message, now)

    def _receive_joined(self, joined: Candidate, message: Message, now: float, *, is_cast: bool) -> None:
        is_ours = getattr(message, "instance", None) == self._config.instance
        if isinstance(message, Status):
            self._receive_status(joined, message, now, is_cast=is_cast)
        elif isinstance(message, Probe):
            if joined.receive_probe(message, is_cast=is_cast):
                self._tell_hearing(joined, now, may_doubt=False)
        elif isinstance(message, Welcome) and is_ours:
            self._receive_welcome(joined, message, now)
        elif isinstance(message, Farewell) and is_ours:
            self._end(CatcherTrigger.FAREWELL, message.ending, message.reason)
        elif isinstance(message, Ack) and is_ours:
            if self._reporter.receive_ack(message.log_offset):
                self._report_by(now + self._round_s())
            self._heard(now)
        elif self.relaying.receive(message, now):
            self._report_by(now)

    def handle_timeout(self, now: float, *, is_drained: bool = True) -> None:
        """Do what is due. Calling it early or twice changes nothing.

        is_drained: whether all received datagrams were read. If not, neither master nor group counts as silent yet.
        """
        if is_drained and self._timers.take_expired(Timer.SILENCE, now):
            self._handle_silence()
        if self._timers.take_expired(Timer.KNOCK, now):
            self._knock(now)
        if self._timers.take_expired(Timer.HELLO, now) and self._joined is not None:
            self._say_hello(self._joined, now)
        if is_drained and self._timers.take_expired(Timer.REJOIN, now):
            self._handle_silent_group(now)
        if self._timers.take_expired(Timer.REPORT, now):
            self._say_report(now)
        self.relaying.handle_timeout(now)

    # inputs from the driver: pages

    def receive_page(self, kind: int, page: int, generation: int, count: int, tx: int, now: float) -> bool:
        """Take a complete burst. Return whether to open it, and then to call `page_opened` or `page_rejected`."""
        return self._reception.receive_page(kind, page, generation, count, tx, now)

    def receive_packet(
        self, kind: int, page: int, generation: int, index: int, count: int, tx: int, now: float
    ) -> Verdict:
        """Take one packet of a page. Return what to do with its bytes."""
        return self._reception.receive_packet(kind, page, generation, index, count, tx, now)

    def receive_coded(self, kind: int, generation: int, terms: Sequence[Term], tx: int, now: float) -> int:
        """Take a coded packet. Return the index of its only term that is missing here, or -1."""
        return self._reception.receive_coded(kind, generation, terms, tx, now)

    def coded_useless(self) -> None:
        """Count a coded packet that was useless, because another term was no longer in memory."""
        self.counters.coded_useless += 1

    def page_opened(self, kind: int, page: int, generation: int) -> bool:
        """Note that a seal is valid. Return True if the page is to be written, False if only forwarded."""
        is_wanted = self._reception.opened(kind, page, generation)
        self.relaying.offer(kind, page)
        return is_wanted

    def page_rejected(self, kind: int, page: int, reading: int, suspects: int) -> None:
        """Note that a seal is invalid. suspects: bit set of packets to request again; 0: all."""
        self._reception.rejected(kind, page, reading, suspects)
        self.counters.pages_rejected += 1

    def page_disowned(self, kind: int, page: int) -> None:
        """Request an opened page again: its digest is not the caster's, so another member has forged it."""
        self._reception.disowned(kind, page)
        self.counters.pages_rejected += 1

    def ask_digests(self, page: int, now: float) -> None:
        """Report that this page of the active object waits for its digest."""
        self.counters.unverified = page + 1
        self._report_by(now)

    def packets_dropped(self, kind: int, page: int, reading: int) -> None:
        """Note that the packets of this reading of a page were dropped for lack of room."""
        self._reception.forget(kind, page, reading)

    def pages_written(self, kind: int, pages: Sequence[int], tx_done: int, now: float) -> None:
        """Note that pages are written. tx_done: tx of the last of them."""
        is_whole = self._reception.written(kind, pages, tx_done, now)
        self._pages_done += len(pages)
        self._reporter.set_progress(ready=None, committed=None, activity=len(pages))
        status = self._status
        self.relaying.note_done(len(pages), now)
        if is_whole:
            self._events.append(ObjectHeld(ObjectKind(kind)))
            self._report_by(self._in_turn(now, self._round_s()))
        elif self.relaying.is_fed:
            self._report_by(now + self._interval_s())
        elif status is not None:
            is_due = self._pages_done >= status.report_pages and self._config.target in status.monitors
            self._report_by(now if is_due else self._in_turn(now, self._interval_s()))

    # outputs

    def sends(self, now: float) -> list[CatcherSend]:
        """Return what to send now, except pages for a child."""
        messages, self._messages = self._messages, []
        return messages if self._joined is None else messages + self.relaying.sends(self._joined.session)

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
            self._timers.set(Timer.REJOIN, now + joined.hearing.patience_s(status.ack_wait_s))
        self._tell_hearing(joined, now, may_doubt=is_evidence)
        if status.phase in (Phase.DONE, Phase.ABORTED):
            is_done = status.phase is Phase.DONE and self._reporter.has_result
            self._end(CatcherTrigger.FAREWELL, Ending.DONE if is_done else Ending.ABORTED, "")
        else:
            self._take_part(joined, now)

    def _take_part(self, joined: Candidate, now: float) -> None:
        """Do what the last status allows, and report if it asks for that."""
        status = joined.status
        self._open_objects(status, now)
        self._reception.allow_generations(status)
        if status is joined.evidence and not self.relaying.is_fed:
            self._reception.believe(status, now)
        self._grant(status)
        if status.is_poll and not self.relaying.is_fed:  # it asks for claims, which go to the parent
            self._report_by(self._in_turn(now, self._round_s()))
        elif self._reporter.has_news:
            self._report_by(self._in_turn(now, self._interval_s()))

    def _open_objects(self, status: Status, now: float) -> None:
        """Take geometry and objects from a status. Contents wait until the plan is decoded."""
        if status.seal is SealKind.NONE:
            return
        if self._geometry is None:
            self._geometry = Geometry(status.slice_bytes, status.packets)
            self._events.append(SessionOpened(status.session, self._geometry, status.seal))
            self.relaying.open(self._geometry, status.share, now)
        for kind in (ObjectKind.MANIFEST, ObjectKind.PLAN, ObjectKind.PLAN_AGAIN):
            if status.active >= kind and kind not in self._reception:
                self._reception.expect(kind, Assembly(status.objects[kind].size_bytes, self._geometry))

    def _grant(self, status: Status) -> None:
        """Let the application commit files that this status allows and that are here, and then finish."""
        span, first = status.commit, self._granted_end
        reach = max(span.end, span.ahead) if self._reception.is_first_reading else span.end
        end = min(reach, self._reporter.ready)  # more may be granted, ahead or after we were dropped
        if span.first <= first < end:
            self._granted_end = end
            exceptions = RangeSet(span.exceptions).clipped(first, end)
            self._events.append(CommitGranted(first, end, tuple(exceptions)))
        is_due = status.phase is Phase.FINISHING and self._reporter.committed >= status.plan_files
        if is_due and not self._is_finish_granted:
            self._is_finish_granted = True
            self._events.append(FinishGranted())
        if status.phase is Phase.WITHDRAWING and not self._is_finish_granted:
            self._is_finish_granted = True
            self._events.append(Withdrawn())

    # joining and ending

    def _seek(self, candidate: Candidate, now: float, *, is_cast: bool) -> None:
        """Send a hello to a session after a new status, and only then, so that replays cause no traffic."""
        if is_cast and self._config.knows_master:
            self._timers.set(Timer.KNOCK, now + self._knock_s)
        if now - candidate.hello_at >= HELLO_S and not candidate.is_refused:
            self._say_hello(candidate, now)

    def _join(self, candidate: Candidate, welcome: Welcome, now: float) -> None:
        self.state = step(CATCHERS, self.state, CatcherTrigger.WELCOME)
        self._joined, self._candidates = candidate, Candidates()
        self._slot = welcome.slot
        self._timers.stop(Timer.KNOCK)
        self._timers.set(Timer.REJOIN, now + candidate.hearing.patience_s(candidate.status.ack_wait_s))
        self._timers.set(Timer.HELLO, candidate.hello_at + HELLO_S)
        self._events.append(Welcomed())
        self._report_by(now + self._slot * SLOT_S)
        self._take_part(candidate, now)
        self._receive_welcome(candidate, welcome, now)

    def _receive_welcome(self, joined: Candidate, welcome: Welcome, now: float) -> None:
        if welcome.counter <= joined.welcome_counter:
            return
        joined.welcome_counter = welcome.counter
        self._heard(now)
        joined.hearing.receive_welcome(welcome.hello, welcome.token)
        if not joined.hearing.has_news:
            self._timers.stop(Timer.HELLO)
        self._tell_hearing(joined, now, may_doubt=False)

    def _receive_refusal(self, candidate: Candidate, farewell: Farewell, now: float) -> None:
        """Note that this session refuses us. Another one may still accept us."""
        if farewell.ending is Ending.REFUSED:
            candidate.is_refused = True
            if not self._candidates.others_heard(candidate.session, now - RIVAL_S):
                self._end(CatcherTrigger.FAREWELL, farewell.ending, farewell.reason)

    def _handle_silence(self) -> None:
        if self._reporter.has_told_result:
            self._end(CatcherTrigger.MASTER_SILENT, Ending.DONE, "")
        elif self._joined is None:
            self._end(CatcherTrigger.MASTER_SILENT, Ending.ABORTED, "no master has welcomed this catcher")
        else:
            self._end(CatcherTrigger.MASTER_SILENT, Ending.ABORTED, "nothing was heard from the master any more")

    def _heard(self, now: float) -> None:
        """Note that an authentic message of the caster arrived."""
        wait_s = SILENCE_ACK_WAITS * self._status.ack_wait_s if self._status else self._config.wait_s
        if self._reporter.has_told_result:
            wait_s = min(wait_s, SILENCE_AFTER_RESULT_S)
        self._timers.set(Timer.SILENCE, now + wait_s)

    def _end(self, trigger: CatcherTrigger, ending: Ending, reason: str) -> None:
        self.state = step(CATCHERS, self.state, trigger)
        self._timers.stop_all()
        self.relaying.stop()
        self._messages.clear()
        self._events.append(SessionEnded(ending, reason))

    # hello and reports

    def _say_hello(self, candidate: Candidate, now: float) -> None:
        """Send a hello to this session. Once it has accepted us, a timer repeats it."""
        self._messages.append(SendMessage(candidate.say_hello(self._config, self._next_counter()), candidate.session))
        candidate.hello_at = now
        if candidate is self._joined:
            self._timers.set(Timer.HELLO, now + HELLO_S)

    def _tell_hearing(self, candidate: Candidate, now: float, *, may_doubt: bool) -> None:
        """Send a hello at once if the caster does not know what is received here, and no hello is under way.

        may_doubt: statuses arrive on a path on which probes do not, so the hello is repeated sooner.
        """
        hearing = candidate.hearing
        is_doubtful = may_doubt and hearing.lacks_probe and now - candidate.hello_at > DOUBTS_S
        if is_doubtful or (hearing.has_news and not hearing.is_said):
            self._say_hello(candidate, now)

    def _knock(self, now: float) -> None:
        """Ask the master for a status, at growing intervals, while no session is heard."""
        knock = Knock(self._config.target, self._config.instance, self._next_counter(), CONTROL_BYTES_MAX)
        self._messages.append(SendKnock(knock))
        self._knock_s = min(KNOCK_MAX_S, max(KNOCK_S, self._knock_s * KNOCK_GROWTH))
        self._timers.set(Timer.KNOCK, now + self._knock_s)

    def _handle_silent_group(self, now: float) -> None:
        """React to the silence of the group: join it again, give it up, or send a hello if unicast is expected."""
        joined = self._joined
        if joined is None:
            self._events.append(GroupSilent(was_heard=False))  # a switch may have dropped our membership meanwhile
            self._timers.set(Timer.REJOIN, now + SEEKING_REJOIN_S)
            return
        if joined.hearing.is_deaf:
            self._say_hello(joined, now)
        elif joined.hearing.fall_silent():
            self._events.append(GroupSilent(was_heard=True))
        else:
            self._events.append(GroupGivenUp())
            self._say_hello(joined, now)
        self._timers.set(Timer.REJOIN, now + joined.hearing.patience_s(joined.status.ack_wait_s))

    def _report_by(self, when: float) -> None:
        if self.state is CatcherState.JOINED:
            self._timers.advance(Timer.REPORT, when)

    def _say_report(self, now: float) -> None:
        joined = self._joined
        assert joined is not None  # otherwise no report is due
        fed_tx = joined.status.tx if self.relaying.is_fed else None
        report = self._reporter.report(self._next_counter(), now, fed_tx)
        self._messages.append(SendMessage(report, joined.session))
        self._pages_done = 0
        self._reported_at = now
        self.relaying.note_report(now)
        interval_s = self._interval_s()
        if report.needs:
            self._report_by(now + interval_s)
        elif report.log_bytes:
            self._report_by(now + interval_s + RETRY_S)
        else:
            self._report_by(now + keepalive_s(joined.status.ack_wait_s))

    def _interval_s(self) -> float:
        """Seconds between reports while something changes."""
        told_s = self._status.report_interval_us / 1e6 if self._status else 0.0
        return max(told_s, self.relaying.report_s, 2 * self._round_s()) if self.relaying.is_fed else told_s

    def _in_turn(self, now: float, apart_s: float) -> float:
        """Return when to report what all targets report now: in our slot of the round, so long after the last one."""
        return max(now + self._slot * SLOT_S, self._reported_at + apart_s)

    def _round_s(self) -> float:
        """Seconds in which every target can report once."""
        return self._status.target_count * SLOT_S if self._status else 0.0

    def _next_counter(self) -> int:
        self._counter += 1
        return self._counter
