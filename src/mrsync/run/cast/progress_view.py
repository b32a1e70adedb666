"""Take snapshots of a run for its observer, such as the progress display."""

from __future__ import annotations

from mrsync.protocol.caster import Caster
from mrsync.run.cast.supply import Supply
from mrsync.run.observer import Snapshot, TargetProgress


def take_snapshot(caster: Caster, source: Supply, seconds: float, now: float) -> Snapshot:
    """Return the progress of a run.

    seconds: since its start, with the time for which this process was stopped. now: time on the loop's clock, which
    leaves that out, because targets are not silent while nobody listens.
    """
    if source.objects is None:
        read, total = source.digested
        phase = "digesting" if total else "scanning"
        return Snapshot(phase, seconds, total, read, files_planned=source.entries_scanned)
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
        bytes_repaired=numbers.packets_repaired * caster.geometry.slice_bytes,
        files_planned=plan.file_count if plan is not None else 0,
        targets=targets,
    )
