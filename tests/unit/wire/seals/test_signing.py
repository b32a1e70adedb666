"""Signatures, by the test vectors of RFC 8032."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from mrsync.wire.seals import signing
from mrsync.wire.seals.ed25519 import PublicKey
from mrsync.wire.seals.signing import SEED_BYTES, Signer, Verifier, can_sign

pytestmark = pytest.mark.skipif(not can_sign(), reason="needs the package cryptography")

SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.fixture(params=[True, False], ids=["cryptography", "no package"])
def verifier_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Verifier]:
    """Return what makes a verifier, on a host with and without the package."""

    def make(public: bytes) -> Verifier:
        with monkeypatch.context() as patched:
            if not request.param:
                patched.setattr("mrsync.wire.seals.signing._working_library", lambda: None)
            return Verifier(public)

    return make


def test_it_is_ed25519(verifier_of: Callable[[bytes], Verifier]) -> None:
    signer = Signer(SEED)
    assert signer.public == PUBLIC
    assert signer.sign(b"\x72") == SIGNATURE
    assert verifier_of(PUBLIC).is_signed(b"\x72", SIGNATURE)


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
def test_both_verifiers_agree(seed: bytes, message: bytes, bit: int) -> None:
    signer = Signer(seed)
    signature = signer.sign(message)
    bent = bytearray(signature)
    bent[bit >> 3] ^= 1 << (bit & 7)
    verifier = PublicKey(signer.public)
    assert verifier.is_signed(message, signature)
    assert not verifier.is_signed(message + b"x", signature)
    assert not verifier.is_signed(message, bytes(bent))


def test_a_signature_has_one_form_only(verifier_of: Callable[[bytes], Verifier]) -> None:
    """A scalar with the order added would be as right."""
    scalar = int.from_bytes(SIGNATURE[32:], "little") + ORDER
    assert not verifier_of(PUBLIC).is_signed(b"\x72", SIGNATURE[:32] + scalar.to_bytes(32, "little"))


def test_another_message_or_key_or_signature_is_not_right(verifier_of: Callable[[bytes], Verifier]) -> None:
    verifier = verifier_of(PUBLIC)
    assert not verifier.is_signed(b"\x73", SIGNATURE)
    assert not verifier.is_signed(b"\x72", bytes(64))
    assert not verifier.is_signed(b"\x72", SIGNATURE[:-1])
    assert not verifier_of(Signer(bytes(SEED_BYTES)).public).is_signed(b"\x72", SIGNATURE)


def test_a_repeated_signature_is_not_checked_again(
    verifier_of: Callable[[bytes], Verifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed messages can be repeated without a key; a check takes longer than all else that a message costs."""
    checks: list[bytes] = []
    is_right = Verifier._is_right

    def count(verifier: Verifier, data: bytes, signature: bytes) -> bool:
        checks.append(data)
        return is_right(verifier, data, signature)

    monkeypatch.setattr(Verifier, "_is_right", count)
    monkeypatch.setattr(signing, "KNOWN_MAX", 2)
    verifier, signer = verifier_of(PUBLIC), Signer(SEED)
    first, second, third = ((data, signer.sign(data)) for data in (b"1", b"2", b"3"))
    assert all(verifier.is_signed(*each) for each in (first, first, second, first, second))
    assert checks == [b"1", b"2"]
    assert not verifier.is_signed(b"2", first[1])
    assert not verifier.is_signed(b"2", first[1])
    assert not verifier.is_signed(first[1] + b"1", b"")
    assert checks[2:] == [b"2", b"2", first[1] + b"1"], "a wrong signature is never known"
    assert verifier.is_signed(*third)
    assert verifier.is_signed(*second)
    assert verifier.is_signed(*first)
    assert checks[5:] == [b"3", b"1"], "the oldest is forgotten"


def test_invalid_keys_are_refused(verifier_of: Callable[[bytes], Verifier]) -> None:
    with pytest.raises(ValueError, match="32"):
        verifier_of(b"short")
