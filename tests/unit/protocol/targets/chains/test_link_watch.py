"""LinkWatch: which links count as failed, and which only wait."""

from __future__ import annotations

from typing import Any

import pytest

from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.chains.hop_paces import SPAN_S, WAITING_MAX
from mrsync.protocol.targets.chains.islands import Island
from mrsync.protocol.targets.chains.link import Link
from mrsync.protocol.targets.chains.link_watch import DOUBT_S, DRY_S, GAP_S, STALL_S, TRIAL_S, LinkWatch
from mrsync.protocol.targets.path import Via
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import Feeding, Hop, ObjectKind
from tests.unit.protocol.builders import found, hello, report

CONTENTS = ObjectKind.CONTENTS
SLACK_S = 0.1


class Watched:
    """Targets 0 to 3. Target 0 feeds the others."""

    def __init__(self, island: Island | None = None) -> None:
        self.roster = Roster({number: f"n{number}" for number in range(4)})
        for number in range(4):
            self.roster.admit(found(self.roster, number), hello(number), number, 0.0)
        children = [self.target(number) for number in (1, 2, 3)]
        self.links = {child.id: Link(1, self.target(0), child, 0.0, was_fed=False, island=island) for child in children}
        for link in self.links.values():
            link.is_fed = True
        self.watch = LinkWatch(self.links, lambda target: 1)
        geometry = Geometry(100, 1)
        self.transfer = Transfer(CONTENTS, 100 * geometry.page_bytes, geometry)
        self._counters = dict.fromkeys(range(4), 0)

    def send(self, pages: int) -> None:
        """The caster sends pages."""
        for _ in range(pages):
            self.transfer.first_send(1)

    def target(self, number: int) -> Target:
        return found(self.roster, number)

    def report(self, number: int, pages: int, **details: Any) -> None:
        """Let a target hold this many pages of the contents."""
        self._counters[number] += 1
        said = report(number, counter=self._counters[number], active=CONTENTS, frontier=pages, **details)
        self.target(number).receive_report(said, number, 0.0)

    def is_failing(self, child: int, now: float) -> bool:
        self.watch.look(self.links[child], now)
        return self.watch.is_failing(self.links[child], self.transfer, SLACK_S, now)


def test_a_new_link_has_its_trial() -> None:
    watched = Watched()
    watched.links[1].is_fed = False
    assert not watched.is_failing(1, TRIAL_S)
    assert watched.is_failing(1, TRIAL_S + SLACK_S + 0.01)


def test_a_doubted_link_has_failed_when_the_doubt_is_over() -> None:
    watched = Watched()
    watched.links[1].doubted_at = 1.0
    assert not watched.watch.has_failed(watched.links[1], SLACK_S, 1.0 + DOUBT_S)
    assert watched.watch.has_failed(watched.links[1], SLACK_S, 1.01 + DOUBT_S + SLACK_S)


def test_a_child_that_gets_none_of_its_parent_s_pages_is_starved() -> None:
    watched = Watched()
    watched.report(0, 20)
    watched.report(1, 10)
    assert not watched.is_failing(1, 5.0)
    assert not watched.is_failing(1, 5.0 + STALL_S)
    assert watched.is_failing(1, 5.01 + STALL_S + SLACK_S)
    assert watched.links[1].is_stalled


def test_a_child_that_holds_all_of_its_parent_waits() -> None:
    watched = Watched()
    watched.report(0, 10)
    watched.report(1, 10)
    assert not watched.is_failing(1, 5.0)
    assert not watched.is_failing(1, 5.0 + 2 * GAP_S)


def test_a_pause_is_the_time_for_which_children_get_nothing_that_they_lack() -> None:
    watched = Watched()
    for pages in range(2):  # nobody has more for them
        for number in range(4):
            watched.report(number, pages)
        assert not any(watched.is_failing(child, 9.0 * pages + at) for child in (1, 2, 3) for at in (1.0, 8.9))
    before = watched.watch.pause_s
    watched.report(0, 20)
    for pages in range(2, 9):
        for child in (1, 2):
            watched.report(child, pages)
            assert not watched.is_failing(child, 18.0 + pages)
    assert before < 0.3
    assert 0.8 < watched.watch.pause_s < 1.1


@pytest.mark.parametrize(
    ("sent", "details", "via", "is_failing"),
    [
        (11, {}, Via.CASTER, True),
        (10, {}, Via.CASTER, False),  # nothing more was sent
        (11, {"queue_pages": 1}, Via.CASTER, False),  # the child has work to do
        (11, {}, Via.RELAY, False),  # it is the parent's own parent that has to be replaced
    ],
)
def test_no_parent_is_believed_for_ever_that_it_gets_nothing(
    sent: int, details: dict[str, int], via: Via, is_failing: bool
) -> None:
    watched = Watched()
    watched.target(0).path.via = via
    watched.send(sent)
    watched.report(0, 10)
    watched.report(1, 10, **details)
    assert not watched.is_failing(1, 5.0)
    assert not watched.is_failing(1, DRY_S)
    assert watched.is_failing(1, 5.01 + DRY_S + SLACK_S) is is_failing


def test_a_child_that_writes_is_supplied() -> None:
    watched = Watched()
    watched.send(11)
    watched.report(0, 5)
    for activity in range(8):
        watched.report(1, 5, activity=activity)
        assert not watched.is_failing(1, 2.0 * activity)


def test_a_child_that_writes_other_pages_may_lack_its_first_one_for_longer() -> None:
    watched = Watched()
    watched.report(0, 20)
    watched.report(1, 10, activity=10)
    assert not watched.is_failing(1, 5.0)
    watched.report(1, 10, activity=30)
    assert not watched.is_failing(1, 5.01 + STALL_S + SLACK_S)
    assert watched.is_failing(1, 5.01 + GAP_S + SLACK_S)


@pytest.mark.parametrize("is_busy", [True, False])
def test_an_island_waits_for_a_target_that_writes(is_busy: bool) -> None:
    watched = Watched(Island(b"net", {0, 1, 2, 3}))
    watched.report(0, 20)
    watched.report(1, 10)
    watched.report(2, 10, queue_pages=5 * is_busy)
    assert not watched.is_failing(1, 5.0)
    assert watched.is_failing(1, 5.01 + STALL_S + SLACK_S) is not is_busy


@pytest.mark.parametrize(("queue_pages", "is_slow"), [(0, True), (9, False)])
def test_a_parent_is_slow_only_if_its_child_has_nothing_to_write(queue_pages: int, is_slow: bool) -> None:
    """Another hop has shown that many more pages a second are possible, and here pages wait."""
    watched = Watched()
    del watched.links[2], watched.links[3]
    watched.report(0, 10)
    watched.report(1, 10, queue_pages=queue_pages)
    for turn in range(3):
        now = turn * SPAN_S
        hop = Hop(2, 102, turn, 1, Feeding.FED, 0, 0, 0, 0)
        watched.watch.paces.receive(2, hop._replace(pages_forwarded=1000 * turn), now)
        watched.watch.paces.receive(0, hop._replace(pages_forwarded=turn, pages_waiting=WAITING_MAX), now)
    assert watched.is_failing(1, 0.0) is is_slow
