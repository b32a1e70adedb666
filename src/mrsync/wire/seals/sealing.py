"""Seal with AES-256-GCM if both ends have `cryptography`, else with HMAC-SHA256: authenticated, but not encrypted."""

from __future__ import annotations

import hmac
import struct
from functools import cache
from typing import Any, Callable, Protocol

from mrsync.errors import MrsyncError, describe_shortage
from mrsync.tuples import NamedTuple
from mrsync.wire.header import BytesLike
from mrsync.wire.limits import SESSION_BYTES, TAG_BYTES
from mrsync.wire.messages import SealKind
from mrsync.wire.seals.keys import SessionKeys

_PAGE_NONCE = struct.Struct(
    ">B"  # [page-nonce-object]
    "H"  # [page-nonce-segment]
    "I"  # [page-nonce-page]
    "H"  # [page-nonce-generation]
    "3x"  # [page-nonce-zero]
)
_PAGE_CONTEXT = struct.Struct(
    f">{SESSION_BYTES}s"  # [page-context-session]
    "B"  # [page-context-object]
    "H"  # [page-context-segment]
    "I"  # [page-context-page]
    "H"  # [page-context-generation]
    "B"  # [page-context-count]
)


class Sealer(Protocol):
    """Seal bytes under one key.

    nonce: 12 bytes; none may ever seal two different texts. context: is authenticated too, and must determine the
    nonce.
    """

    def seal(self, data: BytesLike, *, nonce: bytes, context: bytes) -> bytes:
        """Return the data, encrypted if this seal encrypts, and a tag of TAG_BYTES."""

    def seal_into(self, room: memoryview, data: BytesLike, *, nonce: bytes, context: bytes) -> None:
        """Like `seal`, but into `room`, which has TAG_BYTES more than the data."""

    def open(self, sealed: BytesLike, *, nonce: bytes, context: bytes) -> bytes | None:
        """Return the data in a new bytes object, or None if the seal is not valid."""


class HmacSealer:
    """HMAC-SHA256 over context and data, cut to 128 bits. The data stays readable. Needs only the standard library."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hmac.new(key, digestmod="sha256")

    def seal(self, data: BytesLike, *, nonce: bytes, context: bytes) -> bytes:
        return b"".join((data, self._tag(context, data)))

    def seal_into(self, room: memoryview, data: BytesLike, *, nonce: bytes, context: bytes) -> None:
        room[:-TAG_BYTES] = data
        room[-TAG_BYTES:] = self._tag(context, data)

    def open(self, sealed: BytesLike, *, nonce: bytes, context: bytes) -> bytes | None:
        data = bytes(memoryview(sealed)[:-TAG_BYTES])
        is_ours = hmac.compare_digest(self._tag(context, data), bytes(sealed[-TAG_BYTES:]))
        return data if is_ours else None

    def _tag(self, context: bytes, data: BytesLike) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(context)
        keyed.update(data)  # beyond 2 KB this releases the interpreter's lock
        return keyed.digest()[:TAG_BYTES]


class GcmSealer:
    """AES-256-GCM. Raise ValueError if `cryptography` does not work on this host."""

    def __init__(self, key: bytes) -> None:
        library = _working_library()
        if library is None:
            raise ValueError("AES-256-GCM needs the Python package cryptography")
        self._library = library
        self._cipher = library.aes_gcm(key)
        self._encrypt_into = getattr(self._cipher, "encrypt_into", None)

    def seal(self, data: BytesLike, *, nonce: bytes, context: bytes) -> bytes:
        sealed: bytes = self._cipher.encrypt(nonce, self._library.accepted(data), context)
        return sealed

    def seal_into(self, room: memoryview, data: BytesLike, *, nonce: bytes, context: bytes) -> None:
        if self._encrypt_into is None:  # cryptography before 45
            room[:] = self.seal(data, nonce=nonce, context=context)
        else:
            self._encrypt_into(nonce, data, context, room)

    def open(self, sealed: BytesLike, *, nonce: bytes, context: bytes) -> bytes | None:
        try:
            data: bytes = self._cipher.decrypt(nonce, self._library.accepted(sealed), context)
        except self._library.invalid_tag:
            return None
        return data


class PageSealer:
    """Seal and open the pages of one session."""

    def __init__(self, keys: SessionKeys, kind: SealKind) -> None:
        self._sealer = sealer(kind, keys.pages)
        self._session = keys.session.to_bytes(SESSION_BYTES, "big")

    def seal(self, data: BytesLike, *, object: int, page: int, generation: int, count: int) -> bytes:
        """Return the sealed page, which is TAG_BYTES longer than its data.

        object, page: its place. A page that is read again may differ, and must get a new generation. count: packets of
        the sealed page.
        """
        nonce = _PAGE_NONCE.pack(object, 0, page, generation)
        context = _PAGE_CONTEXT.pack(self._session, object, 0, page, generation, count)
        return self._sealer.seal(data, nonce=nonce, context=context)

    def seal_into(
        self, room: memoryview, data: BytesLike, *, object: int, page: int, generation: int, count: int
    ) -> None:
        """Like `seal`, but into `room`, which has TAG_BYTES more than the data."""
        nonce = _PAGE_NONCE.pack(object, 0, page, generation)
        context = _PAGE_CONTEXT.pack(self._session, object, 0, page, generation, count)
        self._sealer.seal_into(room, data, nonce=nonce, context=context)

    def open(self, sealed: BytesLike, *, object: int, page: int, generation: int, count: int) -> bytes | None:
        """Return the page's data in a new bytes object, or None if any byte or number of it is not as sealed."""
        nonce = _PAGE_NONCE.pack(object, 0, page, generation)
        context = _PAGE_CONTEXT.pack(self._session, object, 0, page, generation, count)
        return self._sealer.open(sealed, nonce=nonce, context=context)


