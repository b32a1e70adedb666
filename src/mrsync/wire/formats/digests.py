"""Encode and decode DIGESTS: SHA-256 of plain pages, signed, so that no other member can have made them."""

from __future__ import annotations

import struct

from mrsync.wire.fields import require
from mrsync.wire.formats.clear import Clear
from mrsync.wire.layout import Layout
from mrsync.wire.limits import CASTER_ID, CONTROL_BODY_MAX, DIGEST_BYTES, DIGESTS_MAX, PAGES_MAX, SIGNATURE_BYTES
from mrsync.wire.messages import Digests, Kind, ObjectKind

_DIGESTS = Layout(
    ("object", "B", "digests-object"),
    ("first", "I", "digests-first"),
)
_ENTRY = struct.Struct(
    ">H"  # [digest-generation]
    f"{DIGEST_BYTES}s"  # [digest-bytes]
)
assert _DIGESTS.size + DIGESTS_MAX * _ENTRY.size + SIGNATURE_BYTES <= CONTROL_BODY_MAX


def encode_digests(message: Digests) -> tuple[Clear, bytes]:
    """Return the clear part and the body. Raise ValueError for more entries than fit."""
    require(len(message.entries) <= DIGESTS_MAX)
    clear = Clear(Kind.DIGESTS, CASTER_ID, message.counter, 0, 0)
    return clear, _DIGESTS.pack(message) + b"".join(_ENTRY.pack(*entry) for entry in message.entries)


def decode_digests(clear: Clear, body: bytes) -> Digests:
    """Return the message. Raise struct.error or ValueError for what no caster sends."""
    fields = _DIGESTS.unpack_from(body)
    entries = tuple(_ENTRY.iter_unpack(body[_DIGESTS.size :]))
    require(0 < len(entries) <= DIGESTS_MAX and fields["first"] + len(entries) <= PAGES_MAX)
    return Digests(clear.counter, ObjectKind(fields["object"]), fields["first"], entries)
