"""Build the Outcome of a run from the roster and the counters."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from mrsync.errors import ExitStatus
from mrsync.protocol.caster import Caster
from mrsync.protocol.core.events import FileSatOut
from mrsync.protocol.core.histogram import Histogram
from mrsync.protocol.core.states import RosterState
from mrsync.protocol.targets.roster import Target
from mrsync.run.cast.ledger import Ledger
from mrsync.run.cast.outcome import (
    MULTICAST,
    RELAY,
    UNICAST,
    About,
    Outcome,
    SatOut,
    Seconds,
    TargetOutcome,
    TargetState,
)
from mrsync.run.cast.source_job import SourceJob
from mrsync.run.settings import CastSettings
from mrsync.transport.casting import CasterDriver
from mrsync.transport.network.paths import PathKind
from mrsync.tree.model.manifest import DEVICES, DIRECTORY, LINK, OMITTED, REGULAR, Manifest
from mrsync.tree.model.plan import Plan
from mrsync.wire.messages import Phase

_STATES = {
    RosterState.EXPECTED: TargetState.UNREACHABLE,
    RosterState.PRESENT: TargetState.LOST,  # the session ended before its result arrived
    RosterState.DONE: TargetState.DONE,
    RosterState.LOST: TargetState.LOST,
    RosterState.UNREACHABLE: TargetState.UNREACHABLE,
    RosterState.REFUSED: TargetState.REFUSED,
}


class Account:
    """Record the events of a run, and build its Outcome at the end, no matter how far the run came.

    ledger: the changes that targets itemize. _sat_out: with `--commit file`, why no target changed a plan file.
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

    def build_outcome(
        self,
        caster: Caster,
        driver: CasterDriver,
        source: SourceJob,
        *,
        launched_at: float | None,
        now: float,
        warnings: Iterable[str],
        told: Iterable[str] = (),
        interruption: str = "",
        interruption_status: ExitStatus = ExitStatus.INTERRUPTED,
        refusal: str = "",
    ) -> Outcome:
        """Return the outcome of the run.

        launched_at: None if catchers were started by hand. told: targets whose end the user has already seen.
        interruption: the reason why the run was ended early; empty if it was not. interruption_status: for this case.
        """
        numbers, sent = caster.statistics(), driver.statistics
        objects, changes = source.objects, source.changes
        plan = objects.plan if objects is not None else None
        vanished = objects.scan.vanished if objects is not None else 0
        unread = len(objects.scan.errors) - vanished if objects is not None else 0
        return Outcome(
            session=self._session,
            source=self._settings.source,
            dest=self._settings.dest,
            targets=self._target_outcomes(caster, source, plan, interruption),
            seconds=phase_seconds(self._entered_at, self._started_at, launched_at, source.scanned_at, now),
            is_dry_run=self._settings.is_dry_run,
            entries=len(objects.scan.manifest) if objects is not None else 0,
            kinds=_kinds(objects.scan.manifest) if objects is not None else (),
            bytes_total=_size(objects.scan.manifest) if objects is not None else 0,
            files_planned=plan.file_count if plan is not None else 0,
            bytes_planned=plan.contents_bytes if plan is not None else 0,
            pages=caster.geometry.page_count(plan.contents_bytes) if plan is not None else 0,
            pages_sent=numbers.pages_sent,
            bytes_sent=sent.bytes,
            bytes_unicast=driver.statistics_of(PathKind.UNICAST).bytes,
            bytes_repaired=numbers.packets_repaired * caster.geometry.slice_bytes,
            bytes_saved=driver.bytes_saved,
            packets_sent=sent.packets,
            packets_repaired=numbers.packets_repaired,
            datagrams_rejected=driver.datagrams_rejected,
            packets_coded=numbers.packets_coded,
            round_trips=Histogram(numbers.rtt_us),
            warnings=tuple(warnings),
            source_errors=unread + changes.unreadable + source.is_incomplete,
            changes=self.ledger.lines(objects.scan.manifest) if objects is not None else (),
            about=partial(_about, objects.scan.manifest if objects is not None else Manifest()),
            source_changes=vanished + changes.changed,
            veto=caster.veto,
            told=frozenset(told),
            failure=interruption or refusal,
            failure_status=interruption_status if interruption else ExitStatus.DELETIONS,
        )

    def _target_outcomes(
        self, caster: Caster, source: SourceJob, plan: Plan | None, interruption: str
    ) -> tuple[TargetOutcome, ...]:
        objects, superseded = source.objects, source.changes.cast_again
        excepted = self._excepted(plan, superseded)
        return tuple(
            target_outcome(
                target,
                excepted=excepted,
                path_of=objects.path if objects is not None else lambda file: b"",
                started_at=self._started_at,
                superseded=superseded,
                veto=caster.veto,
                interruption=interruption,
                files=plan.file_count if plan is not None else 0,
            )
            for target in caster.roster
        )

    def _excepted(self, plan: Plan | None, cast_again: frozenset[int]) -> list[tuple[int, int | None, str]]:
        """Return (plan file, its entry, reason) for files that no target changed because some target could not.

        The entry is None for files of the second round, which are treated as needed by all targets.
        """
        if plan is None or self._settings.policy.commit != "file":
            return []
        sat_out = [pair for pair in sorted(self._sat_out.items()) if pair[0] not in cast_again]
        return [(file, plan.entries[file] if file < plan.file_count else None, why) for file, why in sat_out]


