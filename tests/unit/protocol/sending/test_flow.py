"""Flow: what a listener has reported on."""

from __future__ import annotations

from mrsync.protocol.sending.flow import Flow
from mrsync.wire.messages import ObjectKind
from tests.unit.protocol.builders import report

PLAN = ObjectKind.PLAN


def hear(flow: Flow, frontier: int, first: int, end: int) -> int:
    """Return how many pages it has spoken for after this report."""
    said = report(active=PLAN, frontier=frontier, needs_first=first, needs_end=end)
    flow.receive(said, 1.0, is_believed=True)
    return flow.spoken_for(PLAN)


def test_a_report_that_continues_another_one_speaks_for_more() -> None:
    flow = Flow(0)
    assert hear(flow, 10, 10, 50) == 50
    assert hear(flow, 10, 50, 90) == 90
    assert hear(flow, 20, 20, 60) == 60, "a new one begins"


def test_a_continuation_of_a_report_that_was_lost_speaks_for_nothing() -> None:
    flow = Flow(0)
    assert hear(flow, 10, 10, 50) == 50
    assert hear(flow, 20, 60, 90) == 50
    assert hear(flow, 20, 50, 55) == 55
    assert hear(flow, 20, 40, 45) == 55


def test_another_object_begins_anew() -> None:
    flow = Flow(0)
    hear(flow, 10, 10, 50)
    said = report(active=ObjectKind.CONTENTS, frontier=0, needs_first=0, needs_end=3)
    flow.receive(said, 1.0, is_believed=True)
    assert (flow.spoken_for(ObjectKind.CONTENTS), flow.spoken_for(PLAN) > 50) == (3, True)
