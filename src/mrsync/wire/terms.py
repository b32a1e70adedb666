"""The terms of a coded packet: a list of the slices whose XOR it carries, in front of its bytes."""

from __future__ import annotations

import struct

from mrsync.wire.header import BytesLike, Header
from mrsync.wire.limits import PACKETS_PER_PAGE_MAX, PAGES_MAX, TERM_BYTES, TERM_DISTANCE_MAX, TERMS_MAX

Term = tuple[int, int]  # page, index of the packet in it

_INDEX_BITS = 6
_FORMATS = tuple(struct.Struct(f">{extra}H") for extra in range(TERMS_MAX))

assert PACKETS_PER_PAGE_MAX == 1 << _INDEX_BITS
assert TERM_DISTANCE_MAX == (1 << 8 * TERM_BYTES - _INDEX_BITS) - 1


def encode_terms(terms: tuple[Term, ...]) -> bytes:
    """Return all terms but the first, which is in the header. The first one has the lowest page.

    Raise ValueError for a number of terms other than 2 to TERMS_MAX, or a page too far from the first.
    """
    if not 2 <= len(terms) <= TERMS_MAX:
        raise ValueError(f"{len(terms)} terms do not make a coded packet")
    first = terms[0][0]
    if any(not 0 <= page - first <= TERM_DISTANCE_MAX for page, _ in terms):
        raise ValueError("the terms of a coded packet are too far apart")
    words = [page - first << _INDEX_BITS | index for page, index in terms[1:]]  # [coded-term]
    return _FORMATS[len(words)].pack(*words)


def decode_terms(header: Header, payload: BytesLike) -> list[Term] | None:
    """Return all terms of a coded packet, the header's first.

    The XOR begins at byte TERM_BYTES * (len(terms) - 1) of the payload. Return None if there are too few or too many
    terms, if one comes twice, or if a page cannot exist.
    """
    extra = header.packet_count - 1
    if not 1 <= extra < TERMS_MAX or len(payload) < TERM_BYTES * extra or header.packet_index >= PACKETS_PER_PAGE_MAX:
        return None
    first = header.page
    terms = [(first, header.packet_index)]
    terms += [
        (first + (word >> _INDEX_BITS), word & PACKETS_PER_PAGE_MAX - 1)
        for word in _FORMATS[extra].unpack_from(payload)  # [coded-term]
    ]
    if len(set(terms)) < len(terms) or max(terms)[0] >= PAGES_MAX:
        return None
    return terms
