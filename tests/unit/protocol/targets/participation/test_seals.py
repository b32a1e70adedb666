"""Seals: which one a session uses, and who is refused for it."""

from __future__ import annotations

import pytest

from mrsync.protocol.targets.participation.seals import Seals
from mrsync.protocol.targets.roster import Roster
from mrsync.wire.messages import SealKind
from tests.unit.protocol.builders import GCM, HMAC, found, hello, roster


@pytest.mark.parametrize(
    ("here", "there", "must_encrypt", "refusal"),
    [
        (GCM | HMAC, HMAC, False, ""),
        (GCM | HMAC, GCM, False, ""),
        (GCM | HMAC, 0, False, "shares no seal with this session"),
        (HMAC, GCM, False, "shares no seal with this session"),
        (GCM | HMAC, HMAC, True, "cannot decrypt AES-256-GCM: python3-cryptography is missing or broken there"),
        (GCM | HMAC, GCM | HMAC, True, ""),
    ],
)
def test_seals_must_meet(here: int, there: int, must_encrypt: bool, refusal: str) -> None:
    assert Seals(here, must_encrypt=must_encrypt).refusal(hello(seals=there)) == refusal


@pytest.mark.parametrize(
    ("there", "must_encrypt", "chosen"),
    [
        ((GCM | HMAC, GCM | HMAC), False, SealKind.AES_256_GCM),
        ((GCM | HMAC, HMAC), False, SealKind.HMAC_SHA256),
        ((GCM | HMAC, GCM), True, SealKind.AES_256_GCM),
    ],
)
def test_the_best_common_seal_is_chosen(there: tuple[int, int], must_encrypt: bool, chosen: SealKind) -> None:
    known = Roster({0: "a", 1: "b"})
    for target, seals in enumerate(there):
        known.admit(found(known, target), hello(target, seals=seals), "there", 0.0)
    assert Seals(GCM | HMAC, must_encrypt=must_encrypt).choose(known.live) is chosen


def test_latecomer_must_support_the_chosen_seal() -> None:
    seals = Seals(GCM | HMAC, must_encrypt=False)
    known = Roster({0: "a"})
    known.admit(found(known, 0), hello(0, seals=GCM | HMAC), "there", 0.0)
    seals.choose(known.live)
    assert "cannot decrypt" in seals.refusal(hello(1, seals=HMAC))


def test_without_a_common_seal_something_went_wrong_before() -> None:
    known = roster(1)
    with pytest.raises(RuntimeError):
        Seals(GCM, must_encrypt=False).choose(known.live)
