"""Take snapshots of a run for its observer, such as the progress display."""

from __future__ import annotations

from collections.abc import Callable

from mrsync.protocol.caster import Caster
from mrsync.protocol.targets.roster import Target
from mrsync.run.cast.supply import Supply
from mrsync.run.observer import Snapshot, TargetProgress
from mrsync.transport.pages.bursts import BurstStatistics


class ProgressView:
    """The view of a run that its observer gets. sent: returns the counters of all that was sent."""

    def __init__(self, caster: Caster, source: Supply, sent: Callable[[], BurstStatistics]) -> None:
        self._caster = caster
        self._source = source
        self._sent = sent
        self._before: dict[int, int] = {}  # activity of each target when this phase began

    def enter_phase(self) -> None:
        """Count the work of targets from now on."""
        self._before = {target.id: _activity(target) for target in self._caster.roster}

    def take(self, seconds: float, now: float) -> Snapshot:
        """Return the progress of a run.

        seconds: since its start, with the time for which this process was stopped. now: time on the loop's clock, which
        leaves that out, because targets are not silent while nobody listens.
        """
        snapshot = _snapshot(self._caster, self._source, self._sent(), seconds, now)
        live = list(self._caster.roster.live)
        if not live or self._source.objects is None:
            return snapshot
        done = min(max(0, _activity(target) - self._before.get(target.id, 0)) for target in live)
        files = min(snapshot.files_planned, *(target.committed for target in live))
        entries = len(self._source.objects.scan.manifest)
        return snapshot._replace(files_done=files, entries=entries, entries_done=done)


def _activity(target: Target) -> int:
    return target.report.activity if target.report else 0


def _snapshot(caster: Caster, source: Supply, sent: BurstStatistics, seconds: float, now: float) -> Snapshot:
    if source.objects is None:
        read, total = source.digested
        phase = "digesting" if total else "scanning"
        targets = tuple(TargetProgress(target.name, target.state.name.lower()) for target in caster.roster)
        return Snapshot(phase, seconds, total, read, files_planned=source.entries_scanned, targets=targets)
    plan = source.objects.plan
    numbers = caster.statistics()
    size = caster.geometry.page_bytes
    planned = min(plan.contents_bytes, (numbers.pages_sent + numbers.pages_left) * size) if plan is not None else 0
    targets = tuple(
        TargetProgress(
            host=target.name,
            state=target.state.name.lower(),
            bytes_done=min(caster.pages_received(target) * size, planned),
            packets_lost=target.flow.losses.missed,
            kernel_drops=target.report.kernel_drops if target.report else 0,
            is_monitor=target.name == numbers.monitor,
            silent_s=round(now - target.progress.heard_at, 1) if target.is_live else 0.0,
            is_unicast=target.path.is_unicast,
            parent=target.path.parent,
            pages_waiting=target.hop.pages_waiting if target.hop else 0,
        )
        for target in caster.roster
    )
    return Snapshot(
        caster.phase.name.lower(),
        seconds,
        bytes_planned=planned,
        bytes_sent=min(numbers.pages_sent * size, planned),
        bytes_repaired=sent.bytes_repaired,
        bytes_traffic=sent.bytes,
        files_planned=plan.file_count if plan is not None else 0,
        targets=targets,
    )
