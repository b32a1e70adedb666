"""Roster and Target: what the caster knows, and what it believes."""

from __future__ import annotations

import pytest

from mrsync.protocol.core.states import RosterState, TargetTrigger
from mrsync.protocol.sending.flow import ANSWER_S
from mrsync.protocol.targets.roster import Roster
from mrsync.ranges import RangeSet
from mrsync.wire.limits import PAGES_MAX
from mrsync.wire.messages import ObjectKind
from mrsync.wire.records import BasisRecord, ComparedRecord, ErrorRecord, NeedsRecord, ResultRecord, WantsRecord
from tests.unit.protocol.builders import found, hello, report, roster


def test_targets_are_expected_then_present() -> None:
    known = Roster({0: "a", 1: "b"})
    assert [target.name for target in known.expected] == ["a", "b"]
    known.admit(found(known, 1), hello(1), "there", 5.0)
    assert [target.name for target in known.live] == ["b"]
    assert [target.name for target in known.expected] == ["a"]
    assert (len(known), known.find(9)) == (2, None)


def test_slots_follow_the_order_of_arrival() -> None:
    known = Roster({0: "a", 1: "b"})
    known.admit(found(known, 1), hello(1), "there", 5.0)
    known.admit(found(known, 0), hello(0), "here", 6.0)
    assert [(target.id, target.turn) for target in known.live] == [(1, 0), (0, 1)]


def test_an_end_is_final() -> None:
    known = roster(2)
    known.end(found(known, 0), TargetTrigger.SILENCE, "silent", 9.0)
    assert (found(known, 0).state, found(known, 0).reason, found(known, 0).ended_at) == (
        RosterState.LOST,
        "silent",
        9.0,
    )
    assert found(known, 0).is_ended
    assert [target.id for target in known.live] == [1]
    with pytest.raises(RuntimeError):
        known.end(found(known, 0), TargetTrigger.RESULT, "", 10.0)


def test_live_is_a_new_list_after_a_change() -> None:
    known = roster(3)
    for target in known.live:
        known.end(target, TargetTrigger.RESULT, "", 1.0)
    assert known.live == []


def test_renewed_target_starts_afresh() -> None:
    known = roster(2)
    found(known, 0).needs.add(0, 5)
    fresh = known.renew(found(known, 0))
    assert fresh is found(known, 0)
    assert (fresh.state, list(fresh.needs), fresh.name) == (RosterState.EXPECTED, [], "a")
    assert [target.id for target in known.live] == [1]


def test_processes_that_replace_each_other_share_one_patience() -> None:
    known = roster(1)
    for _ in range(5):
        target = found(known, 0)
        target.waiting.waited_s += 7.0
        known.renew(target)
    assert found(known, 0).waiting.waited_s == 35.0


def test_ready_is_not_believed_before_the_log_is_known() -> None:
    target = found(roster(1), 0)
    assert (target.ready, target.committed, target.flow.tx_seen, target.flow.tx_done) == (0, 0, 0, 0)
    target.receive_report(report(ready=5, log_end=10), "there", 1.0)
    assert target.ready == 0
    target.log.feed(0, bytes(10))
    assert target.ready == 5


def test_numbers_of_pages_are_those_of_one_object() -> None:
    target = found(roster(1), 0)
    assert target.frontier(ObjectKind.MANIFEST) == 0
    target.receive_report(report(active=ObjectKind.PLAN, frontier=3, needs_end=4), "there", 1.0)
    assert [target.frontier(kind) for kind in ObjectKind] == [PAGES_MAX, 3, 0, 0, 0]
    assert [target.flow.spoken_for(kind) for kind in ObjectKind] == [PAGES_MAX, 4, 0, 0, 0]
    assert not target.awaits(ObjectKind.CONTENTS)


@pytest.mark.parametrize("news", ["frontier", "activity", "log_end", "log_offset", "ready", "committed"])
def test_only_some_changes_are_progress(news: str) -> None:
    target = found(roster(1), 0)
    assert target.receive_report(report(counter=1), "there", 1.0)
    assert not target.receive_report(report(counter=2, tx_seen=9, packets_seen=9), "there", 2.0)
    assert target.progress.done_at == 1.0
    assert target.receive_report(report(counter=3, **{news: 1}), "there", 3.0)
    assert (target.progress.done_at, target.progress.heard_at) == (3.0, 3.0)


def test_nothing_new_means_no_report() -> None:
    known = roster(2, now=0.0)
    for target in known.live:
        target.receive_report(report(target.id, 1, tx_seen=5), "there", 1.0)
    late = 1.2 + ANSWER_S
    found(known, 0).receive_report(report(0, 2, tx_seen=5), "there", late)
    found(known, 1).receive_report(report(1, 2, tx_seen=6), "there", late)
    assert [flow.id for flow in known.audience.answering(late)] == [1]
    assert [flow.id for flow in known.audience.answering(late + 99)] == [0, 1]  # none does


def test_records_find_their_place() -> None:
    target = found(roster(1), 0)
    for record in (
        NeedsRecord(0, 9, ((1, 3),)),
        NeedsRecord(9, 20, ((9, 11),)),
        BasisRecord(0, 20, ((9, 10),)),
        ComparedRecord(4, 5, 6),
        ErrorRecord(13, b"x", "open"),
        ResultRecord(1, 2, 3, 4, 5, 6),
    ):
        target.receive_record(record)
    assert list(target.needs) == [(1, 3), (9, 11)]
    assert list(target.basis) == [(9, 10)]
    assert target.compared == ComparedRecord(4, 5, 6)
    assert [error.path for error in target.errors] == [b"x"]
    assert target.result is not None


def test_without_wants_all_needs_are_wanted() -> None:
    known = roster(3)
    found(known, 0).needs.add(0, 2)
    found(known, 1).needs.add(0, 9)
    found(known, 1).receive_record(WantsRecord(0, 50, ((41, 42),)))
    found(known, 1).receive_record(WantsRecord(50, 99, ((60, 70),)))
    found(known, 2).receive_record(WantsRecord(0, 99, ()))
    ten_each = lambda needs: [(10 * first, 10 * end) for first, end in needs]  # noqa: E731
    assert known.all_wants(ten_each) == RangeSet([(0, 20), (41, 42), (60, 70)])
    known.end(found(known, 0), TargetTrigger.SILENCE, "", 1.0)
    assert known.all_wants(ten_each) == RangeSet([(41, 42), (60, 70)])


def test_the_lowest_of_all_and_conditions_on_all() -> None:
    known = roster(3)
    assert known.lowest(lambda target: target.id + 1) == 1
    assert known.every(lambda target: target.turn < 3)
    assert not Roster({}).every(lambda target: True)
    assert Roster({}).lowest(lambda target: 1) == 0


def test_forged_messages_are_not_answers() -> None:
    known = roster(1)
    target = found(known, 0)
    target.receive_report(report(counter=1, tx_seen=5), "there", 1.0)
    target.receive_report(report(counter=2, tx_seen=9), "there", 2.0, is_believed=False)
    assert target.flow.answered_at == 1.0
    target.receive_report(report(counter=3, tx_seen=10), "there", 3.0)
    assert target.flow.answered_at == 3.0
