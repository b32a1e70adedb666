"""HKDF against the vectors of RFC 5869; keys that differ by use, session and secret."""

from __future__ import annotations

import pytest

from mrsync.wire.seals.keys import SessionKeys, hkdf_sha256
from tests.unit.wire.samples import KEYS, SECRET, SESSION


@pytest.mark.parametrize(
    ("secret", "salt", "info", "material"),
    [
        (  # RFC 5869, A.1
            b"\x0b" * 22,
            bytes(range(0x0D)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (  # A.2
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (  # A.3
            b"\x0b" * 22,
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_vectors_of_rfc_5869(secret: bytes, salt: bytes, info: bytes, material: str) -> None:
    expected = bytes.fromhex(material)
    assert hkdf_sha256(secret, salt=salt, info=info, length=len(expected)) == expected


@pytest.mark.parametrize("length", [0, 255 * 32 + 1])
def test_hkdf_has_limits(length: int) -> None:
    with pytest.raises(ValueError, match="HKDF"):
        hkdf_sha256(SECRET, salt=b"", info=b"", length=length)


def test_every_key_is_another() -> None:
    others = [SessionKeys.derive(SECRET, SESSION + 1), SessionKeys.derive(bytes(32), SESSION)]
    keys = [
        key for each in (KEYS, *others) for key in (each.cast_control, each.catch_control, each.reports, each.pages)
    ]
    assert len(set(keys)) == 12
    assert {len(key) for key in keys} == {32}
    assert SessionKeys.derive(SECRET, SESSION) == KEYS


def test_keys_are_never_shown() -> None:
    assert repr(KEYS) == f"SessionKeys(session={SESSION})"


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SessionKeys.derive(bytes(length), SESSION)
