"""The jobs of a target in one session: compare, prepare, write, commit, finish.

Jobs run in the loop's worker, one at a time and in the order in which `session` starts them. So the tree needs no
lock. A job never touches the state machine: it returns a value, which `session` reports in the loop's thread. Two
things cross the threads:

  Activity. A job calls it for every few entries. It posts progress to the loop, and raises Stopped in the job after
  the loop has set is_over.
  write. The loop may call it in its own thread instead, but only while the worker is idle.

A session can end at any of these calls. Nothing is lost then, because every file is either staged or in place, and the
journal keeps what is staged for a later run. With `--commit job`, a commit that has begun is not interrupted
(`Activity.insist`), so that the tree is not left half changed.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mrsync.errors import ProtocolDataError
from mrsync.protocol.core.events import CommitGranted
from mrsync.run.bootstrap import WARNING
from mrsync.run.catch.activity import Activity
from mrsync.run.catch.confinement import confine, open_deepest
from mrsync.run.catch.itemizing import Itemized, itemize
from mrsync.run.catch.record_keeper import RecordKeeper
from mrsync.run.sandbox import Sandbox
from mrsync.tree.compare.coming_deletions import check_deletions, foresee_deletions
from mrsync.tree.compare.compare import compare, compare_again, compare_with_nothing
from mrsync.tree.compare.prefetch import Prefetch
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.deletions import Deletions
from mrsync.tree.destination.destination import Destination, rename_file
from mrsync.tree.destination.root import check_absent_root, check_room
from mrsync.tree.fs.owners import localize_owners, unknown_owners
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.model.spans import merged
from mrsync.tree.staging.commit import StagingRounds
from mrsync.tree.staging.finish import Result, finish
from mrsync.tree.staging.homes import StagingArea, foresee_area
from mrsync.tree.staging.stage import WHOLE, Stage
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind

if TYPE_CHECKING:
    from mrsync.tree.staging.durability import Durability
    from mrsync.tree.staging.rollback import Rollback

COMMIT_FILES = 1000  # files to rename between two reports of activity


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
    """The tree of one target during one session.

    path: of the destination. host, suffix: for the names of backups. Set geometry and session when the session opens.
    """

    def __init__(
        self,
        path: bytes,
        activity: Activity,
        *,
        is_dry_run: bool,
        host: str = "",
        suffix: str | None = None,
        sandbox: Sandbox | None = None,
        keeper: RecordKeeper | None = None,
    ) -> None:
        self.geometry = Geometry(1, 64)
        self.session = 0
        self._path = path
        self._activity = activity
        self._is_dry_run = is_dry_run
        self._host = host
        self._suffix = suffix
        self._sandbox = sandbox
        self._record_keeper = keeper
        self._prefetch = Prefetch()
        memory = (ObjectKind.MANIFEST, ObjectKind.PLAN, ObjectKind.PLAN_AGAIN)
        self._parts: dict[int, dict[int, bytes]] = {kind: {} for kind in memory}
        self._manifest = Manifest()
        self._comparison = Comparison()
        self._destination: Destination | None = None
        self._rollback: Rollback | None = None  # for `--commit job`: what to undo if no commit is granted
        self.rounds: StagingRounds | None = None
        self._durability: Durability | None = None
        self._area: StagingArea | None = None

    # receiving

    def write(self, kind: int, pages: list[tuple[int, bytes, bytes]]) -> None:
        """Take pages: write contents to their files, keep manifest and plans in memory. Raise Stopped.

        pages: (page, data, proof).
        """
        if kind in (ObjectKind.CONTENTS, ObjectKind.CONTENTS_AGAIN):
            if self.rounds is not None:
                size = self.geometry.page_bytes
                if self._record_keeper is not None:
                    self._record_keeper.take(kind, pages)
                if self._durability is not None:
                    self._durability.note_written(sum(len(data) for _, data, _ in pages))
                self.rounds.write_many(kind > ObjectKind.CONTENTS, [(page * size, data) for page, data, _ in pages])
                self._advance()
        else:
            self._parts[kind].update((page, data) for page, data, _ in pages)

    def _take_object(self, kind: ObjectKind) -> bytes:
        parts = self._parts.pop(kind)
        return b"".join(parts[page] for page in range(len(parts)))

    # compare and plan

    def read_ahead(self) -> None:
        """Read the destination while the master scans, so that the comparison finds it in memory."""
        self._prefetch.read(self._path, self._activity)

    def compare(self) -> Compared:
        """Decode the manifest and compare the destination with it."""
        encoded = self._take_object(ObjectKind.MANIFEST)
        manifest = self._manifest = Manifest.decode(encoded)
        if manifest.policy.is_one_file and not os.path.isdir(self._path):
            self._path = rename_file(manifest, self._path)
        if self._is_dry_run and not os.path.isdir(self._path):
            check_absent_root(self._path, makes_parents=manifest.policy.makes_parents)
            if manifest.policy.temp_dir:
                self._foresee_area(manifest.policy.temp_dir)
            comparison = self._comparison = self._compare_with_nothing(manifest)
            return self._fitting(Compared(len(manifest), comparison, []))
        destination = self._destination = Destination(
            self._path,
            is_dry_run=self._is_dry_run,
            host=self._host,
            suffix=self._suffix,
            makes_parents=manifest.policy.makes_parents,
        )
        _warn(unknown_owners(manifest.policy))
        comparison = self._comparison = compare(manifest, destination, self._activity, self._prefetch)
        if destination.alternates is not None:
            _warn(destination.alternates.missing)
        if manifest.policy.temp_dir:
            self._open_area(destination, manifest.policy.temp_dir)
        if manifest.policy.guards_deletions and comparison.extraneous:
            check_deletions(destination, comparison, self._activity)
        if manifest.policy.durable and not self._is_dry_run:
            from mrsync.tree.staging.durability import Durability  # most runs do without

            self._durability = Durability(destination)
        if destination.removals.backups is not None:
            destination.removals.backups.on_activity = self._activity
        if self._record_keeper is not None and not self._is_dry_run and not manifest.policy.is_listed:
            self._record_keeper.open(encoded)
        self.confine()
        return self._fitting(Compared(len(manifest), comparison, self._find_basis(destination, comparison)))

    def _open_area(self, destination: Destination, name: str) -> None:
        """Stage files in the directory of --temp-dir. Raise FileError if it cannot be used."""
        self._area = StagingArea(destination, name, self._host)
        destination.directories.aside_fd = self._area.fd
        self._comparison.stale += self._area.leftovers()

    def _foresee_area(self, name: str) -> None:
        near_fd = open_deepest(os.path.abspath(self._path))
        try:
            foresee_area(self._path, near_fd, name, self._host)
        finally:
            os.close(near_fd)

    def _compare_with_nothing(self, manifest: Manifest) -> Comparison:
        if not manifest.policy.alternates.paths:
            return compare_with_nothing(manifest)
        from mrsync.tree.destination.alternates import Alternates  # few runs have any

        alternates = Alternates(manifest, self._path, None, self._host)
        try:
            _warn(alternates.missing)
            return compare_with_nothing(manifest, alternates)
        finally:
            alternates.close()

    def _fitting(self, compared: Compared) -> Compared:
        """Return the argument. In a dry run, raise FileError if the destination has too little space."""
        if self._is_dry_run:
            comparison = compared.comparison
            check_room(self._path, self._manifest, comparison.needs, len(comparison.made))
        return compared

    def confine(self) -> None:
        """Restrict the calling thread to changes below the destination. Call in each thread that works on the tree."""
        if self._sandbox is not None and self._destination is not None:
            confine(self._sandbox, self._destination, self._manifest.policy, self._area, self._record_keeper)

    def _find_basis(self, destination: Destination, comparison: Comparison) -> list[tuple[int, int]]:
        """Return ranges of needed entries that have reusable blocks here.

        These are files that only need another inode, and with --delta large files that have an older version.
        """
        if self._is_dry_run:
            return []
        basis = [(entry, entry + 1) for entry in comparison.restaged]
        if self._manifest.policy.delta:
            from mrsync.tree.delta.basis import find_basis

            basis += find_basis(self._manifest, destination.directories, comparison.needs)
        return merged(basis)

    def prepare(self) -> Wanted:
        """Open the stage for the plan, and adopt staged files of earlier runs.

        Raise ProtocolDataError if nothing was compared yet, FileError if another target of the session writes here.
        """
        if self._destination is None:
            raise ProtocolDataError("a plan came before the comparison")
        plan = Plan.decode(self._take_object(ObjectKind.PLAN), self._manifest)
        needs = self._comparison.needs
        stage = self._open_stage(plan, needs)
        if self._record_keeper is not None:
            self._record_keeper.begin(ObjectKind.CONTENTS, plan)
        stage.start_journal()
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
        self._advance()
        return Wanted(pages, is_less)

    def prepare_again(self) -> Wanted:
        """Compare files that changed during the cast once more, and open a stage for the second round.

        All of its contents are wanted. Raise ProtocolDataError if there was no first round.
        """
        if self.rounds is None or self._destination is None:
            raise ProtocolDataError("a second plan came before the first")
        from mrsync.tree.model.manifest_patch import decode_again, unplanned  # rarely needed

        manifest = self._manifest
        encoded = self._take_object(ObjectKind.PLAN_AGAIN)
        patch, plan = decode_again(encoded, manifest, localize_owners)
        if self._record_keeper is not None:
            self._record_keeper.amend(encoded)
            self._record_keeper.begin(ObjectKind.CONTENTS_AGAIN, plan)
        comparison = compare_again(manifest, self._destination, patch.entries)
        self._comparison.amend(patch.entries, comparison)
        stage = Stage(self._destination, manifest, plan, comparison.needs, f"{self.session:016x}a")
        if self._rollback is not None:
            self._rollback.add(stage)
        self.rounds.add(stage)
        self._advance()
        failures = [*comparison.failures, *unplanned(manifest, plan, comparison.needs)]
        return Wanted(plan.pages_of(comparison.needs, self.geometry.page_bytes), False, failures)

    def _open_stage(self, plan: Plan, needs: Sequence[tuple[int, int]]) -> Stage:
        assert self._destination is not None  # the comparison comes first
        stage = Stage(self._destination, self._manifest, plan, needs, f"{self.session:016x}")
        self.rounds = StagingRounds(stage)
        if self._manifest.policy.commit == "job":
            from mrsync.tree.staging.rollback import Rollback

            self._rollback = Rollback(stage)
        return stage

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

    def commit(self, granted: Sequence[CommitGranted]) -> list[Failure]:
        """Rename granted plan files into place, except those that some target sits out. Return what failed.

        With `--commit job`, a commit that has begun is completed even if the session ends. With --fsync, contents are
        on disk before a name leads to them, and names are on disk before this returns.
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
        try:
            durability.flush(note)
        except OSError as error:
            return [Failure.of(error, self._manifest.path(0), "flush the disk of")]
        return []

    def finish(self) -> Finished:
        """Finish the tree after all contents are in place. In a dry run, only report what would be deleted."""
        if self._is_dry_run:
            done = Result()
            if self._destination is not None:
                done.failures = foresee_deletions(self._manifest, self._destination, self._comparison)
                done.deleted = self._destination.removals.deletions.count
        else:
            stage = self.rounds.first if self.rounds else self._open_stage(Plan(self._manifest, [], {}), [])
            self._rollback = None
            again = self.rounds.again if self.rounds else None
            done = finish(stage, self._comparison, self._activity, again)
            if self.rounds:
                done.undone |= self.rounds.unplaced()
                paths = map(self._manifest.path, self.rounds.missed())
                done.failures += [Failure(errno.ENODATA, path, "replace") for path in paths]
            if done.is_change or (self.rounds and self.rounds.files_updated):
                done.failures += self._flush(self._activity)
            self._keep_record()
        if self._destination is not None:
            done.failures += self._destination.refusals.take()
            done.skipped = self._destination.removals.deletions.skipped
        if self._comparison.items is None:
            return Finished(done)
        deletions = self._destination.removals.deletions if self._destination is not None else Deletions(Policy())
        return Finished(done, itemize(self._comparison.items, done.undone, deletions, self._activity))

    def _keep_record(self) -> None:
        """Keep the record for `mrsync verify`. If that fails, the tree is still right, and verify reports the gap."""
        if self._record_keeper is None or self._destination is None:
            return
        stages = [stage for stage in (self.rounds.first, self.rounds.again) if stage] if self.rounds else []
        with suppress(OSError):
            self._record_keeper.keep(stages, self._destination, self._manifest)

    def withdraw(self) -> Finished:
        """Remove all staged files, because nothing may be changed here."""
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
        if self._destination is not None:
            self._destination.close()
        if self._area is not None:
            self._area.close()
        if self._record_keeper is not None:
            self._record_keeper.close()


def _warn(sentences: Sequence[str]) -> None:
    """Print warnings. The master shows them with the name of this target."""
    for sentence in sentences:
        print(f"{WARNING.decode()}{sentence}", file=sys.stderr, flush=True)
