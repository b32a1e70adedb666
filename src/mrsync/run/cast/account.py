"""The account of a run: from the roster and the counters to an Outcome."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping

from mrsync.protocol.roster import Target
from mrsync.protocol.states import TargetState as RosterState
from mrsync.run.cast.outcome import MULTICAST, UNICAST, SatOut, Seconds, TargetOutcome, TargetState
from mrsync.wire.messages import Phase

_STATES = {
    RosterState.EXPECTED: TargetState.UNREACHABLE,
    RosterState.PRESENT: TargetState.LOST,  # the session ended before its result was known
    RosterState.DONE: TargetState.DONE,
    RosterState.LOST: TargetState.LOST,
    RosterState.UNREACHABLE: TargetState.UNREACHABLE,
    RosterState.REFUSED: TargetState.REFUSED,
}


def phase_seconds(
    entered_at: Mapping[Phase, float], started_at: float, launched_at: float | None, scanned_at: float, now: float
) -> Seconds:
    """Wall time by phase; a phase that was never entered took none. Gathering and scanning overlap.

    launched_at: None where catchers were started by hand.
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
) -> TargetOutcome:
    """How it ended for one target.

    excepted: (plan file, its manifest entry, why) of files that no target changed because one sat them out; without an
    entry all lack it. superseded: plan files that were cast once more. veto: why nothing was changed on any target.
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
            f"{count} of its entries could not be changed" if count else "files were left as they are for others' sake"
        )
    if target.state is RosterState.DONE and veto:
        state, reason = TargetState.PARTIAL, f"nothing was changed on any target: {veto}"
    return _outcome(target, state, reason, (*own, *others), started_at)


def _outcome(
    target: Target, state: TargetState, reason: str | None, sat_out: tuple[SatOut, ...], started_at: float
) -> TargetOutcome:
    result, report, compared = target.result, target.report, target.compared
    return TargetOutcome(
        host=target.name,
        state=state,
        reason=reason,
        path=UNICAST if target.path.is_unicast else MULTICAST,
        path_reason=target.path.why_unicast or None,
        files_updated=result.files_updated if result else 0,
        bytes_written=result.bytes_written if result else 0,
        created=result.created if result else 0,
        mended=result.mended if result else 0,
        deleted=result.deleted if result else 0,
        packets_lost=target.flow.packets_missed,
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
