"""Sign and verify with Ed25519. Unlike with a shared secret, verifiers cannot sign. Signing needs `cryptography`."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from mrsync.errors import MrsyncError, describe_shortage

SEED_BYTES = KEY_BYTES = 32
KNOWN_MAX = 4096  # signatures that a verifier remembers: those of a minute, in half a megabyte


class Signer:
    """The master's key pair of one run, made from a random seed. Needs `cryptography`."""

    def __init__(self, seed: bytes) -> None:
        library = _working_library()
        if library is None:
            raise ValueError("signatures need the Python package cryptography")
        self._key = library.private_key.from_private_bytes(seed)
        self.public = library.raw(self._key.public_key())  # for Verifier; KEY_BYTES

    def sign(self, data: bytes) -> bytes:
        """Return a signature of SIGNATURE_BYTES bytes."""
        signature: bytes = self._key.sign(data)
        return signature


class Verifier:
    """The public key of a Signer, on targets. Raise ValueError for an invalid key.

    Without `cryptography` a check takes half a millisecond instead of a tenth. Anyone can repeat signed messages, so
    those that were checked lately are known, and cost only a hash.
    """

    def __init__(self, public: bytes) -> None:
        library = _working_library()
        self._library = library
        self._known: dict[bytes, None] = {}  # hashes of right signatures with what they sign, the oldest first
        if library is None:
            from mrsync.wire.seals.ed25519 import PublicKey  # few hosts need it

            self._key: Any = PublicKey(public)
        else:
            self._key = library.public_key.from_public_bytes(public)

    def is_signed(self, data: bytes, signature: bytes) -> bool:
        """Return whether the master signed this."""
        known = hashlib.sha256(len(signature).to_bytes(8, "big") + signature + data).digest()
        if known in self._known:
            return True
        if not self._is_right(data, signature):
            return False
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[known] = None
        return True

    def _is_right(self, data: bytes, signature: bytes) -> bool:
        if self._library is None:
            return bool(self._key.is_signed(data, signature))
        try:
            self._key.verify(signature, data)
        except self._library.invalid:
            return False
        return True


def can_sign() -> bool:
    """Return whether this host can make signatures. It is tried once. Every host can check them."""
    return _working_library() is not None


class _Library:
    """The used parts of `cryptography`. Raise ImportError, or whatever a broken installation raises."""

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
        """Return whether a signature verifies, and a wrong one does not."""
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
    """Return the library, or None: a package that does not work counts as none, whatever is wrong with it.

    Raise what `describe_shortage` describes.
    """
    try:
        library = _Library()
        return library if library.works() else None
    except MrsyncError:
        raise  # a signal ends the command
    except BaseException as error:  # its Rust part panics if its C part is missing, with no Exception
        is_broken = isinstance(error, Exception) or type(error).__name__ == "PanicException"
        if is_broken and not describe_shortage(error):
            return None
        raise
