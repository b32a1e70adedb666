"""Admission: who may take part, and what others are told."""

from __future__ import annotations

from mrsync.protocol.core.events import (
    TargetJoined,
)
from mrsync.protocol.core.states import RosterState
from mrsync.protocol.targets.admission import TAKEOVER_S, is_taken
from mrsync.protocol.targets.roster import Roster
from mrsync.wire.formats.session import ControlCodec
from mrsync.wire.messages import Ending, Farewell, Phase, Welcome
from tests.unit.protocol.builders import PAGE, are_files, found, hello, roster
from tests.unit.protocol.session import ACK_WAIT_S, Session
from tests.unit.wire.samples import KEYS


def test_a_number_is_taken_while_its_catcher_reports() -> None:
    known = roster(1, now=10.0)
    assert is_taken(found(known, 0), 10.0)
    assert not is_taken(found(known, 0), 10.0 + TAKEOVER_S)
    assert not is_taken(found(Roster({0: "a"}), 0), 0.0)


def test_a_hello_is_welcomed_as_often_as_it_comes() -> None:
    session = Session()
    session.hello(0)
    session.hello(0, counter=2)
    first, second = session.messages(Welcome)
    assert (first.instance, first.slot, second.slot) == (100, 0, 0)
    assert first.counter < second.counter
    assert session.heard == [TargetJoined(0)]


def test_a_stranger_and_one_without_the_seal_are_refused() -> None:
    session = Session()
    session.hello(9)
    session.hello(1, seals=0)
    assert [(letter.ending, letter.target) for letter in session.messages(Farewell)] == [
        (Ending.REFUSED, 9),
        (Ending.REFUSED, 1),
    ]
    assert session.states() == [RosterState.EXPECTED, RosterState.REFUSED]
    session.hello(1)
    assert session.messages(Farewell)[-1].reason == "shares no seal with this session"


def test_a_hello_that_says_other_seals_later_changes_nothing() -> None:
    """A catcher was admitted with those that it had; without a common one there would be none to choose."""
    session = Session()
    session.hello(0)
    session.hello(0, counter=2, seals=0)
    session.hello(1)
    session.caster.offer_manifest(PAGE, are_files)
    session.pump(1.0)
    assert session.phase() is Phase.COMPARING


def test_a_number_that_is_taken_is_refused_and_renewed_after_a_silence() -> None:
    session = Session()
    session.hello(0)
    session.hello(0, instance=555)
    assert "already" in session.messages(Farewell)[-1].reason
    session.pump(TAKEOVER_S)
    session.hello(0, instance=555)
    assert session.messages(Welcome)[-1].instance == 555
    assert found(session.caster.roster, 0).report is None


def test_targets_may_join_until_the_plan_is_made() -> None:
    session = Session()
    session.caster.offer_manifest(PAGE, are_files)
    session.hello(0)
    session.pump(ACK_WAIT_S / 2)
    session.report(0)
    session.pump(ACK_WAIT_S / 2)
    session.hello(1)
    assert session.states() == [RosterState.PRESENT] * 2
    late = Session().compared()
    late.pump(TAKEOVER_S)
    late.hello(0, instance=555)
    assert found(late.caster.roster, 0).reason == "came back as another process after the plan was fixed"
    assert [letter.ending for letter in late.messages(Farewell)] == [Ending.DROPPED, Ending.REFUSED]


def test_a_process_whose_place_was_taken_does_not_come_back() -> None:
    """Its hello, repeated by whoever heard it, must not push out the one that is here."""
    session = Session()
    session.hello(0)
    session.pump(TAKEOVER_S)
    session.hello(0, instance=555)
    session.pump(TAKEOVER_S)
    session.hello(0)
    assert session.messages(Farewell)[-1].ending is Ending.REFUSED
    target = found(session.caster.roster, 0)
    assert target.hello is not None
    assert target.hello.instance == 555


def test_a_refusal_is_not_longer_than_the_hello_that_asked_for_it() -> None:
    """Somebody may have sent it from another one's address."""
    codec = ControlCodec(KEYS)
    session = Session(names={0: "n0"})
    session.caster.give_up(0, "no reason at all " * 99, 0.0)
    session.hello(0, host="", version="")
    (refusal,) = session.messages(Farewell)
    assert len(codec.encode(refusal)) <= len(codec.encode(hello(0, host="", version="")))
