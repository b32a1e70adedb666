"""Liveness: who is dropped, when, and with which words."""

from __future__ import annotations

from typing import Any

import pytest

from mrsync.protocol.targets.liveness import Expectation, overdue_reason
from mrsync.protocol.targets.path import Via
from mrsync.protocol.targets.patience import Patience
from mrsync.protocol.targets.roster import Target
from mrsync.wire.messages import Feeding, Hop, ObjectKind, Phase
from mrsync.wire.records import ComparedRecord, ResultRecord
from tests.unit.protocol.builders import found, report, roster

CONTENTS = ObjectKind.CONTENTS


def expectation(phase: Phase, **details: Any) -> Expectation:
    values: dict[str, Any] = {"pages_sent": 10, "is_sent": False, "commit_end": 2, "file_count": 5}
    values["owes"] = lambda flow, tx: False
    values["object"] = {Phase.COMPARING: ObjectKind.MANIFEST, Phase.PLANNING: ObjectKind.PLAN}.get(phase, CONTENTS)
    values["is_led"] = lambda target, contents: False
    values["patience"] = Patience(60)
    return Expectation(phase=phase, contents=CONTENTS, **{**values, **details})


def stuck(**details: Any) -> Target:
    """A target that answers at 100 s as it did at 1 s."""
    target = found(roster(1), 0)
    for second in range(1, 101):
        target.receive_report(report(counter=second, **details), "there", float(second))
    return target


def reason(target: Target, expected: Expectation) -> str:
    return overdue_reason(target, expected, ack_wait_s=60, now=100.0)


def test_silence_beyond_the_ack_wait_is_a_reason() -> None:
    target = found(roster(1), 0)
    assert overdue_reason(target, expectation(Phase.GATHERING), ack_wait_s=60, now=60.0) == ""
    assert overdue_reason(target, expectation(Phase.GATHERING), ack_wait_s=60, now=60.1) == (
        "silent for 60 s since it joined: does a firewall drop what it is sent by unicast?"
    )
    target.receive_report(report(), "there", 1.0)
    assert overdue_reason(target, expectation(Phase.GATHERING), ack_wait_s=60, now=61.1) == "silent for 60 s"


@pytest.mark.parametrize(
    ("expected", "details", "words"),
    [
        (expectation(Phase.COMPARING), {}, "does it hear the multicast group?"),
        (expectation(Phase.COMPARING), {"packets_seen": 1}, "(comparing)"),
        (expectation(Phase.PLANNING), {"packets_seen": 1, "active": ObjectKind.PLAN}, "(receiving the plan)"),
        (
            expectation(Phase.CASTING),
            {"packets_seen": 1, "active": CONTENTS, "frontier": 9, "packets_lost": 7, "queue_pages": 3},
            "(7 packets missing, 3 pages not yet written)",
        ),
        (
            expectation(Phase.CASTING),
            {"packets_seen": 1, "active": CONTENTS, "frontier": 10, "committed": 1},
            "0 packets",
        ),
        (
            expectation(Phase.CASTING, is_sent=True),
            {"packets_seen": 1, "active": CONTENTS, "frontier": 10, "committed": 2, "ready": 4},
            "0 packets",
        ),
        (expectation(Phase.FINISHING), {"packets_seen": 1, "active": CONTENTS}, "(finishing)"),
    ],
)
def test_target_behind_without_progress_is_stuck(expected: Expectation, details: Any, words: str) -> None:
    found_reason = reason(stuck(**details), expected)
    assert found_reason.startswith("answered, but made no progress for 60 s")
    assert words in found_reason


@pytest.mark.parametrize(("arrived", "is_told"), [(0, True), (20, True), (200, False)])
def test_a_target_that_answers_and_gets_hardly_any_packet_may_have_a_smaller_mtu_now(
    arrived: int, is_told: bool
) -> None:
    details = {"active": CONTENTS, "frontier": 9, "packets_lost": 1000}
    target = stuck(packets_seen=5, **details)
    target.receive_report(report(counter=101, packets_seen=5 + arrived, **details), "there", 100.0)
    assert ("has an MTU on the path shrunk?" in reason(target, expectation(Phase.CASTING))) == is_told


