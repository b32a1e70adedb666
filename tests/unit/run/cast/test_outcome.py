from __future__ import annotations

import pytest

from mrsync.errors import ExitStatus
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState


def outcome(*states: TargetState, source_errors: int = 0, source_changes: int = 0) -> Outcome:
    targets = tuple(TargetOutcome(f"n{index}", state) for index, state in enumerate(states))
    return Outcome(1, b"/s", b"/d", targets, source_errors=source_errors, source_changes=source_changes)


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ("done", 0),
        ("done done", 0),
        ("done partial", 23),
        ("partial", 23),
        ("done lost", 23),
        ("done unreachable", 23),
        ("done refused", 23),
        ("partial lost", 23),
        ("lost", 30),
        ("lost unreachable", 30),
        ("refused refused", 30),
        ("unreachable unreachable", 5),
    ],
)
def test_exit_status_follows_from_the_targets(states: str, status: int) -> None:
    assert outcome(*map(TargetState, states.split())).exit_status == status


def test_exit_status_follows_from_the_source() -> None:
    assert outcome(TargetState.DONE, source_changes=1).exit_status == 24
    assert outcome(TargetState.DONE, source_errors=1, source_changes=1).exit_status == 23
    assert outcome(TargetState.LOST, source_changes=1).exit_status == 30


def test_a_printed_outcome_says_what_is_wrong() -> None:
    assert str(outcome(TargetState.DONE)) == "1/1 complete, exit status 0"
    targets = (TargetOutcome("a", TargetState.DONE), TargetOutcome("b", TargetState.REFUSED, "disk full"))
    assert str(outcome()._replace(targets=targets, veto="b cannot")) == (
        "1/2 complete, exit status 23\nb cannot\nb: refused: disk full"
    )
    failed = Outcome.failed(1, b"/s", b"/d", ["a"], failure="no socket", status=ExitStatus.SOCKET)
    assert str(failed) == "0/1 complete, exit status 10\nno socket\na: unreachable: no socket"


def test_states_are_counted() -> None:
    assert outcome(TargetState.DONE, TargetState.LOST, TargetState.DONE).count(TargetState.DONE) == 2
