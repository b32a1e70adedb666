"""Signatures: Ed25519. Who can check one cannot make one, unlike with a shared secret. Signing needs `cryptography`."""

from __future__ import annotations

from functools import cache
from typing import Any

from mrsync.errors import MrsyncError

SEED_BYTES = KEY_BYTES = 32


class Signer:
    """The master's key pair of one run, from a random seed; needs `cryptography`."""

    def __init__(self, seed: bytes) -> None:
        library = _working_library()
        if library is None:
            raise ValueError("signatures need the Python package cryptography")
        self._key = library.private_key.from_private_bytes(seed)
        self.public = library.raw(self._key.public_key())  # for Verifier; KEY_BYTES

    def sign(self, data: bytes) -> bytes:
        """SIGNATURE_BYTES."""
        signature: bytes = self._key.sign(data)
        return signature


class Verifier:
    """What the targets are told of a Signer; ValueError for what is no public key.

    Without `cryptography` a check takes half a millisecond instead of a tenth.
    """

    def __init__(self, public: bytes) -> None:
        library = _working_library()
        self._library = library
        if library is None:
            from mrsync.wire.ed25519 import PublicKey  # few hosts need it

            self._key: Any = PublicKey(public)
        else:
            self._key = library.public_key.from_public_bytes(public)

    def is_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether the master signed this."""
        if self._library is None:
            return bool(self._key.is_signed(data, signature))
        try:
            self._key.verify(signature, data)
        except self._library.invalid:
            return False
        return True


def can_sign() -> bool:
    """Whether this host can make signatures: it was tried. Every host can check them."""
    return _working_library() is not None


class _Library:
    """What is used of `cryptography`; raises ImportError, and what else a broken installation raises."""

    def __init__(self) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

        self.invalid: type[Exception] = InvalidSignature
        self.private_key: Any = Ed25519PrivateKey
        self.public_key: Any = Ed25519PublicKey

    def raw(self, public: Any) -> bytes:
        """Return the 32 bytes of a public key."""
        try:
            found: bytes = public.public_bytes_raw()
        except AttributeError:  # cryptography before 40
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # takes 20 ms

            found = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return found

    def works(self) -> bool:
        """Whether a signature is right, and a damaged one is noticed."""
        key = self.private_key.from_private_bytes(bytes(SEED_BYTES))
        public = self.public_key.from_public_bytes(self.raw(key.public_key()))
        public.verify(key.sign(b"page"), b"page")
        try:
            public.verify(key.sign(b"page"), b"cage")
        except self.invalid:
            return True
        return False


@cache
def _working_library() -> _Library | None:
    """As sealing has it: whatever is wrong with the package, this host is one that has none."""
    try:
        library = _Library()
        return library if library.works() else None
    except MrsyncError:
        raise  # a signal ends the command
    except BaseException as error:  # its Rust part panics where its C part is missing, beside all Exceptions
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            return None
        raise
