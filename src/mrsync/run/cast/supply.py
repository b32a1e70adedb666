"""The source of a run on the master: scan it, and plan what targets need. Mostly runs in the loop's worker."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from mrsync.errors import LimitError, MrsyncError
from mrsync.protocol.caster import Caster
from mrsync.protocol.core.events import ComparisonFinished, FilesChanged
from mrsync.protocol.targets.patience import work_s
from mrsync.run.cast.changed_files import Changes
from mrsync.run.cast.load_source import LoadedSource, load_source
from mrsync.run.cast.notices import Notices
from mrsync.run.cast.objects import Objects, SecondPlan
from mrsync.run.observer import Notice, Observer
from mrsync.run.settings import CastSettings
from mrsync.transport.loop import Loop
from mrsync.tree.delta.blocks import delta_key
from mrsync.tree.model.failure import Fault, printable
from mrsync.wire.limits import PLANNED_PAGES_MAX

if TYPE_CHECKING:
    from mrsync.run.cast.rsync_compare import RsyncCompare


class _Over(Exception):
    """The run ended while a job was reading the source."""


class Supply:
    """Make what the caster sends out of the source. `objects` reads its pages.

    objects: None until the source is scanned.
    scanned_at: time.monotonic() of that.
    entries_scanned: so far.
    digested: bytes so far and in total, for --checksum.
    is_incomplete: a part of the selection is missing.
    changes: files that changed while they were read.
    rsync_compare: None unless rsync makes the selection.

    Methods marked "Worker:" run in the loop's worker, all others in the loop.
    """

    def __init__(
        self,
        settings: CastSettings,
        session: int,
        loop: Loop,
        caster: Caster,
        notices: Notices,
        observer: Observer,
    ) -> None:
        self.objects: Objects | None = None
        self.scanned_at = time.monotonic()
        self.entries_scanned = 0
        self.digested = 0, 0
        self.is_incomplete = False
        self.changes = Changes(self.path, notice=lambda text: notices.notice(1, text), warn=notices.warn)
        self._settings = settings
        self._session = session
        self._loop = loop
        self._caster = caster
        self._notices = notices
        asks_rsync = settings.selection.rsync_options is not None
        self.rsync_compare = self._make_rsync_compare(observer) if asks_rsync else None
        self._is_over = False
        self._has_begun = False  # whether contents of this round are being cast

    def start(self) -> None:
        """Scan the source, then offer its manifest to the caster."""
        self._loop.work(self._scan, self._on_scanned)

    def stop(self) -> None:
        """Close the source, and let a running job end soon."""
        self._is_over = True
        if self.objects is not None:
            self.objects.close()

    def path(self, file: int) -> str:
        """Return the printable path of a plan file."""
        return printable(self.objects.path(file)) if self.objects is not None else str(file)

    def note_activity(self, entries: int) -> None:
        """Worker: count scanned entries. End the job if the run is over."""
        if self._is_over:
            raise _Over
        self.entries_scanned += entries

    # scan

    def _make_rsync_compare(self, observer: Observer) -> RsyncCompare:
        from mrsync.run.cast.rsync_compare import RsyncCompare  # the import takes 10 ms

        def tell(notice: Notice) -> None:
            self._loop.post(partial(observer.on_notice, notice))

        return RsyncCompare(self._settings, tell, lambda: self.note_activity(0))

    def _scan(self) -> Objects | None:
        """Worker: scan the source. Return None if the run ended meanwhile."""
        try:
            loaded = load_source(self._settings, self.rsync_compare, self.note_activity, self._on_digested)
        except _Over:
            return None
        self._loop.post(partial(self._note_loaded, loaded))
        return Objects(
            loaded.scan,
            self._settings.selection,
            lambda: self._caster.geometry,
            self._on_file_changed,
            self.changes.note_outgrown,
            before_contents=self.begin_contents,
            on_read=self._caster.mark_read,
        )

    def _on_digested(self, count: int, total: int) -> None:
        self.note_activity(0)
        done, _ = self.digested
        self.digested = done + count, total

    def _note_loaded(self, loaded: LoadedSource) -> None:
        for warning in loaded.warnings:
            self._notices.warn(warning)
        self.is_incomplete = loaded.is_incomplete

    def _on_scanned(self, objects: Objects | None) -> None:
        if objects is None:
            return
        self.objects = objects
        self.scanned_at = time.monotonic()
        found = objects.scan
        for failure in found.errors:
            self._notices.warn(failure.sentence)
        if self._settings.policy.deletes and not found.deletes:
            self._notices.warn("no deletions on any target, because part of the source could not be read")
        for entry in found.skipped:
            path = printable(found.manifest.path(entry))
            self._notices.warn(f"{path}: skipped, because it is no file, directory or link")
        if found.temporary:
            shown, more = printable(found.temporary[0]), len(found.temporary) - 1
            others = f" (and {more} more)" if more else ""
            self._notices.warn(f"{shown}{others}: left out, because temporary files of mrsync have such names")
        self._check_pages(len(objects.manifest))
        manifest = found.manifest
        slow_s = work_s(len(manifest), sum(manifest.sizes))
        self._caster.offer_manifest(len(objects.manifest), objects.are_files, slow_s)

    def _check_pages(self, *object_bytes: int) -> None:
        """Raise LimitError if objects of these sizes have too many pages for one session."""
        geometry = self._caster.geometry
        if sum(map(geometry.page_count, object_bytes)) > PLANNED_PAGES_MAX:
            limit = PLANNED_PAGES_MAX * geometry.page_bytes >> 40
            raise LimitError(f"the targets need more than {limit} TiB, the limit of one session; sync parts of SOURCE")

    # plan

    def plan(self, event: ComparisonFinished) -> None:
        """Have the worker plan what targets need, and offer the plan to the caster."""
        is_read = bool(event.basis) and not self._settings.is_dry_run
        if is_read:
            self._notices.notice(2, "reading files of which targets have old versions")
        self._loop.work(partial(self._make_plan, event, is_read=is_read), self._offer_plan)

    def _make_plan(self, event: ComparisonFinished, *, is_read: bool) -> tuple[int, int, int]:
        """Worker: plan, and read large files for digests of their blocks.

        Return bytes of the plan, bytes of the contents, and number of files.
        """
        basis = event.basis if is_read else ()
        key, note = delta_key(self._session), lambda _: self.note_activity(0)
        try:
            sizes = self.scanned.make_plan(event.needs, basis, key, note)
            if not self._settings.is_dry_run:
                self.scanned.check_empty(note)
            return sizes
        except _Over:
            return (0, 0, 0)

    def _offer_plan(self, sizes: tuple[int, int, int]) -> None:
        sizes = (0, 0, 0) if self._settings.is_dry_run else sizes
        self._check_pages(len(self.scanned.manifest), *sizes[:2])
        self._caster.offer_plan(*sizes, self._loop.now(), self.scanned.pages_of)

    def plan_again(self, event: FilesChanged) -> None:
        """Look at files that changed during the cast again, and offer a second plan."""
        self._loop.work(partial(self._look_again, event), self._offer_plan_again)

    def _look_again(self, event: FilesChanged) -> SecondPlan:
        """Worker: make the second plan. If that fails, refuse all files."""
        try:
            return self.scanned.plan_again(event.files, lambda: self.note_activity(0))
        except _Over:
            return SecondPlan(0, 0, 0, [], {})
        except MrsyncError as error:
            fault = Fault(str(error), is_unreadable=True)
            return SecondPlan(0, 0, 0, [], dict.fromkeys(event.files, fault))

    def _offer_plan_again(self, plan: SecondPlan) -> None:
        self._has_begun = False
        self.changes.settle(frozenset(plan.files), plan.refused)
        for names, is_skipped in ((plan.skipped, True), (plan.lost, False)):
            for entry, fault in names.items():
                self.changes.note_name(printable(self.scanned.scan.manifest.path(entry)), fault, is_skipped=is_skipped)
        sizes = plan.plan_bytes, plan.contents_bytes, plan.file_count
        self._caster.offer_plan_again(*sizes, plan.files, self._loop.now())

    # read

    def begin_contents(self) -> None:
        """Check files before the first page, once per round, before any contents are read or committed."""
        if not self._has_begun:
            self._has_begun = True
            numbers = self._caster.statistics()
            self.scanned.begin_contents(is_whole=numbers.pages_sent + numbers.pages_left == numbers.pages)

    def _on_file_changed(self, file: int, fault: Fault) -> None:
        if self._caster.invalidate_file(file):  # else all targets have it as it was, which does no harm
            self.changes.note(file, fault)

    @property
    def scanned(self) -> Objects:
        """The objects, when the source has been scanned."""
        if self.objects is None:
            raise RuntimeError("the source is not scanned yet")
        return self.objects
