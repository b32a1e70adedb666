"""A session on a target, in the loop's thread: turn the state machine's events into jobs, and results into log records.

Everything here runs in the loop, except for `_attempt`, which runs a job. Mostly the worker runs it; the loop itself
runs a short commit, if the worker is idle and the disk quick. Pages do not pass through here: `write` is that of the
jobs.
The worker runs jobs in the order of the calls of `_work`, and the loop handles their results in that order. Therefore
the log has its records in the order of the session's phases without any further bookkeeping.

After SessionEnded, is_over is set. A running job raises Stopped at its next report of activity, queued jobs do
nothing, and results are dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from mrsync.errors import DeletionsRefused, MrsyncError, describe_shortage
from mrsync.escaping import escape_controls
from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import (
    CatcherEvent,
    CommitGranted,
    FinishGranted,
    ObjectHeld,
    SessionEnded,
    SessionOpened,
    Welcomed,
    Withdrawn,
)
from mrsync.run.catch.activity import Activity, Stopped
from mrsync.run.catch.jobs import Compared, Finished, TreeJobs, Wanted
from mrsync.run.catch.record_keeper import RecordKeeper
from mrsync.run.catch.target_tree import TargetTree
from mrsync.run.sandbox import Sandbox
from mrsync.run.settings import CatchSettings, host_of
from mrsync.transport.loop import Loop
from mrsync.tree.model.failure import Failure
from mrsync.tree.staging.commit import StagingRounds
from mrsync.wire.formats.record_codec import basis_records, needs_records
from mrsync.wire.limits import ERRORS_MAX
from mrsync.wire.messages import ObjectKind
from mrsync.wire.records import ComparedRecord, ErrorRecord, FailedRecord, FailureCause, ResultRecord, SatOutRecord

GATHER_S = 0.5  # longest time for which a commit waits for others, to share one disk flush


class TreeSession:
    """The session as the target sees it. It owns the catcher's log and progress; TreeJobs owns the tree.

    ending: set when the session is over. errors: number of entries that could not be changed. write: takes pages, see
    `TreeJobs.write`.
    """

    def __init__(
        self,
        settings: CatchSettings,
        catcher: Catcher,
        loop: Loop,
        sandbox: Sandbox | None = None,
        keeper: RecordKeeper | None = None,
    ) -> None:
        self.ending: SessionEnded | None = None
        self.errors = 0
        self._errors_told = 0
        self._granted: list[CommitGranted] = []  # not handed to the worker yet
        self._is_committing = False
        self._gathering: threading.Timer | None = None
        self._looks_ahead = settings.looks_ahead
        self._catcher = catcher
        self._loop = loop
        self._activity = Activity(lambda entries: loop.post(partial(self._tell_activity, entries)))
        tree = TargetTree(
            settings.dest,
            self._activity,
            is_dry_run=settings.is_dry_run,
            host=host_of(settings.host),
            suffix=settings.backup_suffix,
            umask=settings.umask,
        )
        on_written = partial(loop.post, self._tell_progress)
        self._jobs = TreeJobs(tree, self._activity, sandbox=sandbox, keeper=keeper, on_written=on_written)
        self.write = self._jobs.write
        self._record_keeper = keeper
        self._actions: dict[type, Callable[..., None]] = {
            Welcomed: self._on_welcomed,
            SessionOpened: self._on_session_opened,
            ObjectHeld: self._on_object_held,
            CommitGranted: self._on_commit_granted,
            FinishGranted: self._on_finish_granted,
            Withdrawn: self._on_withdrawn,
            SessionEnded: self._on_session_ended,
        }

    def on_event(self, event: CatcherEvent) -> None:
        """Handle an event of the state machine."""
        action = self._actions.get(type(event))
        if action is not None:  # else the event is about the network
            action(event)

    @property
    def is_withdrawn(self) -> bool:
        """Whether the master cancelled the session before anything was changed."""
        return self._activity.is_withdrawn

    def give_time_by(self, postpone: Callable[[], None]) -> None:
        """Set a function that gives the process more time after its master is gone."""
        self._activity.on_irrevocable = postpone

    def clean_up(self) -> None:
        """Close the tree. Call only while the worker is idle."""
        self._stop_gathering()
        self._jobs.clean_up()

    # running jobs

    def _work(self, job: Callable[[], object], done: Callable[..., None], *, is_short: bool = False) -> None:
        """Run a job in the worker, then done(result) in the loop. is_short: the loop may run it at once.

        An error is reported to the caster as this target's failure.
        """
        run = self._loop.work_if_slow if is_short else self._loop.work
        run(partial(self._attempt, job), partial(self._end_job, done))

    def _attempt(self, job: Callable[[], object]) -> object:
        """Worker, or loop for a short job: return the job's result or its error."""
        if self._activity.is_over:
            return Stopped()
        try:
            return job()
        except (MrsyncError, OSError, Stopped) as error:
            return error

    def _end_job(self, done: Callable[..., None], result: object) -> None:
        if isinstance(result, Stopped) or self._activity.is_over:
            return
        if isinstance(result, Exception):
            cause = FailureCause.DELETIONS if isinstance(result, DeletionsRefused) else FailureCause.OTHER
            self._catcher.log(FailedRecord(_sentence(result), cause), self._loop.now())
        else:
            done(result)

    # events of the session

    def _on_welcomed(self, event: Welcomed) -> None:
        if self._looks_ahead:
            # Ignore errors: the comparison will find them again.
            self._loop.work(partial(self._attempt, self._jobs.read_ahead), lambda _: None)

    def _on_session_opened(self, event: SessionOpened) -> None:
        self._jobs.geometry = event.geometry
        self._jobs.session = event.session
        if self._record_keeper is not None:
            self._record_keeper.join(event.session, event.geometry, event.seal)

    def _on_object_held(self, event: ObjectHeld) -> None:
        if self.is_withdrawn:
            return  # the result is on its way; a comparison could only fail after it
        if event.object is ObjectKind.MANIFEST:
            self._work(self._jobs.compare, self._tell_needs)
        elif event.object is ObjectKind.PLAN:
            self._work(self._jobs.prepare, partial(self._want, ObjectKind.CONTENTS))
        elif event.object is ObjectKind.PLAN_AGAIN:
            self._work(self._jobs.prepare_again, partial(self._want, ObjectKind.CONTENTS_AGAIN))

    def _on_commit_granted(self, event: CommitGranted) -> None:
        self._granted.append(event)
        if not self._jobs.gathers(event.end):
            self._commit()
        elif self._gathering is None:
            self._gathering = threading.Timer(GATHER_S, self._loop.post, [self._commit])
            self._gathering.daemon = True
            self._gathering.start()

    def _commit(self) -> None:
        """Commit what was granted. While a commit runs, further grants gather for the next one."""
        self._stop_gathering()
        if self._is_committing:
            return
        if self._granted:
            self._is_committing = True
            granted, self._granted = self._jobs.next_commit(self._granted)
            job, done = partial(self._jobs.commit, granted), partial(self._tell_committed, granted[-1].end)
            self._work(job, done, is_short=self._jobs.is_short(granted))

    def _stop_gathering(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None

    def _on_finish_granted(self, event: FinishGranted) -> None:
        self._work(self._jobs.finish, self._tell_result)

    def _on_withdrawn(self, event: Withdrawn) -> None:
        self._activity.is_withdrawn = True
        self._work(self._jobs.withdraw, self._tell_result)

    def _on_session_ended(self, event: SessionEnded) -> None:
        """End the session; a running job stops soon."""
        self.ending = event
        self._activity.is_over = True

    # reports to the master

    def _tell_activity(self, entries: int) -> None:
        self._catcher.set_progress(self._loop.now(), activity=entries)

    def _tell_needs(self, compared: Compared) -> None:
        self._jobs.confine()  # also this thread, because it writes pages while writes are quick
        now, comparison = self._loop.now(), compared.comparison
        for record in needs_records(0, compared.entries, comparison.needs):
            self._catcher.log(record, now)
        if compared.basis:
            for basis in basis_records(compared.entries, compared.basis):
                self._catcher.log(basis, now)
        self._tell_failures(comparison.failures)
        self._catcher.log(ComparedRecord(comparison.files_needed, comparison.bytes_needed, comparison.changes), now)

    def _want(self, object: ObjectKind, wanted: Wanted) -> None:
        self._tell_failures(wanted.failures)
        self._catcher.want(object, wanted.pages, self._loop.now(), is_less=wanted.is_less)
        self._tell_progress()

    def _tell_progress(self) -> None:
        rounds = self._jobs.rounds
        if rounds is None or self._activity.is_over:
            return
        now = self._loop.now()
        ready = rounds.ready  # read first, so that all sit-outs of files below it are in the log before it is reported
        self._tell_sat_out(rounds)
        self._catcher.set_progress(now, ready=ready)

    def _tell_sat_out(self, rounds: StagingRounds) -> None:
        for index, errno in rounds.take_sat_out():
            self._catcher.log(SatOutRecord(index, errno), self._loop.now())

    def _tell_committed(self, end: int, failures: list[Failure]) -> None:
        self._tell_failures(failures)
        self._catcher.set_progress(self._loop.now(), committed=end)
        self._is_committing = False
        if self._gathering is None and self._granted:
            self._loop.post(self._commit)  # the sockets are read before

    def _tell_result(self, finished: Finished) -> None:
        now, done, rounds = self._loop.now(), finished.result, self._jobs.rounds
        if rounds:
            self._tell_sat_out(rounds)
        self._tell_failures(done.failures)
        for record in finished.itemized.records:
            self._catcher.log(record, now)
        result = ResultRecord(
            files_updated=rounds.files_updated if rounds else 0,
            bytes_written=rounds.bytes_written if rounds else 0,
            created=done.created,
            mended=done.mended,
            deleted=done.deleted,
            errors=self.errors,
            skipped=done.skipped,
            untold=finished.itemized.untold,
        )
        self._catcher.log(result, now)

    def _tell_failures(self, failures: Sequence[Failure]) -> None:
        now = self._loop.now()
        if failures:
            self._jobs.warn_of_other_run()
        for failure in failures:
            self.errors += 1 + failure.others
            self._errors_told += 1
            if self._errors_told <= ERRORS_MAX:
                self._catcher.log(ErrorRecord(failure.errno, failure.path, failure.folded_action), now)


def _sentence(error: Exception) -> str:
    """Return what went wrong, without the number of an error of the system."""
    if shortage := describe_shortage(error):
        return shortage
    if isinstance(error, OSError) and error.strerror:
        is_named = isinstance(error.filename, (bytes, str))  # else it is a descriptor, as of os.listdir(fd), or nothing
        return f"{error.strerror}: {escape_controls(error.filename)}" if is_named else error.strerror
    return str(error)
