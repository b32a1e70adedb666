"""Admission: who may take part, and what others are told."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from mrsync.protocol.core.events import TargetJoined
from mrsync.protocol.core.sends import SendMessage
from mrsync.protocol.core.states import RosterState
from mrsync.protocol.core.timers import TimerTable
from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.sending.window import Window
from mrsync.protocol.targets.endings import Endings
from mrsync.protocol.targets.outbox import Outbox
from mrsync.protocol.targets.participation.admission import TAKEOVER_S, WELCOME_S, Admission, is_taken
from mrsync.protocol.targets.participation.compressions import Compressions
from mrsync.protocol.targets.participation.seals import Seals
from mrsync.protocol.targets.reach import PROBE_S, SHORTFALLS_MIN, Reach
from mrsync.protocol.targets.roster import Roster
from mrsync.wire.formats.session import ControlCodec
from mrsync.wire.messages import Compression, Ending, Farewell, NetworkShare, Phase, SealKind, Welcome
from tests.unit.protocol.builders import GCM, HMAC, PAGE, SMALL, STEPS, are_files, found, hello, report, roster
from tests.unit.protocol.session import ACK_WAIT_S, Session
from tests.unit.wire.samples import KEYS

FULL = STEPS[0].datagram_bytes
BOTH = 1 << Compression.ZSTD | 1 << Compression.DEFLATE


class Door:
    """An admission with all that it uses, for three targets that have not come yet."""

    def __init__(self) -> None:
        self.now = 0.0
        self.roster = Roster({0: "a", 1: "b", 2: "c"})
        window = Window(rate_bytes_s=None, geometry=STEPS[0].geometry)
        clock = AckClock(self.roster.audience, window, Courtesy(NetworkShare.ALL))
        schedule = Schedule(self.roster.audience, clock, TimerTable())
        self.outbox = Outbox(self.roster, clock, schedule, session=7, geometry=STEPS[0].geometry, ack_wait_s=ACK_WAIT_S)
        reach = Reach(self.roster, STEPS, ACK_WAIT_S, is_unicast_only=False, on_rerouted=lambda target: None)
        endings = Endings(
            self.roster,
            self.outbox,
            deque(),
            ack_wait_s=ACK_WAIT_S,
            forget=lambda target, now: None,
            on_ended=lambda sentence, was_live, now: None,
        )
        self.compressions = Compressions(BOTH)
        seals = Seals(GCM | HMAC, must_encrypt=False)
        self.admission = Admission(
            self.roster, self.outbox, reach, endings, seals, self.compressions, lambda target, hello, now: None
        )
        self._counter = 0

    def hello(self, target: int, **details: Any) -> None:
        """Let a catcher say hello that hears the largest probes, and can use everything."""
        self._counter += 1
        able: dict[str, Any] = {"seals": GCM | HMAC, "compressions": BOTH, "group_bytes": FULL}
        said = hello(target, counter=self._counter, **{**able, **details})
        self.admission.receive_hello(said, f"address {target}", self.now)

    def settle(self, *, is_last_call: bool = False) -> None:
        self.admission.settle(self.now, is_last_call=is_last_call)

    def states(self) -> list[RosterState]:
        return [target.state for target in self.roster]


def test_a_target_is_welcomed_again_until_it_reports() -> None:
    door = Door()
    door.hello(1)
    door.outbox.take_all()
    times = []
    for step in range(600):
        door.now = step / 100
        door.admission.repeat_welcomes(door.now)
        for send in door.outbox.take_all():
            assert isinstance(send, SendMessage)
            assert isinstance(send.message, Welcome)
            assert (send.message.hello, send.destination) == (1, "address 1")
            times.append(round(door.now, 1))
    assert times[:2] == [WELCOME_S, 2 * WELCOME_S]
    assert 7 < len(times) < 12
    found(door.roster, 1).report = report(1)
    door.admission.repeat_welcomes(60.0)
    assert not door.outbox.take_all()


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
    assert (first.instance, first.turn, second.turn) == (100, 0, 0)
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
    """Its hello, repeated by somebody who heard it, must not push out the process that is here."""
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


# what a session uses


@pytest.mark.parametrize(
    ("able", "seal", "compression"),
    [
        ({}, SealKind.AES_256_GCM, Compression.ZSTD),
        ({"seals": HMAC}, SealKind.HMAC_SHA256, Compression.ZSTD),
        ({"compressions": 1 << Compression.DEFLATE}, SealKind.AES_256_GCM, Compression.DEFLATE),
    ],
)
def test_a_session_uses_the_best_that_all_targets_can_use(
    able: dict[str, Any], seal: SealKind, compression: Compression
) -> None:
    door = Door()
    door.hello(0)
    door.hello(1, **able)
    door.hello(2)
    door.settle()
    assert (door.outbox.seal, door.compressions.chosen) == (seal, compression)
    assert door.outbox.geometry == STEPS[0].geometry


def test_a_target_that_may_still_join_need_not_know_zstd() -> None:
    door = Door()
    for target in (0, 1):
        door.hello(target)
    door.settle()
    assert door.states()[2] is RosterState.EXPECTED
    assert door.compressions.chosen is Compression.DEFLATE


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"seals": HMAC}, "cannot decrypt AES-256-GCM"),
        ({"compressions": 1 << Compression.DEFLATE}, ""),
        ({"compressions": 0}, "cannot expand"),
    ],
)
def test_a_late_target_must_be_able_to_use_what_was_settled(details: dict[str, Any], reason: str) -> None:
    door = Door()
    for target in (0, 1):
        door.hello(target)
    door.settle()
    door.hello(2, **details)
    assert door.states()[2] is (RosterState.REFUSED if reason else RosterState.PRESENT)
    assert found(door.roster, 2).reason.startswith(reason)


def test_at_the_last_call_absent_targets_end() -> None:
    door = Door()
    door.hello(0)
    door.settle(is_last_call=True)
    assert door.states() == [RosterState.PRESENT, RosterState.UNREACHABLE, RosterState.UNREACHABLE]
    assert found(door.roster, 1).reason == f"nothing received within {ACK_WAIT_S:g} s"
    assert door.compressions.chosen is Compression.ZSTD  # nobody else can come


def test_without_a_live_target_nothing_is_awaited_or_chosen() -> None:
    door = Door()
    door.settle()
    assert door.states() == [RosterState.UNREACHABLE] * 3
    assert (door.outbox.seal, door.compressions.chosen) == (SealKind.NONE, None)


def test_packets_are_as_large_as_all_targets_receive() -> None:
    door = Door()
    door.hello(0)
    door.hello(1, group_bytes=SMALL.datagram_bytes)
    door.now = PROBE_S + 0.1
    door.hello(1, group_bytes=SMALL.datagram_bytes)
    door.settle()
    assert door.outbox.geometry == SMALL.geometry
    assert door.states() == [RosterState.PRESENT, RosterState.PRESENT, RosterState.EXPECTED]


def test_a_target_that_even_the_smallest_packets_do_not_reach_is_refused() -> None:
    door = Door()
    door.hello(0)
    door.hello(1, group_bytes=1)
    door.now = PROBE_S + 0.1
    for _ in range(SHORTFALLS_MIN):
        door.hello(1, group_bytes=1)
    door.settle()
    assert door.states() == [RosterState.PRESENT, RosterState.REFUSED, RosterState.EXPECTED]
    assert found(door.roster, 1).reason == f"packets of {SMALL.mtu} bytes do not reach it"
    assert door.outbox.geometry == STEPS[0].geometry  # it does not make those of the others smaller
    door.now += 1.0
    door.hello(1)
    assert door.states()[1] is RosterState.REFUSED


def test_after_the_close_nobody_is_admitted() -> None:
    door = Door()
    door.hello(0)
    door.settle()
    door.admission.close(door.now, "was too late")
    assert [found(door.roster, target).reason for target in (1, 2)] == ["was too late"] * 2
    door.hello(1)
    assert door.states() == [RosterState.PRESENT, RosterState.UNREACHABLE, RosterState.UNREACHABLE]
