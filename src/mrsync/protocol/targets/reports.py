"""Reports: take what targets report, and pass it on to the parts of the caster that it concerns.

A report repeats a target's whole state, so only the newest one counts. The log of a target comes in pieces, in any
order; its records are taken in order, each once. A record that no honest target can have sent ends its target alone.
"""

from __future__ import annotations

from collections import deque

from mrsync.protocol.core.events import CasterEvent, ChangesReported, FileSatOut
from mrsync.protocol.core.plausibility import Bounds
from mrsync.protocol.core.sends import Address
from mrsync.protocol.core.states import RosterState
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.targets.commit_decisions import CommitDecisions
from mrsync.protocol.targets.endings import Endings
from mrsync.protocol.targets.outbox import Outbox
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.protocol.targets.rounds import Rounds
from mrsync.wire.formats.record_codec import NONSENSE
from mrsync.wire.messages import Ending, Report
from mrsync.wire.records import ChangesRecord, DeletionsRecord, FailedRecord, LogRecord, SatOutRecord, WantsRecord


class Reports:
    """Reports of targets. bounds: what a target can have said by now. events: takes events for the application."""

    def __init__(
        self,
        roster: Roster,
        outbox: Outbox,
        schedule: Schedule,
        commits: CommitDecisions,
        rounds: Rounds,
        endings: Endings,
        bounds: Bounds,
        events: deque[CasterEvent],
    ) -> None:
        self._roster = roster
        self._outbox = outbox
        self._schedule = schedule
        self._commits = commits
        self._rounds = rounds
        self._endings = endings
        self._bounds = bounds
        self._events = events

    def receive(self, report: Report, source: Address, now: float) -> bool:
        """Take a report of a target that has joined. Answer one that has ended with its farewell.

        Return whether it is new, and of a live target.
        """
        target = self._roster.find(report.target)
        if target is None or target.hello is None or target.hello.instance != report.instance:
            return False
        old = target.report
        if old is not None and report.counter <= old.counter:
            return False
        if not target.is_live:
            target.report = report  # one that is repeated is not answered: a farewell may be longer
            ending = Ending.DONE if target.state is RosterState.DONE else Ending.DROPPED
            self._outbox.farewell(target, ending, target.reason)
            return False
        said, report = report, self._schedule.believable(report)
        if target.receive_report(report, source, now, tx=self._schedule.tx, is_believed=report is said):
            self._schedule.on_progress(target.flow)
        if report.log_bytes:
            for record in target.log.feed(report.log_offset, report.log_bytes):
                if target.is_live:  # not ended by a record before this one
                    self._receive_record(target, record, now)
            self._outbox.ack(target)
        if target.is_live and target.path.is_direct:
            self._schedule.receive_flow(target.flow, old, report, now)
        return target.is_live

    def _receive_record(self, target: Target, record: LogRecord, now: float) -> None:
        if not target.plausibility.holds(record, self._bounds):
            record = FailedRecord(NONSENSE)
        target.receive_record(record)
        if isinstance(record, SatOutRecord) and self._commits.note_sat_out(target, record):
            self._events.append(FileSatOut(target.id, record.file, record.errno))
        elif isinstance(record, WantsRecord):
            self._rounds.note_wants()
        elif isinstance(record, (ChangesRecord, DeletionsRecord)):
            self._events.append(ChangesReported(target.id, record))
        elif isinstance(record, FailedRecord):
            self._endings.end(target, target.failure_trigger, record.reason, now)
