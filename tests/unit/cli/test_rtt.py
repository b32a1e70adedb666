"""What rtt prints, and its JSON."""

from __future__ import annotations

import json

from mrsync.cli.rtt import ROWS_MAX, complaint, outcome_fields, outcome_lines
from mrsync.protocol.core.histogram import Histogram
from mrsync.run.cast.outcome import TargetState
from mrsync.run.measure.rtt import RttOutcome, TargetRtt


def heard(host: str, counts: dict[int, int], missing: int = 0) -> TargetRtt:
    return TargetRtt(host, TargetState.DONE, None, missing, Histogram(counts))


def silent(host: str, state: TargetState, reason: str) -> TargetRtt:
    return TargetRtt(host, state, reason, 100, Histogram())


def outcome(*targets: TargetRtt) -> RttOutcome:
    return RttOutcome(100, 64000, 45, "eth0", 1.5, targets)


def test_one_target_gets_a_line_and_a_histogram() -> None:
    lines = list(outcome_lines(outcome(heard("a", {300: 97}, missing=3)), is_verbose=False))
    assert lines[:3] == ["Missing pages = 3 ( 3.00%) out of total pages = 100", "", "rtt histogram"]


def test_several_targets_slowest_first_then_the_histogram_of_all() -> None:
    result = outcome(heard("a", {300: 100}), heard("b", {5300: 99}, missing=1), heard("c", {700: 100}))
    lines = list(outcome_lines(result, is_verbose=False))
    assert lines[0] == "Missing pages = 1 ( 0.33%) out of total pages = 300"
    assert lines[2] == "target  missing       p50       p90       p99       max us"
    assert lines[3] == "b         1.00%      5300      5300      5300      5300"
    assert [line.split()[0] for line in lines[4:6]] == ["c", "a"]
    assert "   1       200" in lines


def test_similar_targets_fold_into_one_row() -> None:
    targets = [heard(f"n{i}", {300 + i: 100}) for i in range(1, 201)]
    targets[4], targets[9] = heard("n5", {300: 90}, missing=10), heard("n10", {900: 100})
    lines = list(outcome_lines(outcome(*targets), is_verbose=False))
    assert [line.split()[0] for line in lines[3:5]] == ["n10", "n5"]
    assert lines[5].startswith("n[1-4,6-9,11-200]    0.00%       ")
    assert lines[6] == ""
    verbose = list(outcome_lines(outcome(*targets), is_verbose=True))
    assert verbose[2 + 200].startswith("n5 ")
    odd = [heard(f"n{i}", {300: 100}, missing=i % 2) for i in range(200)]
    lines = list(outcome_lines(outcome(*odd), is_verbose=False))
    assert lines[3 + ROWS_MAX].startswith(f"{200 - ROWS_MAX} others    0.44%")


def test_targets_without_echoes_are_listed_by_reason() -> None:
    result = outcome(
        heard("a", {300: 100}),
        silent("b1", TargetState.UNREACHABLE, "Connection refused"),
        silent("b2", TargetState.UNREACHABLE, "Connection refused"),
        silent("c", TargetState.LOST, "why"),
    )
    lines = list(outcome_lines(result, is_verbose=False))
    assert lines[1:3] == ["b[1-2]: unreachable, Connection refused", "c: lost, why"]
    assert complaint(result) == "no echo from b[1-2],c"
    assert result.exit_status == 23


def test_exit_status_follows_from_targets() -> None:
    gone = silent("b", TargetState.UNREACHABLE, "Connection refused")
    lost = silent("c", TargetState.LOST, "why")
    assert outcome(heard("a", {1: 1}, missing=99)).exit_status == 0
    assert complaint(outcome(heard("a", {1: 1}))) is None
    assert outcome(gone).exit_status == 5
    assert complaint(outcome(gone)) == "no target can be reached"
    assert outcome(gone, lost).exit_status == 30
    assert outcome(heard("a", {1: 1}))._replace(is_interrupted=True).exit_status == 20
    assert not any("histogram" in line for line in outcome_lines(outcome(gone, lost), is_verbose=False))


def test_the_result_has_all_fields_in_json() -> None:
    fields = outcome_fields(outcome(heard("a", {300: 90, 1300: 9}, missing=1), silent("c", TargetState.LOST, "why")))
    assert json.loads(json.dumps(fields)) == {
        "schema": 1,
        "exit_status": 23,
        "pages": 100,
        "page_bytes": 64000,
        "packets": 45,
        "interface": "eth0",
        "seconds": 1.5,
        "targets": {
            "a": {
                "state": "done",
                "reason": None,
                "missing": 1,
                "rtt_us": {"p50": 300, "p90": 300, "p99": 1300, "max": 1300},
                "histogram_ms": [[1, 90], [2, 9]],
            },
            "c": {
                "state": "lost",
                "reason": "why",
                "missing": 100,
                "rtt_us": {"p50": 0, "p90": 0, "p99": 0, "max": 0},
                "histogram_ms": [],
            },
        },
    }
