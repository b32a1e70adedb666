"""Target outcomes: how the roster's knowledge of one target becomes its line of the report."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from mrsync.protocol.core.states import RosterState, TargetTrigger
from mrsync.protocol.targets.roster import Target
from mrsync.ranges import RangeSet
from mrsync.run.cast.outcome import SatOut, TargetOutcome, TargetState
from mrsync.run.cast.target_outcome import Exceptions, RunFacts, target_outcome
from mrsync.wire.records import ComparedRecord, ErrorRecord, ResultRecord


def ended(state: RosterState = RosterState.DONE, *, errors: int = 0) -> Target:
    target = Target(1, "n1")
    target.state, target.ended_at = state, 12.3456
    if state is RosterState.DONE:
        target.result = ResultRecord(1, 2, 3, 4, 5, errors)
    return target


def path_of(file: int) -> bytes:
    return b"file %d" % file


def outcome(target: Target, *excepted: tuple[int, int, str]) -> TargetOutcome:
    return target_outcome(target, RunFacts(path_of, 10.0, exceptions=Exceptions(excepted, path_of, 100)))


TOLD = {
    RosterState.EXPECTED: TargetState.UNREACHABLE,
    RosterState.PRESENT: TargetState.LOST,
    RosterState.DONE: TargetState.DONE,
    RosterState.LOST: TargetState.LOST,
    RosterState.UNREACHABLE: TargetState.UNREACHABLE,
    RosterState.REFUSED: TargetState.REFUSED,
}


@pytest.mark.parametrize("state", RosterState)
def test_every_state_has_its_word(state: RosterState) -> None:
    assert outcome(ended(state)).state is TOLD[state]


def test_numbers_are_those_of_result_and_comparison() -> None:
    target = ended()
    target.compared = ComparedRecord(7, 8, 9)
    target.flow.losses.missed, target.flow.monitor_s = 6, 0.12345
    assert outcome(target) == TargetOutcome(
        "n1",
        TargetState.DONE,
        files_updated=1,
        bytes_written=2,
        created=3,
        mended=4,
        deleted=5,
        packets_lost=6,
        monitor_seconds=0.123,
        seconds=2.346,
        files_needed=7,
        bytes_needed=8,
        changes=9,
    )


def test_absent_target_has_no_time() -> None:
    target = ended(RosterState.UNREACHABLE)
    target.ended_at, target.reason = 0.0, "not heard of"
    assert (outcome(target).seconds, outcome(target).reason) == (0.0, "not heard of")


def test_target_that_sat_out_a_file_is_partial() -> None:
    target = ended()
    target.sat_out = {4: 28, 2: 13, 3: 16}
    target.needs = RangeSet([(20, 50)])
    told = outcome(target, (4, 40, "of n1"), (2, 20, "of n1"), (3, 30, "of n1"))
    assert told.state is TargetState.PARTIAL
    assert told.reason == "3 of its entries could not be changed"
    assert told.sat_out == (
        SatOut(b"file 2", "EACCES", "cannot write: Permission denied"),
        SatOut(b"file 3", "EBUSY", "cannot write: Device or resource busy, is something mounted there?"),
        SatOut(b"file 4", "ENOSPC", "cannot write: No space left on device"),
    )


def test_errors_make_it_partial_even_if_they_are_only_counted() -> None:
    target = ended(errors=5)
    target.errors = [
        ErrorRecord(1, b"link", "make"),
        ErrorRecord(4095, b"odd", "remove"),
        ErrorRecord(1, b"odd", "make"),
    ]
    told = outcome(target)
    assert (told.state, told.reason) == (TargetState.PARTIAL, "4 of its entries could not be changed")
    assert told.sat_out[0] == SatOut(b"link", "EPERM", "cannot make: Operation not permitted")
    assert told.sat_out[1].error == "4095"
    assert outcome(ended(errors=1)).state is TargetState.PARTIAL


def test_files_sat_out_by_others_count_only_where_needed() -> None:
    target = ended()
    target.needs = RangeSet([(20, 21)])
    told = outcome(target, (2, 20, "n2 sat it out"), (4, 40, "n2 sat it out"))
    assert (told.state, told.reason) == (
        TargetState.PARTIAL,
        "files were left unchanged because another target could not take them; --commit each changes them here",
    )
    assert told.sat_out == (SatOut(b"file 2", "", "n2 sat it out"),)
    assert outcome(target, (4, 40, "n2 sat it out")).state is TargetState.DONE


def test_a_lost_target_stays_lost_and_keeps_its_reason() -> None:
    target = ended(RosterState.LOST)
    target.reason, target.sat_out = "silent for 60 s", {4: 28}
    assert (outcome(target).state, outcome(target).reason) == (TargetState.LOST, "silent for 60 s")


def test_a_target_whose_result_is_missing_has_the_files_that_are_in_place() -> None:
    target = ended(RosterState.LOST)
    run = RunFacts(lambda file: b"", 0.0, in_place=lambda target: (3, 300))
    assert target_outcome(target, run)[4:6] == (3, 300)
    assert target_outcome(ended(), run)[4:6] == (1, 2)  # files and bytes


@pytest.mark.parametrize("state", [RosterState.EXPECTED, RosterState.PRESENT])
def test_a_target_that_was_left_at_once_was_interrupted(state: RosterState) -> None:
    told = target_outcome(ended(state), RunFacts(lambda file: b"", 0.0, interruption="interrupted by SIGINT"))
    assert (told.reason, told.word) == ("interrupted before it joined", "interrupted")


def test_a_target_may_say_that_it_was_interrupted_itself() -> None:
    """Then it is lost: the run was not interrupted."""
    lost = ended(RosterState.LOST)
    lost.reason = "interrupted by its user"
    told = target_outcome(lost, RunFacts(lambda file: b"", 0.0))
    assert (told.reason, told.word) == ("interrupted by its user", "lost")


def test_withdrawn_target_is_partial_with_the_common_reason() -> None:
    run = RunFacts(lambda file: b"", 0.0, veto="n2 is lost: killed")
    told = target_outcome(ended(), run)
    assert (told.state, told.reason) == (TargetState.PARTIAL, "nothing was changed on any target: n2 is lost: killed")
    lost = ended(RosterState.LOST)
    lost.reason = "killed"
    told = target_outcome(lost, run)
    assert (told.state, told.reason) == (TargetState.LOST, "killed")


@pytest.mark.parametrize(
    ("state", "told"), [(RosterState.LOST, TargetState.PARTIAL), (RosterState.UNREACHABLE, TargetState.UNREACHABLE)]
)
def test_a_target_that_another_one_keeps_from_changes_is_not_lost(state: RosterState, told: TargetState) -> None:
    target = Target(1, "n1")
    target.state, target.ended_by, target.reason = state, TargetTrigger.ABORT, "the session was aborted: n2 refuses"
    run = RunFacts(lambda file: b"", 0.0, refusal="n2 refuses")
    assert target_outcome(target, run).state is told


def test_a_thousand_targets_share_the_list_of_missing_files() -> None:
    run = RunFacts(
        path_of, 10.0, 20_000, Exceptions([(file, file, "n0 is full") for file in range(20_000)], path_of, 20_000)
    )
    targets = [ended() for _ in range(1000)]
    for number, target in enumerate(targets):
        target.needs = RangeSet([(0, 10_000 + number % 2)])
    tracemalloc.start()
    told = [target_outcome(target, run).sat_out for target in targets]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(each) for each in told[:2]] == [10_000, 10_001]
    assert told[0][9_999] == SatOut(b"file 9999", "", "n0 is full")
    assert taken < 8 << 20  # one list for each would take ten times as much


def test_a_report_names_as_many_files_as_it_may_and_counts_the_others() -> None:
    target = ended()
    target.sat_out, target.needs = {file: 28 for file in range(5)}, RangeSet([(0, 50)])
    target.errors = [ErrorRecord(1, b"file 2", "chmod")]
    others = [(file, file, "n2 is full") for file in range(20)]
    told = target_outcome(target, RunFacts(path_of, 10.0, 7, Exceptions(others, path_of, 7)))
    assert [os.fsdecode(each.path) for each in told.sat_out] == [f"file {n}" for n in (0, 1, 2, 3, 4, 2, 5)]
    assert told.sat_out_untold == 5 + 1 + 15 - 7
    assert told.reason == "5 of its entries could not be changed"
