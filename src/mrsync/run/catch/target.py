"""What a target does with what its catcher receives: compare, stage, commit, finish; the tree's side of one session."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from mrsync.errors import MrsyncError, ProtocolDataError
from mrsync.protocol.catcher import Catcher
from mrsync.protocol.events import (
    CatcherEvent,
    CommitGranted,
    FinishGranted,
    ObjectHeld,
    SessionEnded,
    SessionOpened,
    Welcomed,
    Withdrawn,
)
from mrsync.run.catch.itemizing import Itemized, itemize
from mrsync.transport.loop import Loop
from mrsync.tree.compare.compare import compare, compare_again, compare_with_nothing
from mrsync.tree.compare.deletion_preview import foresee_deletions
from mrsync.tree.compare.prefetch import Survey
from mrsync.tree.compare.result import Comparison
from mrsync.tree.delta.basis import find_basis
from mrsync.tree.delta.blocks import decode_blocks, delta_key
from mrsync.tree.delta.copy import Delta
from mrsync.tree.destination.deletions import Deletions
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.owners import localize_owners
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.staging.finish import Result, finish
from mrsync.tree.staging.missing_pages import wanted_pages
from mrsync.tree.staging.resume import Leftovers
from mrsync.tree.staging.rounds import Rounds
from mrsync.tree.staging.stage import WHOLE, Stage
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import (
    ComparedRecord,
    ErrorRecord,
    FailedRecord,
    ObjectKind,
    ResultRecord,
    SatOutRecord,
)
from mrsync.wire.records import basis_records, needs_records

if TYPE_CHECKING:
    from mrsync.tree.staging.rollback import Traces

COMMIT_FILES = 1000  # at a time: in between the caster hears that something is done
ERRORS_TOLD_MAX = 1000  # paths named to the caster; the rest is counted


class Stopped(Exception):
    """The session ended while the worker was busy."""


class TargetTree:
    """Turns the events of a catcher's core into work on the tree, in the loop's worker, and tells the core the results.

    `ending` is set when the session is over.
    """

    def __init__(
        self,
        path: bytes,
        catcher: Catcher,
        loop: Loop,
        *,
        is_dry_run: bool,
        looks_ahead: bool = True,
        host: str = "",
        backup_suffix: str | None = None,
    ) -> None:
        self.ending: SessionEnded | None = None
        self.errors = 0
        self._errors_told = 0
        self.is_withdrawn = False
        self._path = path
        self._host = host
        self._backup_suffix = backup_suffix
        self._catcher = catcher
        self._loop = loop
        self._is_dry_run = is_dry_run
        self._looks_ahead = looks_ahead
        self._is_stopping = False
        self._geometry = Geometry(1, 64)
        self._session = 0
        self._survey = Survey()
        memory = (ObjectKind.MANIFEST, ObjectKind.PLAN, ObjectKind.PLAN_AGAIN)
        self._parts: dict[int, dict[int, bytes]] = {kind: {} for kind in memory}
        self._manifest = Manifest()
        self._comparison = Comparison()
        self._basis: list[tuple[int, int]] = []  # needed entries of which there is an older copy
        self._destination: Destination | None = None
        self._rounds: Rounds | None = None
        self._itemized = Itemized()
        self._traces: Traces | None = None  # under the rule `job`, until the first file is granted
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
        """Take an event of the core, in the loop's thread."""
        action = self._actions.get(type(event))
        if action is not None:  # else it is about the network
            action(event)

    def write(self, kind: int, pages: list[tuple[int, bytes]]) -> None:
        """Take pages in, in the worker's thread: contents to their files, manifest and plans to memory."""
        if kind in (ObjectKind.CONTENTS, ObjectKind.CONTENTS_AGAIN):
            if self._rounds is not None and not self._is_stopping:
                size = self._geometry.page_bytes
                self._rounds.write_many(kind > ObjectKind.CONTENTS, [(page * size, data) for page, data in pages])
                self._advance()
                self._loop.post(self._tell_progress)
        else:
            self._parts[kind].update(pages)

    def _on_welcomed(self, event: Welcomed) -> None:
        """While the master still scans: read what is here, so that the comparison need not."""
        if self._looks_ahead:
            self._loop.work(self._read_ahead, lambda _: None)

    def _read_ahead(self) -> None:
        with suppress(Stopped):
            self._survey.read(self._path, self._on_activity)

    def _on_session_opened(self, event: SessionOpened) -> None:
        self._geometry = event.geometry
        self._session = event.session

    # the worker's errors

    def _work(self, job: Callable[[], object], done: Callable[..., None]) -> None:
        """Run a job; what makes this target useless is told to the caster, which then drops it."""
        self._loop.work(partial(self._attempt, job), partial(self._finish_job, done))

    def _attempt(self, job: Callable[[], object]) -> object:
        if self._is_stopping:
            return Stopped()
        try:
            return job()
        except (MrsyncError, OSError, Stopped) as error:
            return error

    def _finish_job(self, done: Callable[..., None], result: object) -> None:
        if isinstance(result, Stopped) or self._is_stopping:
            return
        if isinstance(result, Exception):
            self._catcher.log(FailedRecord(str(result)), self._loop.now())
        else:
            done(result)

    def _on_activity(self, entries: int) -> None:
        """The worker got something done: called in its thread."""
        if self._is_stopping:
            raise Stopped
        self._loop.post(partial(self._tell_activity, entries))

    def _tell_activity(self, entries: int) -> None:
        self._catcher.set_progress(self._loop.now(), activity=entries)

    # compare and plan

    def _on_object_held(self, event: ObjectHeld) -> None:
        if event.object is ObjectKind.MANIFEST:
            self._work(self._compare, self._tell_needs)
        elif event.object is ObjectKind.PLAN:
            self._work(self._prepare, partial(self._want, ObjectKind.CONTENTS))
        elif event.object is ObjectKind.PLAN_AGAIN:
            self._work(self._prepare_again, partial(self._want, ObjectKind.CONTENTS_AGAIN))

    def _take_object(self, kind: ObjectKind) -> bytes:
        parts = self._parts.pop(kind)
        return b"".join(parts[page] for page in range(len(parts)))

    def _compare(self) -> Comparison:
        self._manifest = Manifest.decode(self._take_object(ObjectKind.MANIFEST))
        if self._is_dry_run and not os.path.isdir(self._path):
            return compare_with_nothing(self._manifest)
        destination = self._destination = Destination(
            self._path, is_dry_run=self._is_dry_run, host=self._host, suffix=self._backup_suffix
        )
        comparison = compare(self._manifest, destination, self._on_activity, self._survey)
        if destination.backups is not None:
            destination.backups.on_activity = self._on_activity
        if self._manifest.policy.delta and not self._is_dry_run:
            self._basis = find_basis(self._manifest, destination.directories, comparison.needs)
        return comparison

    def _tell_needs(self, comparison: Comparison) -> None:
        now = self._loop.now()
        self._comparison = comparison
        for record in needs_records(0, len(self._manifest), comparison.needs):
            self._catcher.log(record, now)
        if self._basis:
            for told in basis_records(len(self._manifest), self._basis):
                self._catcher.log(told, now)
        self._tell_failures(comparison.failures)
        compared = ComparedRecord(comparison.files_needed, comparison.bytes_needed, comparison.changes)
        self._catcher.log(compared, now)

    def _prepare(self) -> tuple[list[tuple[int, int]], bool]:
        """Ranges of contents pages that are wanted, and whether some of what is needed is here already."""
        if self._destination is None:
            raise ProtocolDataError("a plan came before the comparison")
        plan = Plan.decode(self._take_object(ObjectKind.PLAN), self._manifest)
        needs = self._comparison.needs
        stage = self._open_stage(plan, needs)
        page_bytes = self._geometry.page_bytes
        held = self._take_up_leftovers(stage) if self._manifest.policy.partial else {}
        if plan.blocks:
            blocks = decode_blocks(plan, page_bytes)
            Delta(stage, page_bytes, delta_key(self._session), self._on_activity).fill(blocks, held)
        is_less = bool(held) or WHOLE in stage.states
        pages = wanted_pages(stage, needs, held, page_bytes) if is_less else plan.pages_of(needs, page_bytes)
        self._advance()
        return pages, is_less

    def _prepare_again(self) -> tuple[list[tuple[int, int]], bool]:
        """Judge anew what changed while it was cast; ranges of pages, all of which are wanted."""
        if self._rounds is None or self._destination is None:
            raise ProtocolDataError("a second plan came before the first")
        from mrsync.tree.model.manifest_patch import decode_again, unplanned  # few runs have a second round

        manifest = self._manifest
        amendment, plan = decode_again(self._take_object(ObjectKind.PLAN_AGAIN), manifest, localize_owners)
        comparison = compare_again(manifest, self._destination, amendment.entries)
        self._comparison.amend(amendment.entries, comparison)
        stage = Stage(self._destination, manifest, plan, comparison.needs, f"{self._session:016x}a")
        if self._traces is not None:
            self._traces.add(stage)
        self._rounds.add(stage)
        failures = [*comparison.failures, *unplanned(manifest, plan, comparison.needs)]
        self._loop.post(partial(self._tell_failures, failures))
        self._advance()
        return plan.pages_of(comparison.needs, self._geometry.page_bytes), False

    def _take_up_leftovers(self, stage: Stage) -> dict[int, list[tuple[int, int]]]:
        """Adopt what earlier sessions left; which bytes are there of files that are not complete."""
        stage.start_journal()
        leftovers = Leftovers(stage.destination, self._manifest, self._comparison.stale, self._on_activity)
        held = leftovers.adopt(stage)
        leftovers.remove()  # what is of no use must not take up room
        return held

    def _open_stage(self, plan: Plan, needs: Sequence[tuple[int, int]]) -> Stage:
        assert self._destination is not None  # the comparison comes first
        stage = Stage(self._destination, self._manifest, plan, needs, f"{self._session:016x}")
        self._rounds = Rounds(stage)
        if self._manifest.policy.commit == "job":
            from mrsync.tree.staging.rollback import Traces

            self._traces = Traces(stage)
        return stage

    def _advance(self) -> None:
        """Let the stage find out how far it is ready, file by file of no data."""
        assert self._rounds is not None
        while self._rounds.advance():
            self._on_activity(1)

    def _want(self, kind: ObjectKind, wanted: tuple[list[tuple[int, int]], bool]) -> None:
        now = self._loop.now()
        pages, is_less = wanted
        self._catcher.want(kind, pages, now, is_less=is_less)
        self._tell_progress()

    # contents and commit

    def _tell_progress(self) -> None:
        rounds = self._rounds
        if rounds is None or self._is_stopping:
            return
        now = self._loop.now()
        ready = rounds.ready  # read before the sit-outs: those of files below are in the log first
        for index, errno in rounds.take_sat_out():
            self._catcher.log(SatOutRecord(index, errno), now)
        self._catcher.set_progress(now, ready=ready)

    def _on_commit_granted(self, event: CommitGranted) -> None:
        self._work(partial(self._commit, event), partial(self._tell_committed, event.end))

    def _commit(self, event: CommitGranted) -> list[Failure]:
        assert self._rounds is not None  # a commit is granted only for files that were ready
        self._traces = None
        failures: list[Failure] = []
        for first in range(event.first, event.end, COMMIT_FILES):
            end = min(first + COMMIT_FILES, event.end)
            failures += self._rounds.commit(first, end, event.exceptions)
            if self._manifest.policy.commit == "job":  # what has begun is not left half done, whoever ends
                self._loop.post(partial(self._tell_activity, end - first))
            else:
                self._on_activity(end - first)
        return failures

    def _tell_committed(self, end: int, failures: list[Failure]) -> None:
        self._tell_failures(failures)
        self._catcher.set_progress(self._loop.now(), committed=end)

    # the rest

    def _on_finish_granted(self, event: FinishGranted) -> None:
        self._work(self._finish, self._tell_result)

    def _finish(self) -> Result:
        if self._is_dry_run:
            done = Result()
            if self._destination is not None:
                done.failures = foresee_deletions(self._manifest, self._destination, self._comparison)
        else:
            stage = self._rounds.first if self._rounds else self._open_stage(Plan(self._manifest, [], {}), [])
            self._traces = None
            again = self._rounds.again if self._rounds else None
            done = finish(stage, self._comparison, self._on_activity, again)
            if self._rounds:
                done.undone |= self._rounds.unplaced()
        if self._destination is not None:
            done.failures += self._destination.refusals.take()
            done.skipped = self._destination.deletions.skipped
        if self._comparison.items is not None:
            deletions = self._destination.deletions if self._destination is not None else Deletions(Policy())
            self._itemized = itemize(self._comparison.items, done.undone, deletions, self._on_activity)
        return done

    def _on_withdrawn(self, event: Withdrawn) -> None:
        self.is_withdrawn = True
        self._work(self._withdraw, self._tell_result)

    def _withdraw(self) -> Result:
        if self._rounds is not None:
            self._rounds.cleanup()
        return Result()

    def _tell_result(self, done: Result) -> None:
        self._tell_failures(done.failures)
        for record in self._itemized.records:
            self._catcher.log(record, self._loop.now())
        rounds = self._rounds
        self._catcher.log(
            ResultRecord(
                files_updated=rounds.files_updated if rounds else 0,
                bytes_written=rounds.bytes_written if rounds else 0,
                created=done.created,
                mended=done.mended,
                deleted=done.deleted,
                errors=self.errors,
                digest=rounds.digest if rounds else bytes(32),
                skipped=done.skipped,
                untold=self._itemized.untold,
            ),
            self._loop.now(),
        )

    def _tell_failures(self, failures: Sequence[Failure]) -> None:
        now = self._loop.now()
        for failure in failures:
            self.errors += 1 + failure.others
            self._errors_told += 1
            if self._errors_told <= ERRORS_TOLD_MAX:
                self._catcher.log(ErrorRecord(failure.errno, failure.path, failure.folded_action), now)

    def _on_session_ended(self, event: SessionEnded) -> None:
        """Whatever the worker does, it stops soon."""
        self.ending = event
        self._is_stopping = True

    def clean_up(self) -> None:
        """Remove what is staged, or leave it to a later session, and let go of the tree; when the worker is idle."""
        if self._rounds is not None:
            self._rounds.cleanup()
        if self._traces is not None:
            self._traces.wipe()
        if self._destination is not None:
            self._destination.close()
