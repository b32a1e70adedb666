"""Endings: a target ends once, and is told why; the end of one may end the session under the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest

from mrsync.protocol.core.events import CasterEvent, TargetEnded
from mrsync.protocol.core.sends import SendMessage
from mrsync.protocol.core.states import RosterState, TargetTrigger
from mrsync.protocol.core.timers import TimerTable
from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.sending.window import Window
from mrsync.protocol.targets.endings import Endings
from mrsync.protocol.targets.outbox import Outbox
from mrsync.protocol.targets.roster import Roster
from mrsync.wire.messages import Ending, Farewell, NetworkShare
from tests.unit.protocol.builders import GEOMETRY, found, roster


class Session:
    """Endings of a roster. on_ended: called after each end, as the caster does to abort the session."""

    def __init__(self, targets: Roster, on_ended: Callable[[], None] = lambda: None) -> None:
        self.roster = targets
        self.events: deque[CasterEvent] = deque()
        self.forgotten: list[int] = []
        self.sentences: list[tuple[str, bool]] = []
        clock = AckClock(targets.audience, Window(rate_bytes_s=None, geometry=GEOMETRY), Courtesy(NetworkShare.ALL))
        schedule = Schedule(targets.audience, clock, TimerTable())
        self.outbox = Outbox(targets, clock, schedule, session=5, geometry=GEOMETRY, ack_wait_s=60.0)

        def ended(sentence: str, was_live: bool, now: float) -> None:
            self.sentences.append((sentence, was_live))
            on_ended()

        self.endings = Endings(
            targets,
            self.outbox,
            self.events,
            ack_wait_s=60.0,
            forget=lambda target, now: self.forgotten.append(target.id),
            on_ended=ended,
        )

    def farewells(self) -> list[tuple[int, Ending, str]]:
        sent = [send.message for send in self.outbox.take_all() if isinstance(send, SendMessage)]
        return [(each.target, each.ending, each.reason) for each in sent if isinstance(each, Farewell)]


@pytest.mark.parametrize(
    ("trigger", "state", "ending"),
    [
        (TargetTrigger.FAILURE, RosterState.LOST, Ending.DROPPED),
        (TargetTrigger.SILENCE, RosterState.LOST, Ending.DROPPED),
        (TargetTrigger.REFUSAL, RosterState.REFUSED, Ending.REFUSED),
    ],
)
def test_a_live_target_gets_a_farewell_and_is_forgotten(
    trigger: TargetTrigger, state: RosterState, ending: Ending
) -> None:
    session = Session(roster(2))
    session.endings.end(found(session.roster, 1), trigger, "why", 9.0)
    assert found(session.roster, 1).state is state
    assert (list(session.events), session.forgotten) == ([TargetEnded(1)], [1])
    assert session.farewells() == [(1, ending, "why")]
    assert session.sentences == [("b: why", True)]


def test_a_target_that_never_came_gets_no_farewell() -> None:
    session = Session(Roster({0: "a", 1: "b"}))
    found(session.roster, 1).hint = ": its ssh is up"
    session.endings.end_absent(9.0)
    assert session.forgotten == []
    assert session.farewells() == []
    assert session.sentences == [
        ("a: nothing received within 60 s", False),
        ("b: nothing received within 60 s: its ssh is up", False),
    ]


def test_a_target_ends_only_once() -> None:
    session = Session(roster(1))
    target = found(session.roster, 0)
    session.endings.end(target, TargetTrigger.FAILURE, "first", 9.0)
    with pytest.raises(RuntimeError):
        session.endings.end(target, TargetTrigger.FAILURE, "second", 9.0)
    session.endings.refuse_narrow(target, 1280, 9.0)  # it may have been found before that end
    session.endings.end_absent(9.0)
    assert (target.reason, len(session.events)) == ("first", 1)


def test_an_end_that_ends_all_others_ends_each_of_them_once() -> None:
    """As with --quit-on-bad: the first absent target aborts the session, while the others are looked at."""
    session = Session(Roster({0: "a", 1: "b", 2: "c"}), lambda: abort())

    def abort() -> None:
        for target in session.roster:
            if not target.is_ended:
                session.roster.end(target, TargetTrigger.ABORT, "aborted", 9.0)

    session.endings.end_absent(9.0)
    assert [target.reason for target in session.roster] == ["nothing received within 60 s", "aborted", "aborted"]
    assert session.sentences == [("a: nothing received within 60 s", False)]