@pytest.mark.parametrize("phase", [Phase.COMPARING, Phase.PLANNING, Phase.CASTING])
def test_a_target_that_keeps_the_window_closed_does_not_wait_for_others(phase: Phase) -> None:
    """It holds all that was sent. More is sent once it says that it has done that, which it never does."""
    details = {"packets_seen": 1, "active": CONTENTS, "committed": 2}
    expected = expectation(phase, pages_sent=0)
    assert reason(stuck(**details), expected) == ""
    assert "no progress" in reason(stuck(**details), expected._replace(window_held_by={0}))
    assert reason(stuck(**details), expected._replace(window_held_by={1})) == ""
    late, held = stuck(**details), expected._replace(window_held_by={0})
    for second in range(101, 301):
        done = min(second, 250)
        late.receive_report(report(counter=second, tx_seen=done, tx_done=done, **details), "there", float(second))
        assert overdue_reason(late, held, ack_wait_s=60, now=float(second)) == "", "it does what comes, or did lately"
    assert "no progress" in overdue_reason(late, held, ack_wait_s=60, now=310.1)
    relay = stuck(**details)
    relay.hop = Hop(0, 100, 1, 1, Feeding.UNFED, 0, 0, pages_waiting=3, window_bursts=2)
    assert reason(relay, expected._replace(window_held_by={0})) == "", "its child may be slow"
    hurried = expectation(phase, pages_sent=0, patience=Patience(1, is_shedding=True), window_held_by={0})
    for second in range(100, 140):
        overdue_reason(relay, hurried, ack_wait_s=60, now=float(second))
    assert "held the others up" in overdue_reason(relay, hurried, ack_wait_s=60, now=140.0), "but not for ever"


@pytest.mark.parametrize(
    ("expected", "details"),
    [
        (expectation(Phase.GATHERING), {}),
        (expectation(Phase.COMPARING), {"frontier": 10}),  # another one keeps the rest from being sent
        (expectation(Phase.PLANNING), {"active": ObjectKind.PLAN, "frontier": 10}),
        (expectation(Phase.PLANNING), {"active": CONTENTS}),
        (expectation(Phase.CASTING), {"active": CONTENTS, "frontier": 10, "committed": 2}),  # the rest is not sent yet
        (expectation(Phase.CASTING, is_sent=True), {"active": CONTENTS, "frontier": 10, "committed": 2, "ready": 5}),
    ],
)
def test_waiting_for_others_is_not_stuck(expected: Expectation, details: Any) -> None:
    target = stuck(**details)
    assert reason(target, expected) == ""
    assert target.progress.done_at == 100.0


def test_stuck_target_that_went_silent_did_not_answer() -> None:
    target = stuck(packets_seen=1)
    expected = expectation(Phase.COMPARING)
    assert "answered" in overdue_reason(target, expected, ack_wait_s=60, now=130.0)
    assert overdue_reason(target, expected, ack_wait_s=60, now=130.1) == "no progress for 60 s, then silent"


def test_compared_target_waits_for_others() -> None:
    target = stuck()
    target.receive_record(ComparedRecord(1, 2, 3))
    assert reason(target, expectation(Phase.COMPARING)) == ""


def test_target_may_fall_silent_after_its_result() -> None:
    target = found(roster(1), 0)
    target.receive_record(ResultRecord(0, 0, 0, 0, 0, 0))
    assert overdue_reason(target, expectation(Phase.FINISHING), ack_wait_s=60, now=999.0) == ""


LACKING = {"packets_seen": 1, "active": CONTENTS, "frontier": 9, "packets_lost": 7}


@pytest.mark.parametrize(("queue_pages", "owed", "is_stuck"), [(0, True, False), (3, True, True), (0, False, True)])
def test_waiting_for_an_unsent_repair_is_not_stuck(queue_pages: int, owed: bool, is_stuck: bool) -> None:
    target = stuck(**LACKING, queue_pages=queue_pages)
    expected = expectation(Phase.CASTING, owes=lambda flow, tx: owed)
    assert bool(reason(target, expected)) == is_stuck
    assert (target.progress.done_at == 100.0) != is_stuck


@pytest.mark.parametrize("field", ["active", "frontier", "activity", "log_end", "log_offset", "ready", "committed"])
def test_shrinking_and_growing_again_is_no_progress(field: str) -> None:
    target = found(roster(1), 0)
    for second in range(1, 101):
        value = {field: ObjectKind(second % 2) if field == "active" else second % 2}
        target.receive_report(report(counter=second, packets_seen=1, **value), "there", float(second))
    assert "answered, but made no progress" in reason(target, expectation(Phase.COMPARING))


def test_returned_target_is_judged_anew() -> None:
    target = found(roster(1), 0)
    for counter, now in ((1, 1.0), (2, 50.0), (3, 100.0)):
        target.receive_report(report(counter=counter, packets_seen=1), "there", now)
    assert reason(target, expectation(Phase.COMPARING)) == ""


@pytest.mark.parametrize("is_led", [False, True])
def test_target_whose_relay_holds_no_more_waits_for_it(is_led: bool) -> None:
    target = stuck(packets_seen=1, active=CONTENTS, frontier=7)
    target.path.via = Via.RELAY
    expected = expectation(Phase.CASTING, is_led=lambda target, contents: is_led)
    assert (reason(target, expected) == "") is is_led
