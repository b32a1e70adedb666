"""The jobs of a target in one session: compare, prepare, write, commit, finish.

Jobs run in the loop's worker, one at a time and in the order in which `session` starts them. So the tree needs no
lock. A job never touches the state machine: it returns a value, which `session` reports in the loop's thread. Two
things cross the threads:

  Activity. A job calls it for every few entries. It posts progress to the loop, and raises Stopped in the job after
  the loop has set is_over.
  write, and a short commit. The loop may call these in its own thread instead, but only while the worker is idle.

A session can end at any of these calls. Nothing is lost then, because every file is either staged or in place, and the
journal keeps what is staged for a later run. With `--commit job`, a commit that has begun is not interrupted
(`Activity.insist`), so that the tree is not left half changed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from mrsync.errors import ProtocolDataError
from mrsync.protocol.core.events import CommitGranted
from mrsync.run.catch.activity import Activity, Stopped
from mrsync.run.catch.confinement import confine
from mrsync.run.catch.itemizing import Itemized, itemize
from mrsync.run.catch.record_keeper import RecordKeeper
from mrsync.run.catch.target_tree import TargetTree, warn
from mrsync.run.sandbox import Sandbox
from mrsync.tree.compare.coming_deletions import foresee_deletions
from mrsync.tree.compare.compare import compare_again, localize
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.staging.commit import StagingRounds
from mrsync.tree.staging.finish import Result, finish
from mrsync.tree.staging.stage import Stage
from mrsync.tree.staging.staged_files import WHOLE
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import CONTENTS_KINDS, ObjectKind

if TYPE_CHECKING:
    from mrsync.tree.staging.durability import Durability
    from mrsync.tree.staging.rollback import Rollback

COMMIT_FILES = 1000  # files to rename between two reports of activity
SHORT_FILES = 200  # files that are renamed in a few ms; on a slow network file system in seconds, and only once


class Compared(NamedTuple):
    """The result of a comparison. basis: ranges of needed entries of which an older copy exists here."""

    entries: int
    comparison: Comparison
    basis: list[tuple[int, int]]


class Wanted(NamedTuple):
    """The pages of the contents that this target wants, as ranges of page numbers.

    is_less: they are fewer than its needs imply, because it already has some of the data.
    """

    pages: list[tuple[int, int]]
    is_less: bool
    failures: Sequence[Failure] = ()


class Finished(NamedTuple):
    result: Result
    itemized: Itemized = Itemized()


class TreeJobs:
    """The work of a target on its tree during one session. Set geometry and session when the session opens.

    on_written: called after each `write`, in the same thread.
    """

    def __init__(
        self,
        tree: TargetTree,
        activity: Activity,
        *,
        sandbox: Sandbox | None = None,
        keeper: RecordKeeper | None = None,
        on_written: Callable[[], None] = lambda: None,
    ) -> None:
        self.geometry = Geometry(1, 64)
        self.session = 0
        self._tree = tree
        self._activity = activity
        self._sandbox = sandbox
        self._record_keeper = keeper
        self._on_written = on_written
        memory = (ObjectKind.MANIFEST, ObjectKind.PLAN, ObjectKind.PLAN_AGAIN)
        self._parts: dict[int, dict[int, bytes]] = {object: {} for object in memory}
        self._manifest = Manifest()
        self._comparison = Comparison()
        self._rollback: Rollback | None = None  # for `--commit job`: what to undo if no commit is granted
        self.rounds: StagingRounds | None = None
        self._durability: Durability | None = None

    # receiving

    def write(self, object: int, pages: list[tuple[int, bytes, bytes]]) -> None:
        """Take pages (page, data, proof): write contents to their files, keep manifest and plans in memory.

        Called in the loop's thread while writes are quick, else in the worker. Contents that still arrive after the
        master withdrew all changes are dropped: staged files are left as the journal says. A manifest or plan is kept,
        because the job that decodes it may wait in the worker already.
        """
        is_dropped = self._activity.is_withdrawn and object in CONTENTS_KINDS
        if not (self._activity.is_over or is_dropped):
            with suppress(Stopped):
                self._take(object, pages)
            self._on_written()

    def _take(self, object: int, pages: list[tuple[int, bytes, bytes]]) -> None:
        if object in CONTENTS_KINDS:
            if self.rounds is not None:
                size = self.geometry.page_bytes
                if self._record_keeper is not None:
                    self._record_keeper.take(object, pages)
                if self._durability is not None:
                    self._durability.note_written(sum(len(data) for _, data, _ in pages))
                stage = self.rounds.stage(object > ObjectKind.CONTENTS)
                stage.write_many([(page * size, data) for page, data, _ in pages])
                self._advance()
        else:
            self._parts[object].update((page, data) for page, data, _ in pages)

    def _take_object(self, object: ObjectKind) -> bytes:
        parts = self._parts.pop(object)
        return b"".join(parts[page] for page in range(len(parts)))

    # compare and plan

    def read_ahead(self) -> None:
        """Read the destination while the master scans."""
        self._tree.read_ahead()

    def compare(self) -> Compared:
        """Decode the manifest and compare the destination with it. Raise the errors of `TargetTree.compare`."""
        encoded = self._take_object(ObjectKind.MANIFEST)
        manifest = self._manifest = Manifest.decode(encoded)
        comparison = self._comparison = self._tree.compare(manifest)
        destination = self._tree.destination
        if destination is not None and not self._tree.is_dry_run:
            if manifest.policy.durable:
                from mrsync.tree.staging.durability import Durability  # most runs do without

                self._durability = Durability(destination)
            if self._record_keeper is not None and not manifest.policy.is_listed:
                self._record_keeper.open(encoded)
        self.confine()
        return Compared(len(manifest), comparison, self._tree.find_basis(manifest, comparison))

    def confine(self) -> None:
        """Restrict the calling thread to changes below the destination. Call in each thread that works on the tree."""
        if self._sandbox is not None and self._tree.destination is not None:
            confine(self._sandbox, self._tree.destination, self._manifest.policy, self._tree.area, self._record_keeper)

    def prepare(self) -> Wanted:
        """Open the stage for the plan, and adopt staged files of earlier runs.

        Raise ProtocolDataError if nothing was compared yet, FileError if another target of the session writes here.
        """
        if self._tree.destination is None:
            raise ProtocolDataError("a plan came before the comparison")
        plan = Plan.decode(self._take_object(ObjectKind.PLAN), self._manifest)
        needs = self._comparison.needs
        stage = self._open_rounds(plan, needs).first
        if self._record_keeper is not None:
            self._record_keeper.begin(ObjectKind.CONTENTS, plan)
        stage.start_journal()
        self._tree.notice_other_run()
        page_bytes = self.geometry.page_bytes
        held = self._adopt_leftovers(stage) if self._comparison.stale and self._manifest.policy.partial else {}
        if plan.blocks:
            from mrsync.tree.delta.blocks import decode_blocks, delta_key  # few runs have deltas
            from mrsync.tree.delta.copy import Delta

            blocks = decode_blocks(plan, page_bytes)
            Delta(stage, page_bytes, delta_key(self.session), self._activity).fill(
                blocks, held, frozenset(self._comparison.restaged)
            )
        is_less = bool(held) or WHOLE in stage.states
        pages = plan.pages_of(needs, page_bytes)
        if is_less:
            from mrsync.tree.staging.resume import missing_pages

            pages = missing_pages(stage, needs, held, page_bytes)
        plan.forget_identities()
        self._advance()
        return Wanted(pages, is_less)

    def prepare_again(self) -> Wanted:
        """Compare files that changed during the cast once more, and open a stage for the second round.

        All of its contents are wanted. Raise ProtocolDataError if there was no first round.
        """
        if self.rounds is None or self._tree.destination is None:
            raise ProtocolDataError("a second plan came before the first")
        from mrsync.tree.model.manifest_patch import decode_again, unplanned  # rarely needed

        manifest = self._manifest
        encoded = self._take_object(ObjectKind.PLAN_AGAIN)
        patch, plan = decode_again(encoded, manifest, partial(localize, umask=self._tree.umask))
        if self._record_keeper is not None:
            self._record_keeper.amend(encoded)
            self._record_keeper.begin(ObjectKind.CONTENTS_AGAIN, plan)
        comparison = compare_again(manifest, self._tree.destination, patch.entries)
        self._comparison.amend(patch.entries, comparison)
        stage = Stage(self._tree.destination, manifest, plan, comparison.needs, f"{self.session:016x}a")
        if self._rollback is not None:
            self._rollback.add(stage)
        self.rounds.add(stage)
        self._advance()
        failures = [*comparison.failures, *unplanned(manifest, plan, comparison.needs)]
        return Wanted(plan.pages_of(comparison.needs, self.geometry.page_bytes), False, failures)

    def _open_rounds(self, plan: Plan, needs: Sequence[tuple[int, int]]) -> StagingRounds:
        """Set `rounds` to one round, for a plan, and return it."""
        assert self._tree.destination is not None  # the comparison comes first
        stage = Stage(self._tree.destination, self._manifest, plan, needs, f"{self.session:016x}")
        self.rounds = StagingRounds(stage)
        if self._manifest.policy.commit == "job":
            from mrsync.tree.staging.rollback import Rollback

            self._rollback = Rollback(stage)
        return self.rounds

    def _adopt_leftovers(self, stage: Stage) -> dict[int, list[tuple[int, int]]]:
        """Adopt files that earlier sessions staged. Return the byte ranges that incomplete ones have, by plan file."""
        from mrsync.tree.staging.resume import StaleFiles  # most runs find none

        stale_files = StaleFiles(stage.destination, self._manifest, self._comparison.stale, self._activity)
        held = stale_files.adopt(stage)
        stale_files.remove()  # those that could not be adopted only take space
        return held

    def _advance(self) -> None:
        """Let the stages find out how many files are ready, including files without data, for which no page arrives."""
        assert self.rounds is not None
        while self.rounds.advance():
            self._activity(1)

    # putting files in place

    def gathers(self, end: int) -> bool:
        """Return whether a commit that ends before plan file `end` may wait to share its disk flush with later ones."""
        return self._manifest.policy.durable and self.rounds is not None and not self.rounds.is_end(end)

    def next_commit(self, granted: Sequence[CommitGranted]) -> tuple[list[CommitGranted], list[CommitGranted]]:
        """Divide what is granted into the next commit and the rest.

        If only names change, a commit has at most SHORT_FILES. So the loop does all of them where renames are quick:
        else each large one would go to the worker, and the writes behind it as well. `--commit job` divides nothing.
        """
        end = granted[-1].end
        if self._only_renames and self._manifest.policy.commit != "job":
            end = min(end, granted[0].first + SHORT_FILES)
        now = [each._replace(end=min(each.end, end)) for each in granted if each.first < end]
        return now, [each._replace(first=max(each.first, end)) for each in granted if each.end > end]

    def is_short(self, granted: Sequence[CommitGranted]) -> bool:
        """Return whether a commit is only a few renames."""
        return self._only_renames and granted[-1].end - granted[0].first <= SHORT_FILES

    @property
    def _only_renames(self) -> bool:
        """Whether commits flush, keep and clear away nothing."""
        policy = self._manifest.policy
        return not (policy.durable or policy.backup or self._comparison.obstacles)

    def commit(self, granted: Sequence[CommitGranted]) -> list[Failure]:
        """Rename granted plan files into place, except those that some target sits out. Return what failed.

        With `--commit job`, a commit that has begun is completed even if the session ends. With --durable, contents
        are on disk before a name leads to them, and names are on disk before this returns.
        """
        assert self.rounds is not None  # only files that were ready are granted
        failures = self._flush(self._activity)
        self._rollback = None
        note = self._activity.insist if self._manifest.policy.commit == "job" else self._activity
        is_flushed = not failures
        for grant in granted:
            for start in range(grant.first, grant.end, COMMIT_FILES):
                stop = min(start + COMMIT_FILES, grant.end)
                exceptions = grant.exceptions if is_flushed else [(start, stop)]
                failures += self.rounds.commit(start, stop, exceptions)
                note(stop - start)
        return failures + self._flush(note)

    def _flush(self, note: Callable[[int], None]) -> list[Failure]:
        """Flush all changes to the disk if the policy is durable. Return the failure, if any."""
        durability = self._durability
        if durability is None:
            return []
        stage = self.rounds.first if self.rounds is not None else None
        if stage is not None:
            stage.notes.begin_flush()
        try:
            durability.flush(note)
        except OSError as error:
            return [Failure.of(error, self._manifest.path(0), "flush the disk of")]
        if stage is not None:
            stage.notes.end_flush()
        return []

    def finish(self) -> Finished:
        """Finish the tree after all contents are in place. In a dry run, only report what would be deleted."""
        destination, comparison = self._tree.destination, self._comparison
        done = self._foresee() if self._tree.is_dry_run else self._finish()
        deletions = DeletionLimit(Policy())
        if destination is not None:
            deletions = destination.removals.deletions
            done.failures += destination.refusals.take()
            done.skipped = deletions.skipped
        if comparison.items is None:
            return Finished(done)
        return Finished(done, itemize(comparison.items, done.undone, deletions, self._activity))

    def warn_of_other_run(self) -> None:
        """Warn once if another run works in the destination, because something failed."""
        self._tree.warn_of_other_run()

    def _foresee(self) -> Result:
        """Return what a dry run would delete, and what it could not."""
        foreseen = Result()
        foreseen.undone.update(self._tree.unfit)
        if self._tree.destination is not None:
            foreseen.failures = foresee_deletions(self._manifest, self._tree.destination, self._comparison)
            foreseen.deleted = self._tree.destination.removals.deletions.count
        return foreseen

    def _finish(self) -> Result:
        """Return what was done after the last commit."""
        rounds = self.rounds
        if rounds is None:  # nothing was planned
            rounds = self._open_rounds(Plan(self._manifest, [], {}), [])
        self._rollback = None
        done = finish(rounds.first, self._comparison, self._activity, rounds.again)
        done.undone |= rounds.unplaced()
        done.failures += [Failure(errno.ENODATA, self._manifest.path(entry), "replace") for entry in rounds.missed()]
        if done.is_change or rounds.files_updated:
            done.failures += self._flush(self._activity)
        rounds.forget_writing()
        self._keep_record(rounds)
        return done

    def _keep_record(self, rounds: StagingRounds) -> None:
        """Keep the record for `mrsync verify`. Warn if that fails: the tree is right, but verify sees an old one."""
        if self._record_keeper is None or self._tree.destination is None:
            return
        stages = [stage for stage in (rounds.first, rounds.again) if stage]
        try:
            self._record_keeper.keep(stages, self._tree.destination, self._manifest)
        except OSError as error:
            warn([f"no record of this sync is kept for mrsync verify: {error.strerror}"])

    def withdraw(self) -> Finished:
        """Give up staged files, because nothing may be changed here. Those in the journal stay for a later run."""
        if self.rounds is not None:
            self.rounds.cleanup()
        return Finished(Result())

    def clean_up(self) -> None:
        """Remove staged files or keep them for a later session, and close the tree.

        Call only while the worker is idle.
        """
        if self.rounds is not None:
            self.rounds.cleanup()
        if self._rollback is not None:
            self._rollback.restore()
        self._tree.close()
        if self._record_keeper is not None:
            self._record_keeper.close()
