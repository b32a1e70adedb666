"""How a run ended for each target."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence

from mrsync.protocol.core.states import RosterState, TargetTrigger
from mrsync.protocol.targets.roster import Target
from mrsync.ranges import Range
from mrsync.run.cast.outcome import MULTICAST, RELAY, UNICAST, SatOut, TargetOutcome, TargetState
from mrsync.tuples import NamedTuple

_STATES = {
    RosterState.EXPECTED: TargetState.UNREACHABLE,
    RosterState.PRESENT: TargetState.LOST,  # the session ended before its result arrived
    RosterState.DONE: TargetState.DONE,
    RosterState.LOST: TargetState.LOST,
    RosterState.UNREACHABLE: TargetState.UNREACHABLE,
    RosterState.REFUSED: TargetState.REFUSED,
}


class Unequal(NamedTuple):
    """The files that are not equal on a target: how many there are, and the first of them."""

    total: int = 0
    told: tuple[SatOut, ...] = ()


class Exceptions:
    """The files that no target changed because one sat them out, as outcomes report them.

    files: (plan file, its manifest entry, reason); if the entry is None, all targets lack the file. path_of: returns
    the path of a plan file. told_max: number of files to name for each target. Where the disk of one target is full,
    these are most files of most targets. So targets with equal needs share one tuple.
    """

    def __init__(
        self, files: Sequence[tuple[int, int | None, str]], path_of: Callable[[int], bytes], told_max: int
    ) -> None:
        self._files = files
        self._path_of = path_of
        self._told_max = told_max
        self._by_needs: dict[tuple[Range, ...], Unequal] = {}

    def of(self, target: Target) -> Unequal:
        """Return those that this target lacks because of another one."""
        if target.sat_out or not self._files:
            return self._find(target)
        needs = tuple(target.needs)
        if needs not in self._by_needs:
            self._by_needs[needs] = self._find(target)
        return self._by_needs[needs]

    def _find(self, target: Target) -> Unequal:
        lacking = [
            (file, why)
            for file, entry, why in self._files
            if file not in target.sat_out and (entry is None or entry in target.needs)
        ]
        told = [SatOut(self._path_of(file), "", why) for file, why in lacking[: self._told_max]]
        return Unequal(len(lacking), tuple(told))


class RunFacts(NamedTuple):
    """Facts of a run on which the outcomes of all targets depend.

    path_of: returns the path of a plan file.
    started_at: of the run, in seconds of the clock of targets' ends.
    told_max: number of files to name for each target.
    exceptions: None if there are none.
    superseded: plan files that were cast once more.
    files: number of planned files.
    veto: why nothing was changed on any target.
    interruption, refusal: the reason why the run was ended early, if it came from this host, or from a target that
    refused to delete most of its entries.
    in_place: returns the number of files, and of their bytes, that a target without a result has put into place.
    """

    path_of: Callable[[int], bytes]
    started_at: float
    told_max: int = 1000
    exceptions: Exceptions | None = None
    superseded: frozenset[int] = frozenset()
    files: int = 0
    veto: str = ""
    interruption: str = ""
    refusal: str = ""
    in_place: Callable[[Target], tuple[int, int]] = lambda target: (0, 0)


def target_outcome(target: Target, run: RunFacts) -> TargetOutcome:
    """Return the outcome for one target."""
    own, others = _own_failures(target, run), run.exceptions.of(target) if run.exceptions is not None else Unequal()
    errors = target.result.errors if target.result else 0
    state, reason = _STATES[target.state], target.reason or None
    if state is TargetState.DONE and (own.total or others.total or errors):
        state = TargetState.PARTIAL
        count = max(own.total, errors) - _repeated(target, run)
        reason = (
            f"{count} of its entries could not be changed"
            if count
            else "files were left unchanged because another target could not take them; --commit each changes them here"
        )
    is_interrupted = bool(run.interruption) and (not target.is_ended or target.ended_by is TargetTrigger.ABORT)
    if is_interrupted:
        reason = _where(target, run.files)
    if run.refusal and target.state is RosterState.LOST and target.ended_by is TargetTrigger.ABORT:
        state, reason = TargetState.PARTIAL, "nothing was changed on any target"
    if target.state is RosterState.DONE and run.veto:
        state, reason = TargetState.PARTIAL, f"nothing was changed on any target: {run.veto}"
    told = (*own.told, *others.told)[: run.told_max] if own.told else others.told
    unequal = Unequal(own.total + others.total, told)
    return _outcome(target, state, reason, unequal, run)._replace(is_interrupted=is_interrupted)


def _own_failures(target: Target, run: RunFacts) -> Unequal:
    """Return the files that the target sat out, and its errors with other entries."""
    sat_out = sorted(target.sat_out.keys() - run.superseded)
    told = [_failure(run.path_of(file), target.sat_out[file]) for file in sat_out[: run.told_max]]
    told += [_failure(error.path, error.errno, error.action) for error in target.errors]
    return Unequal(len(sat_out) + len(target.errors), tuple(told[: run.told_max]))


def _repeated(target: Target, run: RunFacts) -> int:
    """Return how many own failures of a target are about entries that have failed before."""
    if not target.errors:
        return 0
    paths = [error.path for error in target.errors]
    paths += [run.path_of(file) for file in target.sat_out.keys() - run.superseded]
    return len(paths) - len(set(paths))


def _where(target: Target, files: int) -> str:
    """Return how far a target had come when the session was interrupted."""
    if not target.committed:
        return "interrupted before anything was changed" if target.hello else "interrupted before it joined"
    return f"interrupted; files in place: {min(target.committed, files)} of {files}"


def _outcome(target: Target, state: TargetState, reason: str | None, unequal: Unequal, run: RunFacts) -> TargetOutcome:
    result, report, compared = target.result, target.report, target.compared
    files, size = (result.files_updated, result.bytes_written) if result else run.in_place(target)
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
        files_updated=files,
        bytes_written=size,
        created=result.created if result else 0,
        mended=result.mended if result else 0,
        deleted=result.deleted if result else 0,
        packets_lost=target.flow.losses.missed,
        packets_rejected=report.packets_rejected if report else 0,
        pages_rejected=report.pages_rejected if report else 0,
        kernel_drops=report.kernel_drops if report else 0,
        monitor_seconds=round(target.flow.monitor_s, 3),
        seconds=round(max(0.0, target.ended_at - run.started_at), 3),
        sat_out=unequal.told,
        sat_out_untold=unequal.total - len(unequal.told),
        files_needed=compared.files_needed if compared else 0,
        bytes_needed=compared.bytes_needed if compared else 0,
        changes=compared.changes if compared else 0,
        deletions_skipped=result.skipped if result else 0,
        changes_untold=result.untold if result else 0,
    )


def _failure(path: bytes, number: int, action: str = "write") -> SatOut:
    hint = ", is something mounted there?" if number == errno.EBUSY else ""
    return SatOut(path, errno.errorcode.get(number, str(number)), f"cannot {action}: {os.strerror(number)}{hint}")