def phase_seconds(
    entered_at: Mapping[Phase, float], started_at: float, launched_at: float | None, scanned_at: float, now: float
) -> Seconds:
    """Return the wall time of each phase; 0 for a phase that was never entered. Gathering and scanning overlap.

    All times are of one clock, in seconds. launched_at: None if catchers were started by hand.
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


def target_outcome(
    target: Target,
    *,
    excepted: Iterable[tuple[int, int | None, str]],
    path_of: Callable[[int], bytes],
    started_at: float,
    superseded: frozenset[int] = frozenset(),
    veto: str = "",
    interruption: str = "",
    files: int = 0,
) -> TargetOutcome:
    """Return the outcome for one target.

    excepted: (plan file, its manifest entry, reason) for files that no target changed because one sat them out; if the
    entry is None, all targets lack the file. superseded: plan files that were cast once more. veto: why nothing was
    changed on any target. interruption: the reason why the run was ended early. files: number of planned files.
    """
    state = _STATES[target.state]
    sat_out = {file: number for file, number in target.sat_out.items() if file not in superseded}
    own = [_own(path_of(file), number) for file, number in sorted(sat_out.items())]
    own += [_own(error.path, error.errno, error.action) for error in target.errors]
    others = [
        SatOut(path_of(file), "", why)
        for file, entry, why in excepted
        if file not in target.sat_out and (entry is None or entry in target.needs)
    ]
    errors = target.result.errors if target.result else 0
    reason = target.reason or None
    if state is TargetState.DONE and (own or others or errors):
        state = TargetState.PARTIAL
        count = max(len(own), errors)
        reason = (
            f"{count} of its entries could not be changed"
            if count
            else "files were left unchanged because another target could not take them"
        )
    if interruption and reason and reason.endswith(interruption):
        reason = _where(target, files)
    if target.state is RosterState.DONE and veto:
        state, reason = TargetState.PARTIAL, f"nothing was changed on any target: {veto}"
    return _outcome(target, state, reason, (*own, *others), started_at)


def _where(target: Target, files: int) -> str:
    """Return how far a target had come when the session was interrupted."""
    if not target.committed:
        return "interrupted before anything was changed" if target.hello else "interrupted before it joined"
    return f"interrupted; {min(target.committed, files)} of {files} files are in place"


def _outcome(
    target: Target, state: TargetState, reason: str | None, sat_out: tuple[SatOut, ...], started_at: float
) -> TargetOutcome:
    result, report, compared = target.result, target.report, target.compared
    return TargetOutcome(
        host=target.name,
        state=state,
        reason=reason,
        path=RELAY if target.path.parent else UNICAST if target.path.is_unicast else MULTICAST,
        path_reason=target.path.why_unicast or None,
        parent=target.path.parent or None,
        pages_passed_on=target.hop.pages_forwarded if target.hop else 0,
        packets_passed_again=target.hop.packets_repaired if target.hop else 0,
        pages_waiting_max=target.pages_waiting_max,
        files_updated=result.files_updated if result else 0,
        bytes_written=result.bytes_written if result else 0,
        created=result.created if result else 0,
        mended=result.mended if result else 0,
        deleted=result.deleted if result else 0,
        packets_lost=target.flow.losses.missed,
        packets_rejected=report.packets_rejected if report else 0,
        kernel_drops=report.kernel_drops if report else 0,
        monitor_seconds=round(target.flow.monitor_s, 3),
        seconds=round(max(0.0, target.ended_at - started_at), 3),
        sat_out=sat_out,
        files_needed=compared.files_needed if compared else 0,
        bytes_needed=compared.bytes_needed if compared else 0,
        changes=compared.changes if compared else 0,
        deletions_skipped=result.skipped if result else 0,
        changes_untold=result.untold if result else 0,
    )


def _own(path: bytes, number: int, action: str = "write") -> SatOut:
    return SatOut(path, errno.errorcode.get(number, str(number)), f"cannot {action}: {os.strerror(number)}")


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
        if mode >> 12 != OMITTED:
            counts[names.get(mode >> 12, "special")] += count
    return tuple(counts.items())


def _size(manifest: Manifest) -> int:
    return sum(manifest.sizes) + sum(map(len, manifest.link_targets.values()))
