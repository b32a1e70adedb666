"""Reports come in turn, more rarely while nothing is heard, and those of a monitor as bursts are done."""

from __future__ import annotations

import pytest

from mrsync.protocol.core.timers import TURN_S, keepalive_s
from mrsync.protocol.receiving.report_turns import INTERVALS_MAX, RETRY_S, ReportTurns, cycle_s
from tests.unit.protocol.builders import report, status
from tests.unit.protocol.catching import joined

CAST = status(1)._replace(target_count=100, monitors=(7,), report_pages=8, report_interval_us=10_000)


def turns(target: int = 7) -> ReportTurns:
    return ReportTurns(target, joined().relaying, 0.0)


def test_targets_report_in_their_turns() -> None:
    made = turns()
    made.turn = 40
    assert cycle_s(CAST) == pytest.approx(100 * TURN_S)
    assert made.in_turn(1.0, 0.01) == pytest.approx(1.0 + 40 * TURN_S)
    made.on_report(report(counter=1), CAST, 1.005)
    assert made.in_turn(1.0, 0.1) == pytest.approx(1.105)  # so long after the last report


def test_needs_are_repeated_more_rarely_until_something_is_heard() -> None:
    made = turns()
    needs = report(counter=1, tx_seen=5, needs=((0, 1, 0),))
    apart = [made.on_report(needs, CAST, 0.0) for _ in range(20)]
    assert apart[:3] == pytest.approx([0.01, 0.015, 0.0225])
    assert apart[-1] == pytest.approx(0.01 * INTERVALS_MAX)
    assert made.on_report(needs._replace(tx_seen=6), CAST, 0.0) == pytest.approx(0.01)


def test_a_log_waits_for_its_acknowledgement_and_silence_for_a_keepalive() -> None:
    made = turns()
    assert made.on_report(report(counter=1, tx_seen=1, log_bytes=b"x"), CAST, 0.0) == pytest.approx(0.01 + RETRY_S)
    assert made.on_report(report(counter=2), CAST, 3.0) == pytest.approx(3.0 + keepalive_s(CAST.ack_wait_s))


@pytest.mark.parametrize(("target", "done", "is_due"), [(7, 8, True), (7, 7, False), (6, 8, False)])
def test_a_monitor_reports_after_so_many_bursts(target: int, done: int, is_due: bool) -> None:
    made = turns(target)
    made.on_report(report(counter=1, tx_done=100), CAST, 0.0)
    assert made.is_due(CAST, 100 + done) is is_due
    assert not made.is_due(None, 100 + done)
