"""What the user is told of targets: folded, at the right level, and kept for the report where it is a warning."""

from __future__ import annotations

import pytest

from mrsync.protocol.core.states import TargetTrigger
from mrsync.protocol.targets.roster import Roster
from mrsync.run.cast.notices import Notices
from mrsync.run.observer import Notice, Snapshot
from mrsync.run.rendezvous import Rendezvous
from mrsync.run.settings import CastSettings
from mrsync.transport.pages.bursts import BurstStatistics
from mrsync.wire.messages import SealKind
from mrsync.wire.seals.sealing import seals_here
from mrsync.wire.seals.signing import can_sign
from tests.unit.protocol.builders import found, hello

NAMES = ("n1", "n2", "n3")


class Listener:
    due_at = None

    def __init__(self) -> None:
        self.heard: list[Notice] = []

    def on_notice(self, notice: Notice) -> None:
        self.heard.append(notice)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        raise AssertionError("none is due")


def notices(
    *,
    routed: tuple[int, ...] = (),
    is_encrypted: bool | None = None,
    dest: bytes = b"/d",
    names: tuple[str, ...] = NAMES,
) -> tuple[Notices, Listener]:
    settings = CastSettings(b"/s", dest, names, None, bytes(32), is_encrypted=is_encrypted)
    rendezvous = Rendezvous("239.1.2.3", 8888, 1, False, (), (None,) * len(names), routed)
    listener = Listener()
    return Notices(settings, rendezvous, listener), listener


def ended(trigger: TargetTrigger, reason: str, *numbers: int) -> Roster:
    roster = Roster(dict(enumerate(NAMES)))
    for number in numbers:
        if trigger is not TargetTrigger.ABSENCE:
            roster.admit(found(roster, number), hello(number), "home", 0.0)
        roster.end(found(roster, number), trigger, reason, 1.0)
    return roster


@pytest.mark.parametrize(
    ("trigger", "state"), [(TargetTrigger.ABSENCE, "unreachable"), (TargetTrigger.REFUSAL, "refused")]
)
def test_targets_refused_for_one_reason_share_a_line(trigger: TargetTrigger, state: str) -> None:
    told, listener = notices()
    roster = ended(trigger, "no route", 0, 1, 2)
    for number in range(3):
        told.on_target_lost(found(roster, number))
    assert listener.heard == []
    told.tell_roll()
    told.tell_roll()
    assert listener.heard == [Notice(0, f"{state}: no route", "n[1-3]")]
    assert told.warnings == []


@pytest.mark.parametrize(
    ("count", "heard"),
    [(2, [Notice(1, "joined", "n1"), Notice(1, "joined", "n2")]), (9, [Notice(1, "joined", "n[1-9]")])],
)
def test_many_targets_that_join_are_one_line(count: int, heard: list[Notice]) -> None:
    names = tuple(f"n{number}" for number in range(1, count + 1))
    told, listener = notices(names=names)
    for name in names:
        told.on_target_joined(name)
    assert listener.heard == (heard if count == 2 else [])
    told.tell_roll()
    told.tell_roll()
    assert listener.heard == heard


def test_a_name_in_dest_keeps_no_targets_apart() -> None:
    told, listener = notices(dest=b"/d/{host}")
    for number, name in enumerate(("n1", "n2")):
        roster = ended(TargetTrigger.REFUSAL, f"no /d/{name} there", number)
        told.on_target_lost(found(roster, number))
    told.tell_roll()
    assert listener.heard == [Notice(0, "refused: no /d/{host} there", "n[1-2]")]


def test_a_router_is_named_to_those_that_hear_nothing_behind_it() -> None:
    told, listener = notices(routed=(1, 2))
    roster = ended(TargetTrigger.ABSENCE, "nothing received within 60 s", 0, 1)
    for number in (0, 1):
        told.on_target_lost(found(roster, number))
    told.tell_roll()
    assert told.warnings == ["n2: behind a router, which passes no multicast with TTL 1 (-T)"]
    assert listener.heard[-1] == Notice(0, told.warnings[0])


def test_a_target_that_could_not_be_started_is_not_warned_of_a_router() -> None:
    told, _ = notices(routed=(1, 2))
    roster = Roster(dict(enumerate(NAMES)))
    roster.end(found(roster, 1), TargetTrigger.FAILURE, "no route to host", 1.0)
    told.on_target_lost(found(roster, 1))
    told.tell_roll()
    assert told.warnings == []


def test_ends_of_targets_are_not_reported_after_an_interrupt() -> None:
    told, listener = notices()
    roster = ended(TargetTrigger.SILENCE, "silent for 60 s", 0, 1)
    told.on_target_lost(found(roster, 0))
    told.is_interrupted = True
    told.on_target_lost(found(roster, 1))
    assert [(notice.level, notice.host) for notice in listener.heard] == [(0, "n1"), (2, "n2")]


def test_that_this_host_could_not_send_is_told_once() -> None:
    told, sent = notices()[0], BurstStatistics()
    told.tell_unsent(sent)
    assert told.warnings == []
    sent.failures, sent.last_failure = 3, "Message too long"
    told.tell_unsent(sent)
    told.tell_unsent(sent)
    assert told.warnings == ["sends failed on this host (3): Message too long"]


def test_targets_without_encryption_are_named_unless_requested() -> None:
    roster = Roster(dict(enumerate(NAMES)))
    for number, seals in enumerate((seals_here(), 1 << SealKind.HMAC_SHA256)):
        roster.admit(found(roster, number), hello(number, seals=seals), "home", 0.0)
    told, _ = notices()
    told.tell_seal(SealKind.AES_256_GCM, roster.live)
    assert told.warnings == []
    told.tell_seal(SealKind.HMAC_SHA256, roster.live)
    assert "cryptography is missing or broken on n2; install" in told.warnings[0]
    told, _ = notices(is_encrypted=False)
    told.tell_seal(SealKind.HMAC_SHA256, roster.live)
    assert told.warnings == []


def trust_of(remote_shell: str | None, own_secrets: tuple[bytes, ...] = ()) -> list[str]:
    """What is told of trust in a session that was started by this remote shell."""
    settings = CastSettings(b"/s", b"/d", NAMES, remote_shell, bytes(32), own_secrets=own_secrets)
    listener = Listener()
    told = Notices(settings, Rendezvous("239.1.2.3", 8888, 1, False, (), (None,) * len(NAMES), ()), listener)
    told.tell_trust()
    assert {notice.level for notice in listener.heard} <= {1}
    return [notice.text for notice in listener.heard]


def test_trusting_targets_are_a_notice() -> None:
    own = (bytes(32),) * len(NAMES)
    if can_sign():
        assert trust_of("ssh", own) == []
    (text,) = trust_of("ssh")
    assert text.startswith("targets trust each other")
    assert trust_of("local") == trust_of(None) == []
