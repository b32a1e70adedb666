"""multicaster: one whole run on the master, from the scan to the last target's result."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

from mrsync.errors import Interrupted, MrsyncError, UsageError
from mrsync.protocol.caster import Caster
from mrsync.protocol.commits import CommitRule
from mrsync.protocol.config import CasterConfig
from mrsync.protocol.events import (
    CasterEvent,
    ChangesTold,
    ComparisonFinished,
    FileSatOut,
    FilesChanged,
    PhaseEntered,
    TargetEnded,
    TargetJoined,
    TargetRerouted,
)
from mrsync.protocol.histogram import Histogram
from mrsync.protocol.states import TargetState
from mrsync.remote.launcher import Launcher
from mrsync.run.arrivals import Arrivals
from mrsync.run.cast.account import phase_seconds, target_outcome
from mrsync.run.cast.changed_files import Changes
from mrsync.run.cast.ledger import Ledger
from mrsync.run.cast.load_source import Reading, read_source
from mrsync.run.cast.notices import News, can_encrypt
from mrsync.run.cast.objects import Objects, SecondPlan
from mrsync.run.cast.outcome import Outcome
from mrsync.run.cast.reach_notices import ReachNews
from mrsync.run.launch import launch
from mrsync.run.observer import Notice, Observer, Snapshot, TargetProgress
from mrsync.run.rendezvous import Place, meet
from mrsync.run.settings import CastSettings, draw_session
from mrsync.transport.casting import CasterDriver
from mrsync.transport.loop import Loop
from mrsync.transport.paths import Path, PathKind
from mrsync.transport.socket_options import describe_missing
from mrsync.tree.delta.blocks import delta_key
from mrsync.tree.model.failure import printable
from mrsync.tree.model.plan import Plan
from mrsync.wire.geometry import ladder
from mrsync.wire.keys import SessionKeys
from mrsync.wire.limits import NO_SESSION
from mrsync.wire.messages import ObjectKind, Phase, SealKind
from mrsync.wire.sealing import seals_here

if TYPE_CHECKING:
    from mrsync.run.cast.rsync_compare import Asker

STOP_WAIT_S = 10.0  # for catchers to clean up
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def cast(settings: CastSettings, observer: Observer) -> Outcome:
    """Make all targets equal to the source, as far as they can be, and tell how it went.

    Raises MrsyncError when it could not even begin, Interrupted when a signal ended it.
    """
    place, paths = meet(settings, has_unicast=True)
    try:
        launcher = launch(settings, place)
        try:
            return _Cast(settings, observer, place, paths, launcher).run()
        finally:
            if launcher is not None:
                launcher.stop(STOP_WAIT_S)
    finally:
        for path in paths:
            path.socket.close()


class _Over(Exception):
    """The run ended while the source was still being scanned."""


class _Cast:
    """The parts of one run, joined: the core's events, the launcher's events, the observer, the outcome."""

    def __init__(
        self,
        settings: CastSettings,
        observer: Observer,
        place: Place,
        paths: Sequence[Path],
        launcher: Launcher | None,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._place = place
        self._paths = paths
        self._launcher = launcher
        self._started_at = self._scanned_at = Loop.now()
        self._objects: Objects | None = None
        self._ledger = Ledger()
        self._entries_scanned = 0
        self._digested = 0, 0  # bytes so far, of all
        self._is_over = False
        self._has_begun = False  # to cast contents
        self._entered_at: dict[Phase, float] = {}
        self._news = News(settings, place, observer)
        self._changes = Changes(self._path, notice=lambda text: self._news.notice(1, text), warn=self._news.warn)
        self._sat_out: dict[int, str] = {}
        self._interruption = ""
        self._arrivals: Arrivals | None = None
        self._asker = self._make_asker()
        self._is_choice_incomplete = False
        self._group_paths = [path for path in paths if path.kind is PathKind.MULTICAST]
        self._session = settings.session or draw_session()

    def run(self) -> Outcome:
        level = 1 if len(self._place.interfaces) == 1 or self._settings.network.interface else 0
        self._news.notice(level, self._place.describe(self._settings.targets))
        for warning in self._place.warnings:
            self._news.warn(warning)
        if self._paths and (missing := describe_missing(self._paths[0].socket)):
            self._news.notice(1, f"this host has no {missing}; the session does without")
        self._loop = Loop()
        try:
            self._caster = Caster(self._config(), self._loop.now())
            self._reach_news = ReachNews(self._caster.reach, self._caster.roster, self._place.group)
            self._driver = CasterDriver(
                self._caster,
                [path.socket for path in self._paths],
                self._group_paths,
                keys=SessionKeys.derive(self._settings.secret, self._session),
                knock_keys=SessionKeys.derive(self._settings.secret, NO_SESSION),
                read=self._read,
                on_event=self._on_event,
                on_round=self._on_round,
                loop=self._loop,
            )
            self._drive()
            return self._outcome()
        finally:
            self._loop.close()

    def _config(self) -> CasterConfig:
        settings = self._settings
        wanted = seals_here()
        if settings.is_encrypted is False:
            wanted &= 1 << SealKind.HMAC_SHA256
        if settings.is_encrypted and not can_encrypt(wanted):
            raise UsageError("--encrypt needs the Python package cryptography on the master")
        return CasterConfig(
            session=self._session,
            steps=ladder(self._place.mtu, is_ipv6=self._place.is_ipv6, target_count=len(settings.targets)),
            names=dict(enumerate(settings.targets)),
            seals=wanted,
            must_encrypt=bool(settings.is_encrypted),
            ack_wait_s=settings.ack_wait_s,
            quit_on_bad=settings.quits_on_bad,
            commit_rule=CommitRule(settings.policy.commit),
            rate_bytes_s=settings.rate_bytes_s,
            has_monitor=settings.has_monitor,
            is_unicast=not self._group_paths,
        )

    def _make_asker(self) -> Asker | None:
        if self._settings.selection.rsync_options is None:
            return None
        from mrsync.run.cast.rsync_compare import Asker  # its modules cost 10 ms

        def tell(notice: Notice) -> None:
            self._loop.post(lambda: self._observer.on_notice(notice))

        return Asker(self._settings, tell, lambda: self._on_scan_activity(0))

    def _drive(self) -> None:
        """Gather targets while the source is scanned, then run the session; a signal ends it in order."""
        if self._launcher is not None:
            self._arrivals = Arrivals(
                self._launcher,
                self._settings.targets,
                self._caster.give_up,
                self._observer.on_notice,
                self._asker.target_answered if self._asker is not None else lambda target, is_there: None,
            )
            self._loop.watch(self._launcher, self._arrivals.listen)
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        self._loop.work(self._scan, self._on_scanned)
        self._strangers = self._place.watch_strangers(self._session, self._loop, self._news.warn)
        try:
            self._driver.run()
        finally:
            self._is_over = True
            self._strangers.close()
            for number, handler in before.items():
                signal.signal(number, handler)
            if self._launcher is not None:
                self._loop.unwatch(self._launcher)
            if self._objects is not None:
                self._objects.close()
        if self._interruption:
            raise Interrupted(self._interruption)

    # the source

    def _scan(self) -> Objects | None:
        """Read the source; runs in the loop's worker. None: the run ended before."""
        try:
            reading = read_source(self._settings, self._asker, self._on_scan_activity, self._on_digested)
        except _Over:
            return None
        self._loop.post(lambda: self._tell_reading(reading))
        return Objects(reading.scan, self._settings.selection, lambda: self._caster.geometry, self._on_file_changed)

    def _tell_reading(self, reading: Reading) -> None:
        for warning in reading.warnings:
            self._news.warn(warning)
        self._is_choice_incomplete = reading.is_incomplete

    def _on_scan_activity(self, entries: int) -> None:
        if self._is_over:
            raise _Over
        self._entries_scanned += entries

    def _on_digested(self, count: int, total: int) -> None:
        self._on_scan_activity(0)
        done, _ = self._digested
        self._digested = done + count, total

    def _on_scanned(self, objects: Objects | None) -> None:
        if objects is None:
            return
        self._objects = objects
        self._scanned_at = self._loop.now()
        found = objects.scan
        for failure in found.errors:
            self._news.warn(failure.sentence)
        if self._settings.policy.deletes and not found.deletes:
            self._news.warn("nothing is deleted on the targets, because some of the source could not be read")
        for entry in found.skipped:
            self._news.warn(f"skipped, neither file, directory nor link: {printable(found.manifest.path(entry))}")
        self._caster.offer_manifest(len(objects.manifest))

    def _read(self, kind: int, page: int) -> bytes:
        if self._objects is None:
            raise RuntimeError("pages are read before the source is scanned")
        if kind in (ObjectKind.CONTENTS, ObjectKind.CONTENTS_AGAIN):
            self._begin_contents(self._objects)
        data = self._objects.read(kind, page)
        self._caster.vouch(self._objects.files_read)
        return data

    def _begin_contents(self, objects: Objects) -> None:
        """Once in each round, before the first page of them is read, and before anything is put in place."""
        if not self._has_begun:
            self._has_begun = True
            numbers = self._caster.statistics()
            objects.begin_contents(is_whole=numbers.pages_sent + numbers.pages_left == numbers.pages)

    # what happens meanwhile

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._interruption = f"interrupted by {signal.Signals(number).name}"
        self._news.is_interrupted = True
        self._loop.post(lambda: self._caster.abort(self._interruption, self._loop.now()))

    def _on_event(self, event: CasterEvent) -> None:
        if isinstance(event, PhaseEntered):
            self._entered_at.setdefault(event.phase, self._loop.now())
            self._news.notice(2, f"phase {event.phase.name.lower()}")
            self._news.tell_absent()
            if event.phase is Phase.COMPARING:
                self._strangers.close()
                self._news.tell_seal(self._caster.statistics().seal, self._caster.roster.live)
                for sentence in self._reach_news.when_gathered():
                    self._news.warn(sentence)
                self._news.tell_routed({target.name for target in self._caster.roster.live if target.path.is_unicast})
            elif event.phase is Phase.CASTING and self._objects is not None:
                self._begin_contents(self._objects)
        elif isinstance(event, ComparisonFinished):
            self._plan(event)
        elif isinstance(event, FilesChanged):
            self._loop.work(partial(self._look_again, event), self._plan_again)
        elif isinstance(event, FileSatOut):
            self._on_file_sat_out(event)
        elif isinstance(event, ChangesTold):
            self._ledger.take(event.target, event.record)
        elif isinstance(event, TargetJoined):
            self._news.notice(1, "joined", self._settings.targets[event.target])
        elif isinstance(event, (TargetRerouted, TargetEnded)):
            self._on_target_changed(event)

    def _on_target_changed(self, event: TargetRerouted | TargetEnded) -> None:
        target = self._caster.roster.find(event.target)
        if target is None:
            return
        if isinstance(event, TargetEnded) and target.state is not TargetState.DONE:
            self._news.on_target_lost(target)
        elif isinstance(event, TargetRerouted) and (sentence := self._reach_news.when_rerouted(target)):
            self._news.warn(sentence)

    def _plan(self, event: ComparisonFinished) -> None:
        assert self._objects is not None  # its manifest was compared
        if event.basis and not self._settings.is_dry_run:
            self._news.notice(2, "reading what targets have older copies of")
            self._loop.work(partial(self._plan_deltas, self._objects, event), self._offer_plan)
        else:
            self._offer_plan(self._objects.make_plan(event.needs))

    def _plan_deltas(self, objects: Objects, event: ComparisonFinished) -> tuple[int, int, int]:
        """In the loop's worker, as large files are read."""
        try:
            key = delta_key(self._session)
            return objects.make_plan(event.needs, event.basis, key, lambda _: self._on_scan_activity(0))
        except _Over:
            return (0, 0, 0)

    def _offer_plan(self, sizes: tuple[int, int, int]) -> None:
        assert self._objects is not None  # it was planned
        sizes = (0, 0, 0) if self._settings.is_dry_run else sizes
        self._caster.offer_plan(*sizes, self._loop.now(), self._objects.pages_of)

    def _look_again(self, event: FilesChanged) -> SecondPlan:
        """In the loop's worker."""
        assert self._objects is not None  # some of it has been cast
        try:
            return self._objects.plan_again(event.files)
        except MrsyncError as error:
            return SecondPlan(0, 0, 0, [], dict.fromkeys(event.files, str(error)))

    def _plan_again(self, plan: SecondPlan) -> None:
        self._has_begun = False
        self._changes.settle(frozenset(plan.files), plan.refused)
        sizes = plan.plan_bytes, plan.contents_bytes, plan.file_count
        self._caster.offer_plan_again(*sizes, plan.files, self._loop.now())

    def _on_file_sat_out(self, event: FileSatOut) -> None:
        host = self._settings.targets[event.target]
        path = self._path(event.index)
        self._sat_out.setdefault(event.index, f"{host} could not take it: {os.strerror(event.errno)}")
        self._news.notice(1, f"sits out {path}: {os.strerror(event.errno)}", host)

    def _on_file_changed(self, file: int, reason: str) -> None:
        if self._caster.void_file(file):  # else all have it as it was
            self._changes.note(file, reason)

    def _path(self, file: int) -> str:
        """A planned file's path, to print."""
        return printable(self._objects.path(file)) if self._objects is not None else str(file)

    # progress

    def _on_round(self, now: float) -> None:
        if self._arrivals is not None:
            self._arrivals.keep_time(now)
        due_at = self._observer.due_at
        if due_at is not None and now >= due_at:
            self._observer.on_snapshot(self._snapshot(now - self._started_at))

    def _snapshot(self, seconds: float) -> Snapshot:
        if self._objects is None:
            read, total = self._digested
            phase = "digesting" if total else "scanning"
            return Snapshot(phase, seconds, total, read, files_planned=self._entries_scanned)
        plan = self._objects.plan
        numbers = self._caster.statistics()
        size = self._caster.geometry.page_bytes
        planned = min(plan.contents_bytes, (numbers.pages_sent + numbers.pages_left) * size) if plan is not None else 0
        targets = tuple(
            TargetProgress(
                host=target.name,
                state=target.state.name.lower(),
                bytes_done=min(target.frontier(ObjectKind.CONTENTS) * size, planned),
                packets_lost=target.flow.packets_missed,
                kernel_drops=target.report.kernel_drops if target.report else 0,
                is_monitor=target.name == numbers.monitor,
            )
            for target in self._caster.roster
        )
        return Snapshot(
            self._caster.phase.name.lower(),
            seconds,
            bytes_planned=planned,
            bytes_sent=min(numbers.pages_sent * size, planned),
            bytes_repaired=numbers.packets_repaired * self._caster.geometry.slice_bytes,
            files_planned=plan.file_count if plan is not None else 0,
            targets=targets,
        )

    # the outcome

    def _outcome(self) -> Outcome:
        """The account of the run, however far it came."""
        numbers = self._caster.statistics()
        sent = self._driver.statistics
        objects = self._objects
        plan = objects.plan if objects is not None else None
        path_of = objects.path if objects is not None else lambda file: b""
        return Outcome(
            session=self._session,
            source=self._settings.source,
            dest=self._settings.dest,
            targets=tuple(
                target_outcome(
                    target,
                    excepted=self._excepted(plan),
                    path_of=path_of,
                    started_at=self._started_at,
                    superseded=self._changes.cast_again,
                    veto=self._caster.veto,
                )
                for target in self._caster.roster
            ),
            seconds=phase_seconds(
                self._entered_at, self._started_at, self._launched_at(), self._scanned_at, self._loop.now()
            ),
            is_dry_run=self._settings.is_dry_run,
            entries=len(objects.scan.manifest) if objects is not None else 0,
            files_planned=plan.file_count if plan is not None else 0,
            bytes_planned=plan.contents_bytes if plan is not None else 0,
            pages=self._caster.geometry.page_count(plan.contents_bytes) if plan is not None else 0,
            pages_sent=numbers.pages_sent,
            bytes_sent=sent.bytes,
            bytes_unicast=self._driver.statistics_of(PathKind.UNICAST).bytes,
            bytes_repaired=numbers.packets_repaired * self._caster.geometry.slice_bytes,
            packets_sent=sent.packets,
            packets_repaired=numbers.packets_repaired,
            packets_coded=numbers.packets_coded,
            round_trips=Histogram(numbers.rtt_us),
            warnings=tuple(self._news.warnings),
            source_errors=(len(objects.scan.errors) if objects is not None else 0) + self._is_choice_incomplete,
            changes=self._ledger.lines(objects.scan.manifest) if objects is not None else (),
            source_changes=self._changes.count,
            veto=self._caster.veto,
        )

    def _launched_at(self) -> float | None:
        """When the last catcher was ready, or its remote shell had failed; None: started by hand."""
        return None if self._arrivals is None else self._arrivals.over_at or self._loop.now()

    def _excepted(self, plan: Plan | None) -> list[tuple[int, int | None, str]]:
        """Files that all left alone because one could not take them, and who needed them; in a second round all did."""
        if plan is None or self._settings.policy.commit != "file":
            return []
        sat_out = [pair for pair in sorted(self._sat_out.items()) if pair[0] not in self._changes.cast_again]
        return [(file, plan.entries[file] if file < plan.file_count else None, why) for file, why in sat_out]
