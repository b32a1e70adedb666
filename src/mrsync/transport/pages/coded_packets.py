"""The bytes of coded packets: a header with the first term, the other terms, and the XOR of the slices of all."""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.wire.header import BytesLike, Header, pack_header
from mrsync.wire.limits import CASTER_ID
from mrsync.wire.messages import Kind
from mrsync.wire.terms import encode_terms

Slice = tuple[int, int, BytesLike]  # page, packet index, payload of the packet


def coded_packet(
    slices: Iterable[Slice], slice_bytes: int, *, session_tag: int, object: int, generation: int, tx: int
) -> tuple[bytes, bytes]:
    """Return the header of a coded packet, and what follows it. slices: of pages of this object and generation."""
    ordered = sorted(slices, key=lambda part: part[:2])
    terms = tuple((page, index) for page, index, _ in ordered)
    header = Header(
        kind=Kind.CODED,
        packet_index=terms[0][1],
        packet_count=len(terms),
        object=object,
        segment=0,
        session_tag=session_tag,
        generation=generation,
        sender=CASTER_ID,
        page=terms[0][0],
        tx=tx,
    )
    return pack_header(header), encode_terms(terms) + xor_slices((data for _, _, data in ordered), slice_bytes)


def xor_slices(slices: Iterable[BytesLike], slice_bytes: int) -> bytes:
    """Return the XOR of slices. Shorter ones are padded with zeros to slice_bytes."""
    total = 0
    for data in slices:
        total ^= int.from_bytes(data, "little")  # in little-endian, padding at the end does not change the number
    return total.to_bytes(slice_bytes, "little")
