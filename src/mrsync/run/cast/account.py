"""Build the Outcome of a run from the roster and the counters."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial

from mrsync.errors import ExitStatus
from mrsync.protocol.caster import Caster
from mrsync.protocol.core.events import FileSatOut
from mrsync.protocol.core.histogram import Histogram
from mrsync.protocol.targets.roster import Target
from mrsync.run.cast.ledger import Ledger
from mrsync.run.cast.objects import Objects
from mrsync.run.cast.outcome import About, Outcome, Seconds, TargetOutcome
from mrsync.run.cast.supply import Supply
from mrsync.run.cast.target_outcome import Exceptions, RunFacts, target_outcome
from mrsync.run.settings import CastSettings
from mrsync.transport.caster_driver import CasterDriver
from mrsync.transport.network.paths import PathKind
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.manifest import DEVICES, DIRECTORY, LINK, OMITTED, REGULAR, Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.source.scanner import Scan
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import Phase

UNEQUAL_TOLD = 100_000  # files that a report names at most, shared among targets: there may be targets times files


class RunEnd(NamedTuple):
    """How a run came to its end. Times are in seconds of one clock.

    launched_at: when the last catcher was ready or had failed; None if they were started by hand.
    warnings: all that were shown.
    ends_shown: targets whose end the user has already seen.
    failure: why the run ended early, with its exit status; empty if it did not.
    interruption, refusal: the failure, if it came from this host, or if a target refused to delete most of its entries.
    """

    now: float
    launched_at: float | None = None
    warnings: Iterable[str] = ()
    ends_shown: Iterable[str] = ()
    failure: str = ""
    failure_status: ExitStatus = ExitStatus.OK
    interruption: str = ""
    refusal: str = ""


class Account:
    """Record the events of a run, and build its Outcome at the end, no matter how far the run came.

    started_at: time.monotonic() then. ledger: the changes that targets itemize. _sat_out: with `--commit file`, why no
    target changed a plan file.
    """

    def __init__(self, settings: CastSettings, session: int, started_at: float) -> None:
        self.ledger = Ledger()
        self._settings = settings
        self._session = session
        self._started_at = started_at
        self._entered_at: dict[Phase, float] = {}
        self._sat_out: dict[int, str] = {}

    def enter(self, phase: Phase, now: float) -> None:
        """Note the time when a phase began."""
        self._entered_at.setdefault(phase, now)

    def sit_out(self, event: FileSatOut) -> None:
        """Note that a target could not take a file. Only the first reason for each file is kept."""
        host = self._settings.targets[event.target]
        self._sat_out.setdefault(event.file, f"{host} could not take it: {os.strerror(event.errno)}")

    def build_outcome(self, caster: Caster, driver: CasterDriver, source: Supply, end: RunEnd) -> Outcome:
        """Return the outcome of the run."""
        objects = source.objects
        outcome = Outcome(
            session=self._session,
            source=self._settings.source,
            dest=self._settings.dest,
            targets=self._target_outcomes(caster, source, end),
            seconds=phase_seconds(self._entered_at, self._started_at, end.launched_at, source.scanned_at, end.now),
            is_dry_run=self._settings.is_dry_run,
            guards_deletions=self._settings.policy.guards_deletions,
            warnings=tuple(end.warnings),
            source_errors=source.changes.unreadable + source.is_incomplete,
            source_changes=source.changes.changed,
            veto=caster.veto,
            ends_shown=frozenset(end.ends_shown),
            failure=end.failure,
            failure_status=end.failure_status,
        )
        outcome = _with_traffic(outcome, caster, driver)
        if objects is not None:
            outcome = _with_source(outcome, objects.scan, self.ledger)
        if objects is not None and objects.plan is not None:
            outcome = _with_plan(outcome, objects.plan, caster.geometry)
        return outcome

    def _target_outcomes(self, caster: Caster, source: Supply, end: RunEnd) -> tuple[TargetOutcome, ...]:
        objects, superseded = source.objects, source.changes.cast_again
        plan = objects.plan if objects is not None else None
        path_of = objects.path if objects is not None else lambda file: b""
        told_max = UNEQUAL_TOLD // len(self._settings.targets)
        run = RunFacts(
            path_of=path_of,
            in_place=partial(_in_place, objects, source.changes.noted.union(self._sat_out)),
            started_at=self._started_at,
            told_max=told_max,
            exceptions=Exceptions(self._excepted(plan, superseded), path_of, told_max),
            superseded=superseded,
            files=plan.file_count if plan is not None else 0,
            veto=caster.veto,
            interruption=end.interruption,
            refusal=end.refusal,
        )
        return tuple(target_outcome(target, run) for target in caster.roster)

    def _excepted(self, plan: Plan | None, cast_again: frozenset[int]) -> list[tuple[int, int | None, str]]:
        """Return (plan file, its entry, reason) for files that no target changed because some target could not.

        The entry is None for files of the second round, which are treated as needed by all targets.
        """
        if plan is None or self._settings.policy.commit not in ("file", "end"):
            return []
        sat_out = [pair for pair in sorted(self._sat_out.items()) if pair[0] not in cast_again]
        return [(file, plan.entries[file] if file < plan.file_count else None, why) for file, why in sat_out]


def phase_seconds(
    entered_at: Mapping[Phase, float], started_at: float, launched_at: float | None, scanned_at: float, now: float
) -> Seconds:
    """Return the wall time of each phase; 0 for a phase that was never entered. Gathering and scanning overlap.

    All times are of one clock, in seconds: when phases were entered, the run started, all catchers were ready
    (launched_at; None if they were started by hand), and the source was scanned.
    """
    entered = [(phase, at) for phase, at in entered_at.items() if phase is not Phase.ABORTED]
    ends = [at for _, at in entered[1:]] + [now]
    took = {phase: round(end - at, 3) for (phase, at), end in zip(entered, ends, strict=False)}
    return Seconds(
        total=round(now - started_at, 3),
        launch=0.0 if launched_at is None else round(launched_at - started_at, 3),
        gather=round(entered_at.get(Phase.COMPARING, now) - started_at, 3),
        manifest=round(scanned_at - started_at, 3),
        compare=took.get(Phase.COMPARING, 0.0),
        cast=round(took.get(Phase.PLANNING, 0.0) + took.get(Phase.CASTING, 0.0), 3),
        commit=took.get(Phase.FINISHING, 0.0),
    )


def _with_traffic(outcome: Outcome, caster: Caster, driver: CasterDriver) -> Outcome:
    numbers, sent = caster.statistics(), driver.statistics
    return outcome._replace(
        pages_sent=numbers.pages_sent,
        bytes_sent=sent.bytes,
        bytes_unicast=driver.statistics_of(PathKind.UNICAST).bytes,
        bytes_repaired=sent.bytes_repaired,
        bytes_saved=driver.bytes_saved,
        packets_sent=sent.packets,
        packets_repaired=sent.packets_repaired,
        packets_coded=sent.packets_coded,
        datagrams_rejected=driver.datagrams_rejected,
        round_trips=Histogram(numbers.rtt_us),
    )


def _with_source(outcome: Outcome, scan: Scan, ledger: Ledger) -> Outcome:
    manifest = scan.manifest
    return outcome._replace(
        entries=len(manifest),
        kinds=_kinds(manifest),
        bytes_total=_size(manifest),
        source_errors=outcome.source_errors + len(scan.errors) - scan.vanished,
        source_changes=outcome.source_changes + scan.vanished,
        changes=ledger.lines(manifest),
        about=partial(_about, manifest),
    )


def _with_plan(outcome: Outcome, plan: Plan, geometry: Geometry) -> Outcome:
    return outcome._replace(
        files_planned=plan.file_count,
        bytes_planned=plan.contents_bytes,
        pages=geometry.page_count(plan.contents_bytes),
    )


def _in_place(objects: Objects | None, exceptions: set[int], target: Target) -> tuple[int, int]:
    """Return the number and bytes of the planned files that a target has put into place, by its reports.

    exceptions: plan files that no target puts into place.
    """
    if objects is None or not target.committed:
        return 0, 0
    return objects.count(target.needs, target.committed, exceptions.union(target.sat_out))


def _about(manifest: Manifest, path: bytes) -> About:
    entry = manifest.find(b"" if path == b"./" else path.rstrip(b"/")) if len(manifest) else -1
    if entry < 0:
        return About()
    size = manifest.sizes[entry] or len(manifest.link_targets.get(entry, b""))
    seconds = manifest.mtime_ns(entry) / 1e9
    return About(size, manifest.modes[entry], manifest.uids[entry], manifest.gids[entry], seconds)


def _kinds(manifest: Manifest) -> tuple[tuple[str, int], ...]:
    """Return how many entries of each kind there are, in rsync's words and order."""
    names = {REGULAR: "reg", DIRECTORY: "dir", LINK: "link", **dict.fromkeys(DEVICES, "dev")}
    counts = dict.fromkeys(("reg", "dir", "link", "dev", "special"), 0)
    for mode, count in Counter(manifest.modes).items():
        if mode >> KIND_SHIFT != OMITTED:
            counts[names.get(mode >> KIND_SHIFT, "special")] += count
    return tuple(counts.items())


def _size(manifest: Manifest) -> int:
    return sum(manifest.sizes) + sum(map(len, manifest.link_targets.values()))
