"""Patience: what a target must show for the time that the session waits for it."""

from __future__ import annotations

import pytest

from mrsync.protocol.targets.liveness import overdue_reason
from mrsync.protocol.targets.patience import Patience, Waiting, work_s
from mrsync.protocol.targets.roster import Target
from mrsync.wire.messages import ObjectKind, Phase
from tests.unit.protocol.builders import found, report, roster
from tests.unit.protocol.targets.test_liveness import expectation

CONTENTS = ObjectKind.CONTENTS


def waited(seconds: int, patience: Patience) -> Waiting:
    waiting = Waiting()
    for now in range(seconds + 1):
        waiting.look(patience, is_awaited=True, now=float(now))
    return waiting


def test_only_time_in_which_it_is_awaited_counts() -> None:
    patience, waiting = Patience(60), Waiting()
    for now, is_awaited in enumerate((True, True, False, False, True)):
        waiting.look(patience, is_awaited=is_awaited, now=float(now))
    assert waiting.waited_s == 2.0


def test_a_master_that_stood_still_waited_for_nobody() -> None:
    patience, waiting = Patience(60), Waiting()
    waiting.look(patience, is_awaited=True, now=0.0)
    waiting.look(patience, is_awaited=True, now=3600.0)
    assert waiting.waited_s == 6.0


def test_arrivals_give_back_the_time_waited_for_them() -> None:
    patience = Patience(1)
    waiting = waited(32, Patience(10))
    assert waiting.is_over(patience)
    waiting.take_off(patience, CONTENTS, 0, 1000)
    assert waiting.waited_s == 31.0
    waiting.take_off(patience, CONTENTS, 0, 2001)
    assert not waiting.is_over(patience)
    waiting.take_off(patience, CONTENTS, 1, 2001)
    assert waiting.waited_s == 0.0


def test_nothing_is_saved_up_for_later() -> None:
    patience, waiting = Patience(1), Waiting()
    waiting.take_off(patience, CONTENTS, 10_000, 10**6)
    for now in range(400):
        waiting.look(patience, is_awaited=True, now=float(now))
    waiting.take_off(patience, CONTENTS, 10_000, 10**6)
    assert waiting.is_over(patience)


def test_pages_that_are_claimed_again_count_once() -> None:
    waiting = waited(100, Patience(10))
    for held in (1, 0) * 50:
        waiting.take_off(Patience(1), CONTENTS, held, 0)
    assert waiting.is_over(Patience(1))


def test_a_large_source_gives_targets_more_time() -> None:
    patience = Patience(60)
    patience.work_s = work_s(1_000_000, 10**12)
    assert patience.budget_s > 3 * 86400


def test_pages_of_a_slow_session_are_worth_more() -> None:
    assert Patience(60, page_s=100.0).worth_s(1, 0) - Patience(60).worth_s(1, 0) == 940.0


def busy(seconds: int, patience: Patience, **details: int) -> tuple[Target, str]:
    """Return a target that counts up its activity for as long, and why it is dropped, if so."""
    target = found(roster(1), 0)
    expected = expectation(Phase.COMPARING, patience=patience)
    for second in range(1, seconds + 1):
        target.receive_report(report(counter=second, activity=second, packets_seen=1, **details), "", float(second))
        if reason := overdue_reason(target, expected, ack_wait_s=1, now=float(second)):
            return target, reason
    return target, ""


def test_activity_alone_is_believed_for_a_while() -> None:
    assert busy(29, Patience(10))[1] == ""
    assert "(comparing); if it is only slow, raise --ack-wait" in busy(400, Patience(10))[1]


def test_shedding_slow_targets_leaves_less_patience() -> None:
    assert busy(100, Patience(10))[1] == ""
    assert "held the others up for 31 s" in busy(100, Patience(10, is_shedding=True))[1]


@pytest.mark.parametrize("frontier", [0, 1 << 31])
def test_no_more_pages_are_believed_than_were_sent(frontier: int) -> None:
    target, reason = busy(1000, Patience(1), active=ObjectKind.MANIFEST, frontier=frontier)
    assert target.waiting.pages[ObjectKind.MANIFEST] == min(frontier, 10)
    assert bool(reason) == (frontier == 0)