def sealer(kind: SealKind, key: bytes) -> Sealer:
    """Return a sealer of this kind. Raise ValueError for NONE, or for AES_256_GCM without `cryptography`."""
    if kind == SealKind.AES_256_GCM:
        return GcmSealer(key)
    if kind == SealKind.HMAC_SHA256:
        return HmacSealer(key)
    raise ValueError("a seal must be chosen first")


def has_aes_gcm() -> bool:
    """Return whether AES-256-GCM works on this host. It is tried once."""
    return _working_library() is not None


def seals_here() -> int:
    """Return the seals of this host as a bit set (1 << SealKind), as in HELLO."""
    kinds = [SealKind.HMAC_SHA256, SealKind.ED25519]
    kinds += [SealKind.AES_256_GCM] * has_aes_gcm()
    return sum(1 << kind for kind in kinds)


class _Library(NamedTuple):
    """The used parts of `cryptography`. accepted: converts a buffer to one that its ciphers accept."""

    aes_gcm: Any
    invalid_tag: type[Exception]
    accepted: Callable[[BytesLike], BytesLike]

    def works(self) -> bool:
        """Return whether a page can be sealed and opened, and a damaged one is rejected."""
        cipher, nonce, page = self.aes_gcm(bytes(32)), bytes(12), bytes(64)
        sealed = bytearray(cipher.encrypt(nonce, self.accepted(memoryview(page)), b"context"))
        if cipher.decrypt(nonce, self.accepted(memoryview(sealed)), b"context") != page:
            return False
        sealed[0] ^= 1
        try:
            cipher.decrypt(nonce, self.accepted(memoryview(sealed)), b"context")
        except self.invalid_tag:
            return True
        return False


@cache
def _working_library() -> _Library | None:
    """Return `cryptography`, or None if it does not work here. Import it late: that takes longer than a small sync.

    Raise what `describe_shortage` describes.
    """
    for accepted in (_as_it_is, bytes):  # before version 40, ciphers accept only bytes
        try:
            library = _import_library(accepted)
            if library.works():
                return library
        except MrsyncError:
            raise  # a signal ends the command
        except Exception as error:  # a package that does not work counts as none
            if describe_shortage(error):
                raise
    return None


def _import_library(accepted: Callable[[BytesLike], BytesLike]) -> _Library:
    """Import it. Raise ImportError, or whatever a broken installation raises."""
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except BaseException as error:  # its Rust part panics if its C part is missing, with no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise ImportError("cryptography is broken") from error
    return _Library(AESGCM, InvalidTag, accepted)


def _as_it_is(data: BytesLike) -> BytesLike:
    return data
