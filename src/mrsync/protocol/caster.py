"""Caster: the sending side of a session as a state machine without I/O.

After any call the driver drains `sends`, then `next_event`, then re-arms one timer for `next_timeout`. Input from the
network never raises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mrsync.protocol.caster_config import CasterConfig
from mrsync.protocol.core.events import (
    CasterEvent,
    CastFinished,
    ComparisonFinished,
    FilesChanged,
    PhaseEntered,
    TargetEnded,
    TargetJoined,
    TargetRerouted,
    TargetShed,
)
from mrsync.protocol.core.lateness import Lateness
from mrsync.protocol.core.plausibility import AreFiles, Bounds
from mrsync.protocol.core.sends import Address, Send
from mrsync.protocol.core.states import PHASES, TargetTrigger, Trigger, step
from mrsync.protocol.core.timers import Timer, TimerTable
from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.sending.stragglers import Stragglers
from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.sending.window import Window
from mrsync.protocol.targets.chains.relays import Relays
from mrsync.protocol.targets.commit_decisions import CommitDecisions
from mrsync.protocol.targets.endings import Endings
from mrsync.protocol.targets.lingering import Lingering
from mrsync.protocol.targets.liveness import Expectation
from mrsync.protocol.targets.outbox import Outbox
from mrsync.protocol.targets.participation.admission import Admission
from mrsync.protocol.targets.participation.compressions import Compressions
from mrsync.protocol.targets.participation.seals import Seals
from mrsync.protocol.targets.patience import Patience
from mrsync.protocol.targets.reach import Reach
from mrsync.protocol.targets.reports import Reports
from mrsync.protocol.targets.roster import PagesOf, Roster, Target
from mrsync.protocol.targets.rounds import AGAIN, Rounds
from mrsync.protocol.targets.statistics import CasterStatistics
from mrsync.protocol.targets.union_of_needs import UnionOfNeeds
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import TERMS_MAX
from mrsync.wire.messages import Ending, Hello, Hop, Knock, Message, ObjectKind, Phase, Report

ELECTION_S = 0.05
LIVENESS_SHARE = 20  # checks per ack wait
PROMPT_TARGETS_MAX = 32  # with more of them, all targets are looked at only twice per cycle


class Caster:
    """Gather targets, cast manifest, plan and contents, repair losses, grant commits, and collect results."""

    def __init__(self, config: CasterConfig, now: float) -> None:
        geometry = config.steps[0].geometry
        window = Window(rate_bytes_s=config.rate_bytes_s, geometry=geometry, is_bounded=config.has_monitor)
        roster = self.roster = Roster(config.names)
        is_unicast, on_rerouted = config.is_unicast, self._on_rerouted
        self.reach = Reach(roster, config.steps, config.ack_wait_s, is_unicast_only=is_unicast, on_rerouted=on_rerouted)
        self.phase = Phase.GATHERING
        self.abort_reason = self.veto = ""  # veto: why nothing was changed anywhere, under the rule `job`
        self._config = config
        self._needs: UnionOfNeeds | None = None  # while it is computed
        self._rounds = Rounds()
        self._commits = CommitDecisions(0, config.commit_rule)
        self._bounds = Bounds(itemizes=config.itemizes, guards_deletions=config.guards_deletions)
        page_s = geometry.page_bytes / config.rate_bytes_s if config.rate_bytes_s else 0.0
        self._patience = Patience(config.ack_wait_s, is_shedding=config.is_shedding, page_s=page_s)
        self._events: deque[CasterEvent] = deque()
        self._timers = TimerTable()
        self._lateness = Lateness()
        self._status_due_at = now
        self.clock = AckClock(roster.audience, window, Courtesy(config.share))
        schedule = self._schedule = Schedule(roster.audience, self.clock, self._timers)
        outbox = self._outbox = Outbox(
            roster, self.clock, schedule, session=config.session, geometry=geometry, ack_wait_s=config.ack_wait_s
        )
        self.relays = Relays(roster, self.reach, config.relaying, self._lateness, on_rerouted, outbox.assign)
        blame, is_shedding = self.relays.slow_flow, config.is_shedding
        self._stragglers = Stragglers(roster.audience, self.clock, is_shedding=is_shedding, blame=blame)
        forget, on_ended = self._forget, self._on_target_ended
        self._lingering = Lingering(outbox, self._timers, self._tell_status)
        self._endings = endings = Endings(
            roster, outbox, self._events, ack_wait_s=config.ack_wait_s, forget=forget, on_ended=on_ended
        )
        seals = Seals(config.seals, must_encrypt=config.must_encrypt)
        self.compressions = Compressions(config.compressions)
        self._admission = Admission(roster, outbox, self.reach, endings, seals, self.compressions, self._on_joined)
        self._reports = Reports(
            roster, outbox, schedule, self._commits, self._rounds, endings, self._bounds, self._events
        )
        self._start_timers(now)

    def _start_timers(self, now: float) -> None:
        ack_wait_s = self._config.ack_wait_s
        self._timers.set(Timer.STATUS, now)
        self._timers.set(Timer.GATHER, now + ack_wait_s)
        self._timers.set(Timer.LIVENESS, now + ack_wait_s / LIVENESS_SHARE)

    @property
    def geometry(self) -> Geometry:
        """Sizes of pages and packets. They are final from the phase COMPARING on."""
        return self._outbox.geometry

    # inputs from the application

    def offer_manifest(self, size_bytes: int, are_files: AreFiles, work_s: float = 0.0) -> None:
        """Offer the manifest, which is cast when targets are gathered.

        size_bytes: of the manifest. are_files: returns whether targets may need the entries [first, end). work_s: for
        how long a slow target may work on it without being given up.
        """
        self._bounds.are_files = are_files
        self._patience.work_s = work_s
        self._outbox.sizes[ObjectKind.MANIFEST] = size_bytes
        self._timers.set(Timer.CHECK, 0.0)

    def offer_plan(
        self, size_bytes: int, contents_bytes: int, file_count: int, now: float, pages_of: PagesOf | None = None
    ) -> None:
        """Answer ComparisonFinished with the plan.

        size_bytes, contents_bytes: of the plan, and of all planned files. file_count: number of planned files; with
        none, the session finishes. pages_of: returns the pages of the contents that contain data of some entries. None:
        all pages are cast.
        """
        if self.phase is not Phase.COMPARING:
            return
        self._rounds.pages_of = pages_of
        self._commits.begin(file_count)
        self._bounds.files = file_count
        if self._withdraw_if_vetoed(now):
            return
        if file_count:
            self._outbox.sizes[ObjectKind.PLAN] = size_bytes
            self._outbox.sizes[ObjectKind.CONTENTS] = contents_bytes
            self._bounds.pages = self._outbox.page_count(ObjectKind.CONTENTS)
            self._enter(Trigger.PLANNED, now, cast=ObjectKind.PLAN)
        else:
            self._enter(Trigger.NOTHING_PLANNED, now)

    def offer_plan_again(
        self, size_bytes: int, contents_bytes: int, file_count: int, files: Sequence[int], now: float
    ) -> None:
        """Answer FilesChanged: cast changed files again in a second round, or none if files is empty.

        size_bytes, contents_bytes: of the second plan, and of its contents. file_count: the number of its files. files:
        the plan files of the first round that are cast again.
        """
        if self.phase is not Phase.CASTING or not self._rounds.is_asked or not self._commits.has_second_chance:
            return
        self._commits.cast_again(files, file_count)
        self._bounds.files = self._commits.file_count
        if file_count:
            self._rounds.current = AGAIN
            self._outbox.sizes[AGAIN.plan], self._outbox.sizes[AGAIN.contents] = size_bytes, contents_bytes
            self._enter(Trigger.CHANGED, now, cast=AGAIN.plan)
        self._timers.advance(Timer.CHECK, now)

    def invalidate_file(self, index: int) -> bool:
        """Note that the source of a plan file changed, so that no target commits it. Call it before its page is sent.

        Return False if it is too late. That does no harm, because every target then has the file as it was.
        """
        return self._commits.invalidate(index)

    def mark_read(self, end: int) -> None:
        """Note that plan files below `end` were read once; changed ones are exceptions. Only for the rule `each`."""
        self._commits.mark_read(end)

    def give_up(self, target_id: int, reason: str, now: float) -> None:
        """End a target whose process ended, or whose launch failed. reason: a sentence for the user and the target."""
        target = self.roster.find(target_id)
        if target is not None and not target.is_ended and target.result is None:
            self._endings.end(target, TargetTrigger.FAILURE, reason, now)

    def abort(self, reason: str, now: float) -> None:
        """End the session at once, so that catchers stop and clean up. Do nothing if the reason is empty."""
        if self._is_over or not reason:
            return
        self.abort_reason = reason
        for target in self.roster:
            if not target.is_ended:
                self._outbox.farewell(target, Ending.ABORTED, reason)
                self.roster.end(target, TargetTrigger.ABORT, f"the session was aborted: {reason}", now)
                self._events.append(TargetEnded(target.id))
        self._enter(Trigger.ABANDONED, now)

    # inputs from the driver

    def receive_message(self, message: Message, source: Address, now: float) -> None:
        """Take an authentic message. Never raise."""
        if isinstance(message, Hello):
            self._admission.receive_hello(message, source, now)
        elif isinstance(message, Report):
            if self._reports.receive(message, source, now):
                self._lateness.receive(message.target, message.tx_seen, now)
        elif isinstance(message, Hop):
            self.relays.receive_hop(message, source, now)
        self._check_soon(now)

    def receive_knock(self, knock: Knock, source: Address) -> None:
        """Answer the request for a status with the last one. Its sender need not be a catcher of this session."""
        if not self._is_over:
            self._outbox.answer_knock(knock, source)

    def invite(self, destination: Address) -> None:
        """Send the last status to a waiting catcher, so that firewalls take its hello for a reply."""
        if not self._is_over:
            self._outbox.copy_status(destination)

    def handle_lapse(self) -> None:
        """Forget sending times: `now` does not count the lapse that just ended, so round trips would look too short.

        A target that hears no multicast has heard nothing meanwhile, and may leave before it is served by unicast.
        """
        self.clock.forget_times(self._schedule.tx)
        for target in self.roster.live:
            self.invite(target.path.source or target.path.asked_at)

    def handle_timeout(self, now: float, *, is_drained: bool = True) -> None:
        """Do what is due. Calling it early or twice changes nothing.

        is_drained: whether all received messages were read. If not, no target counts as silent yet.
        """
        timers = self._timers
        if is_drained and timers.take_expired(Timer.LIVENESS, now):
            self.abort(self._schedule.exhaustion, now)
            contents = self._rounds.current.contents
            transfer, held_by = self._schedule.transfer, self._schedule.window_held_by(now)
            expected = Expectation.of(
                self.phase, contents, transfer, self._commits, self.relays, self._patience, held_by
            )
            self._endings.end_overdue(expected, now)
            self._set_unless_over(Timer.LIVENESS, now + self._config.ack_wait_s / LIVENESS_SHARE)
        if timers.take_expired(Timer.ELECT, now):
            self._elect(now)
        is_gathered = is_drained and timers.take_expired(Timer.GATHER, now)
        if timers.take_expired(Timer.CHECK, now) or is_gathered:
            self._schedule.on_reports(now)
            self._advance(now)
        is_poll = self._schedule.handle_timeout(now)
        if timers.take_expired(Timer.STATUS, now) or is_poll:
            self._tell_status(now, is_poll=is_poll)
        if timers.take_expired(Timer.LINGER, now) and self._lingering.go_on(now):
            self._events.append(CastFinished(self.phase))

    def announce_reading(self, generation: int, tx: int) -> list[Send]:
        """Return what to send ahead of the burst with this tx, the first one of this generation."""
        self._commits.look_ahead()
        self._outbox.announce(generation, self.phase, self._commits, tx=tx)
        return self._outbox.take_all()

    def page_compressed(self, object: ObjectKind, page: int, packets: int, now: float) -> None:
        """Set the number of packets of a page that leaves now. Call it each time, as a page may be read again."""
        self._schedule.on_compressed(object, page, packets, now)

    # outputs

    def sends(self, now: float) -> list[Send]:
        """Return what to send now, in this order."""
        messages = self._outbox.take_all()
        return messages if self._is_over else messages + self._schedule.sends(now)

    @property
    def digests_together(self) -> int:
        """Number of pages whose digests are sent together: as many as a report covers, one when all pages are sent."""
        transfer = self._schedule.transfer
        return 1 if transfer is None or transfer.is_sent else self.clock.report_pages

    def next_event(self) -> CasterEvent | None:
        return self._events.popleft() if self._events else None

    def next_timeout(self) -> float | None:
        return self._timers.next_timeout()

    def pages_received(self, target: Target) -> int:
        """Return how many pages of those that were sent in the first round the target holds without a gap."""
        return self._rounds.sent_below(target.frontier(ObjectKind.CONTENTS))

    def statistics(self) -> CasterStatistics:
        """Return the state of the session in numbers."""
        return CasterStatistics.of(self.phase, self._outbox, self._schedule, self.clock, self._rounds, self.roster)

    @property
    def _is_over(self) -> bool:
        return self.phase in (Phase.DONE, Phase.ABORTED)

    # targets that come and go

    def _on_joined(self, target: Target, hello: Hello, now: float) -> None:
        self._events.append(TargetJoined(target.id))
        self._elect(now)

    def _on_rerouted(self, target: Target) -> None:
        """Forget the claims of a target whose path changed. It will claim what it lacks again."""
        self._schedule.forget(target.id)
        self._events.append(TargetRerouted(target.id))

    def _forget(self, target: Target, now: float) -> None:
        """Plan nothing more for this target, or for its former process."""
        self.relays.forget(target, now)
        self._rounds.note_wants()
        self._schedule.forget(target.id)

    def _on_target_ended(self, sentence: str, was_live: bool, now: float) -> None:
        if was_live:
            self._elect(now)
        if self._config.quit_on_bad:
            self.abort(sentence, now)
        self._check_soon(now)

    # phases

    def _check_soon(self, now: float) -> None:
        """Look at all targets soon: at once if they are few, at most twice per reporting cycle if they are many."""
        is_few = len(self.roster.live) <= PROMPT_TARGETS_MAX
        self._timers.advance(Timer.CHECK, now if is_few else now + self.roster.audience.cycle_s / 2)

    def _advance(self, now: float) -> None:
        if self.phase is Phase.GATHERING:
            self._advance_gathering(now)
        elif self._is_over:
            return
        elif not self.roster.live:
            self.abort("every target is lost", now)
        elif self._withdraw_if_vetoed(now):
            return
        elif self.phase is Phase.COMPARING:
            self._advance_comparing(now)
        elif self.phase is Phase.PLANNING:
            contents = self._rounds.current.contents
            if self.roster.every(lambda target: target.awaits(contents)):
                self._enter(Trigger.PLAN_HELD, now, cast=contents)
        elif self.phase is Phase.CASTING:
            self._advance_casting(now)
        elif self.roster.every(lambda target: target.result is not None):
            self._finish(now)

    def _advance_gathering(self, now: float) -> None:
        expected, is_over = self.roster.expected, not self._timers.is_set(Timer.GATHER)
        if not expected and not self.roster.live:
            self.abort("no target could be reached", now)
            return
        is_ready = self._outbox.sizes[ObjectKind.MANIFEST] and (is_over or self._is_everyone_here)
        if not is_ready or not self.relays.is_settled(now):
            return
        self._timers.stop(Timer.GATHER)
        self._admission.settle(now, is_last_call=self._config.quit_on_bad)
        if not self.roster.live:
            self.abort("no target could be reached", now)
            return
        self.clock.fit(self.geometry)
        self._enter(Trigger.GATHERED, now, cast=ObjectKind.MANIFEST)

    @property
    def _is_everyone_here(self) -> bool:
        """Whether no more targets are expected, and the path to each one is known."""
        return not self.roster.expected and self.reach.is_settled

    def _advance_comparing(self, now: float) -> None:
        if not self._admission.is_closed and self.roster.every(lambda target: target.compared is not None):
            self._admission.close(now)
            self._needs = UnionOfNeeds(self.roster.live)
        if self._needs is None:
            return
        if self._needs.work():
            self._events.append(ComparisonFinished(self._needs.needs, self._needs.basis))
            self._needs = None
        else:
            self._timers.set(Timer.CHECK, now)

    def _advance_casting(self, now: float) -> None:
        commits = self._commits
        if self._schedule.transfer is not None:
            self._rounds.skip_unwanted(self._schedule.transfer, self.roster)
        if commits.update(self.roster):
            self._timers.set(Timer.STATUS, now)
        contents, files = self._rounds.current.contents, commits.file_count
        pages = self._outbox.page_count(contents)
        if not self.roster.every(lambda target: target.ready >= files and target.frontier(contents) >= pages):
            return
        if commits.changed and commits.has_second_chance:
            if not self._rounds.is_asked:
                self._rounds.is_asked = True
                self._events.append(FilesChanged(tuple(sorted(commits.changed))))
        elif commits.is_whole and self.roster.every(lambda target: target.committed >= files):
            self._enter(Trigger.COMMITTED, now)

    def _withdraw_if_vetoed(self, now: float) -> bool:
        """Withdraw the session under the rule `job` if a target or a file fails before the first grant."""
        if self.phase not in (Phase.COMPARING, Phase.PLANNING, Phase.CASTING):
            return False
        self.veto = self._commits.veto(self.roster)
        if self.veto:
            self._schedule.halt()
            self._enter(Trigger.VETOED, now)
            self._admission.close(now, "had not joined when the session was called off")
        return bool(self.veto)

    def _finish(self, now: float) -> None:
        for target in self.roster.live:
            self.roster.end(target, TargetTrigger.RESULT, "", now)
            self._outbox.farewell(target, Ending.DONE, "")
            self._events.append(TargetEnded(target.id))
        self._enter(Trigger.RESULTS_KNOWN, now)

    def _enter(self, trigger: Trigger, now: float, cast: ObjectKind | None = None) -> None:
        """Enter the next phase. A status announces it before the first burst of the object that is cast in it."""
        self.phase = self._bounds.phase = step(PHASES, self.phase, trigger)
        self._events.append(PhaseEntered(self.phase))
        if cast is not None:
            self._start_transfer(cast)
        if self._is_over:
            self._timers.stop_all()
            self._timers.set(Timer.LINGER, now)
        else:
            self._schedule.on_progress()
            self._tell_status(now)
            self._timers.advance(Timer.CHECK, now)

    def _tell_status(self, now: float, *, is_poll: bool = False) -> None:
        self._commits.look_ahead()
        self._outbox.status(self.phase, self._commits, is_poll=is_poll, now=now)
        live = (target.id for target in self.roster.live)
        self._lateness.note_status(self._schedule.tx, live, now, due_at=self._status_due_at)
        self._outbox.apart_s = self._lateness.apart_s
        if not self._is_over:
            self._admission.repeat_welcomes(now)
            for target in self.reach.tend(self._outbox, now):
                self._endings.refuse_narrow(target, self.reach.step.mtu, now)
            self.relays.tend(self._schedule.transfer, now)
        # While all wait for a long scan, statuses say nothing new, and each wakes every target.
        is_waiting = self._is_everyone_here and not self._outbox.sizes[ObjectKind.MANIFEST]
        is_urgent = (self.phase is Phase.GATHERING and not is_waiting) or self._commits.is_flipping
        self._status_due_at = now + self._outbox.status_interval_s(is_urgent=is_urgent)
        self._set_unless_over(Timer.STATUS, self._status_due_at)

    def _set_unless_over(self, timer: Timer, deadline: float) -> None:
        if not self._is_over:
            self._timers.set(timer, deadline)

    def _start_transfer(self, object: ObjectKind) -> None:
        transfer = Transfer(object, self._outbox.sizes[object], self.geometry)
        self._rounds.note_transfer(transfer)
        self._rounds.skip_unwanted(transfer, self.roster)
        self._schedule.start(
            transfer, terms_max=max(2, min(TERMS_MAX, len(self.roster))), retained_pages=self.roster.retained_pages
        )

    def _elect(self, now: float) -> None:
        """Elect the monitors, and look for a target that holds back all others."""
        self.clock.window.on_buffers(self.roster.buffers_served())
        if self.clock.elect(now):
            self._timers.advance(Timer.STATUS, now)
        if shed := self._stragglers.look(self._schedule.tx, now):
            self._events.append(TargetShed(shed.id))
            if (target := self.roster.find(shed.id)) is not None:
                self.relays.leave_behind(target, now)
        self._set_unless_over(Timer.ELECT, now + ELECTION_S)
