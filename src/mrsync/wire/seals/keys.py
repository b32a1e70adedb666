"""Derive the keys of a session by HKDF-SHA256 (RFC 5869) from the secret that targets get at launch."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from mrsync.tuples import NamedTuple
from mrsync.wire.limits import SECRET_BYTES, SESSION_BYTES

_HASH_BYTES = 32
_KEY_BYTES = 32
_INFO = b"mrsync 1 "


def hkdf_sha256(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """Return `length` bytes of key material for one use: extract and expand of RFC 5869, which names the parameters.

    length: at most 8160.
    """
    if not 0 < length <= 255 * _HASH_BYTES:
        raise ValueError(f"HKDF cannot make {length} bytes")
    pseudorandom = hmac.digest(salt or bytes(_HASH_BYTES), secret, "sha256")
    material, block = b"", b""
    for number in range(1, -(-length // _HASH_BYTES) + 1):
        block = hmac.digest(pseudorandom, block + info + bytes([number]), "sha256")
        material += block
    return material[:length]


class SessionKeys(NamedTuple):
    """One key of 32 bytes per direction and use. repr() does not show them."""

    session: int
    cast_control: bytes  # STATUS, WELCOME, ACK, FAREWELL
    catch_control: bytes  # HELLO, ECHO, KNOCK
    reports: bytes
    pages: bytes
    hops: bytes  # keys of hops are derived from this one

    def __repr__(self) -> str:
        return f"SessionKeys(session={self.session})"

    @classmethod
    def derive(cls, secret: bytes, session: int) -> SessionKeys:
        """Return the keys of the session with this 64-bit id, which is the salt: sessions with one key file differ.

        Raise ValueError for a secret that has not 32 bytes.
        """
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a session secret has {SECRET_BYTES} bytes, not {len(secret)}")
        salt = session.to_bytes(SESSION_BYTES, "big")
        uses = (b"cast control", b"catch control", b"reports", b"pages", b"hops")
        keys = [hkdf_sha256(secret, salt=salt, info=_INFO + use, length=_KEY_BYTES) for use in uses]
        return cls(session, *keys)

    def hop_key(self, link: int) -> bytes:
        """Return the key of FEED and CLAIM on this hop. self: the keys of the parent."""
        return hmac.digest(self.hops, b"key" + link.to_bytes(4, "big"), "sha256")

    def claim_key(self, link: int, child: int) -> bytes:
        """Return the key of this child's CLAIM on the hop to an island. self: the keys of the parent."""
        return hmac.digest(self.hops, b"claim" + link.to_bytes(4, "big") + child.to_bytes(2, "big"), "sha256")

    def mask(self, link: int, key: bytes, use: bytes = b"mask") -> bytes:
        """Mask a hop's key for a child, or unmask it. self: the keys of the child. link: number of the hop.

        use: differs for each key.
        """
        pad = hmac.digest(self.hops, use + link.to_bytes(4, "big"), "sha256")
        return bytes(one ^ other for one, other in zip(key, pad))


class TargetKeys:
    """The keys of one session for each target's own secret, derived when first used.

    The master has the secrets of all targets, a target only its own. So no target can send in another one's name.
    """

    def __init__(self, secrets: Mapping[int, bytes], session: int) -> None:
        self._secrets = secrets
        self._session = session
        self._keys: dict[int, SessionKeys] = {}

    def find(self, target: int) -> SessionKeys | None:
        """Return the keys of a target by its id, or None if its secret is not known here."""
        keys = self._keys.get(target)
        if keys is None and (secret := self._secrets.get(target)) is not None:
            keys = self._keys[target] = SessionKeys.derive(secret, self._session)
        return keys
