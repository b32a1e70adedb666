"""The header of every packet, 24 bytes, and the headers of whole bursts."""

from __future__ import annotations

import struct
from typing import Union

from mrsync.tuples import NamedTuple
from mrsync.wire.limits import CASTER_ID, HEADER_BYTES, MAGIC, PACKETS_PER_PAGE_MAX, VERSION
from mrsync.wire.messages import Kind

BytesLike = Union[bytes, bytearray, memoryview]

_FORMAT = struct.Struct(
    ">B"  # [header-magic]
    "B"  # [header-version]
    "B"  # [header-kind]
    "B"  # [header-index]
    "B"  # [header-count]
    "B"  # [header-object]
    "H"  # [header-segment]
    "I"  # [header-session]
    "H"  # [header-generation]
    "H"  # [header-sender]
    "I"  # [header-page]
    "I"  # [header-tx]
)
_FIELDS = struct.Struct(">2x" + _FORMAT.format[3:])
_INDEX_AT = 3
_INDICES = bytes(range(PACKETS_PER_PAGE_MAX))


class Header(NamedTuple):
    """A packet's header without magic and version. The meaning of its fields depends on the kind (messages.Kind).

    PAGE: the packet with index packet_index of packet_count packets. CODED: page and packet_index are the first term,
    packet_count is the number of terms. Control messages: packet_count is the SealKind, page the counter.
    """

    kind: int
    packet_index: int
    packet_count: int
    object: int
    segment: int
    session_tag: int
    generation: int
    sender: int
    page: int
    tx: int


def session_tag(session: int) -> int:
    """Return the upper 32 bits of a session id. They distinguish sessions without a key."""
    return session >> 32


def pack_header(header: Header) -> bytes:
    """Return the header as 24 bytes. Raise struct.error if a field is out of its range."""
    return _FORMAT.pack(MAGIC, VERSION, *header)


def unpack_header(packet: BytesLike) -> Header | None:
    """Return the header of a packet, or None if it is too short, not of mrsync, or of another version."""
    if len(packet) < HEADER_BYTES or packet[0] != MAGIC or packet[1] != VERSION:
        return None
    return Header._make(_FIELDS.unpack_from(packet))


def is_other_version(packet: BytesLike) -> bool:
    """Return whether this is a packet of mrsync of another version."""
    return len(packet) >= 2 and packet[0] == MAGIC and packet[1] != VERSION


def version_notice() -> bytes:
    """Return a bare header. A program of another version that receives it learns that there are two of them."""
    return pack_header(Header(Kind.KNOCK, *(0,) * (len(Header._fields) - 1)))


def is_version_notice(packet: BytesLike) -> bool:
    """Return whether this is the bare header of another version. Random packets hardly ever are."""
    return is_other_version(packet) and packet[2:] == version_notice()[2:]


def page_headers(
    *,
    session_tag: int,
    object: int,
    page: int,
    generation: int,
    count: int,
    tx: int,
    indices: bytes | None = None,
    sender: int = CASTER_ID,
) -> bytearray:
    """Return the headers of one page's burst, back to back.

    The fields are those of Header. count: packets of the page. indices: one byte for each packet to send, in order;
    None for all of them.
    """
    chosen = _INDICES[:count] if indices is None else indices
    first = _FORMAT.pack(MAGIC, VERSION, Kind.PAGE, 0, count, object, 0, session_tag, generation, sender, page, tx)
    headers = bytearray(first) * len(chosen)
    headers[_INDEX_AT::HEADER_BYTES] = chosen
    return headers
