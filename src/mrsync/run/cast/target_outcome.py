"""How a run ended for each target."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable

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


class Exceptions:
    """The files that no target changed because one sat them out, as outcomes report them.

    files: (plan file, its manifest entry, reason); if the entry is None, all targets lack the file. path_of: returns
    the path of a plan file. Where the disk of one target is full, these are most files of most targets. So targets with
    equal needs share one tuple.
    """

    def __init__(self, files: Iterable[tuple[int, int | None, str]], path_of: Callable[[int], bytes]) -> None:
        self._told = [(file, entry, SatOut(path_of(file), "", why)) for file, entry, why in files]
        self._by_needs: dict[tuple[Range, ...], tuple[SatOut, ...]] = {}

    def of(self, target: Target) -> tuple[SatOut, ...]:
        """Return those that this target lacks because of another one."""
        if target.sat_out or not self._told:
            return self._find(target)
        needs = tuple(target.needs)
        if needs not in self._by_needs:
            self._by_needs[needs] = self._find(target)
        return self._by_needs[needs]

    def _find(self, target: Target) -> tuple[SatOut, ...]:
        return tuple(
            [
                told
                for file, entry, told in self._told
                if file not in target.sat_out and (entry is None or entry in target.needs)
            ]
        )


class RunFacts(NamedTuple):
    """What the outcomes of all targets depend on.

    path_of: returns the path of a plan file.
    started_at: of the run, in seconds of the clock of targets' ends.
    exceptions: None if there are none.
    superseded: plan files that were cast once more.
    files: number of planned files.
    veto: why nothing was changed on any target.
    interruption, refusal: the reason why the run was ended early, if it came from this host, or from a target that
    refused to delete most of its entries.
    in_place: returns how many files, and bytes of them, a target without a result has put into place.
    """

    path_of: Callable[[int], bytes]
    started_at: float
    exceptions: Exceptions | None = None
    superseded: frozenset[int] = frozenset()
    files: int = 0
    veto: str = ""
    interruption: str = ""
    refusal: str = ""
    in_place: Callable[[Target], tuple[int, int]] = lambda target: (0, 0)


def target_outcome(target: Target, run: RunFacts) -> TargetOutcome:
    """Return the outcome for one target."""
    own, others = _own_failures(target, run), run.exceptions.of(target) if run.exceptions is not None else ()
    errors = target.result.errors if target.result else 0
    state, reason = _STATES[target.state], target.reason or None
    if state is TargetState.DONE and (own or others or errors):
        state = TargetState.PARTIAL
        count = max(len(own), errors) - (len(own) - len({failure.path for failure in own}))
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
    failures = (*own, *others) if own else others
    return _outcome(target, state, reason, failures, run)._replace(is_interrupted=is_interrupted)


def _own_failures(target: Target, run: RunFacts) -> list[SatOut]:
    """Return the files that the target sat out, and its errors with other entries."""
    sat_out = sorted((file, number) for file, number in target.sat_out.items() if file not in run.superseded)
    failures = [_failure(run.path_of(file), number) for file, number in sat_out]
    return failures + [_failure(error.path, error.errno, error.action) for error in target.errors]


def _where(target: Target, files: int) -> str:
    """Return how far a target had come when the session was interrupted."""
    if not target.committed:
        return "interrupted before anything was changed" if target.hello else "interrupted before it joined"
    return f"interrupted; files in place: {min(target.committed, files)} of {files}"


def _outcome(
    target: Target, state: TargetState, reason: str | None, sat_out: tuple[SatOut, ...], run: RunFacts
) -> TargetOutcome:
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
        sat_out=sat_out,
        files_needed=compared.files_needed if compared else 0,
        bytes_needed=compared.bytes_needed if compared else 0,
        changes=compared.changes if compared else 0,
        deletions_skipped=result.skipped if result else 0,
        changes_untold=result.untold if result else 0,
    )


def _failure(path: bytes, number: int, action: str = "write") -> SatOut:
    hint = ", is something mounted there?" if number == errno.EBUSY else ""
    return SatOut(path, errno.errorcode.get(number, str(number)), f"cannot {action}: {os.strerror(number)}{hint}")
