"""Signatures, by the test vectors of RFC 8032."""

from __future__ import annotations

import pytest

from mrsync.wire.signing import SEED_BYTES, Signer, Verifier, can_sign

pytestmark = pytest.mark.skipif(not can_sign(), reason="needs the package cryptography")

SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_it_is_ed25519() -> None:
    signer = Signer(SEED)
    assert signer.public == PUBLIC
    assert signer.sign(b"\x72") == SIGNATURE
    assert Verifier(PUBLIC).is_signed(b"\x72", SIGNATURE)


def test_another_message_or_key_or_signature_is_not_right() -> None:
    verifier = Verifier(PUBLIC)
    assert not verifier.is_signed(b"\x73", SIGNATURE)
    assert not verifier.is_signed(b"\x72", bytes(64))
    assert not verifier.is_signed(b"\x72", SIGNATURE[:-1])
    assert not Verifier(Signer(bytes(SEED_BYTES)).public).is_signed(b"\x72", SIGNATURE)


def test_invalid_key_files_are_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        Verifier(b"short")
