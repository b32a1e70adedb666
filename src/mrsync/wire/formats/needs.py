"""Encode and decode what a catcher needs of an object. The most common loss, one packet of a page, takes two bytes."""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.wire.fields import append_number, read_number
from mrsync.wire.header import BytesLike
from mrsync.wire.limits import PACKETS_PER_PAGE_MAX, PAGES_MAX

Need = tuple[int, int, int]  # page, run, mask: `run` whole pages (mask 0), or the packets in mask of one page (run 1)

_BITMAP = PACKETS_PER_PAGE_MAX  # bytes below are packet indices; _BITMAP + n announces n bytes of bitmap
_BITMAP_BYTES_MAX = PACKETS_PER_PAGE_MAX // 8


def encode_needs(entries: Iterable[Need], *, first: int, end: int, room: int) -> tuple[bytes, int]:
    """Return as many needs as fit into `room` bytes, and the page up to which they are complete.

    entries: sorted by page, not overlapping, within the pages [first, end).
    """
    data = bytearray()
    previous_end = first
    for page, run, mask in entries:
        kept = len(data)
        append_number(data, page - previous_end << 1 | (mask != 0))  # [need-gap]
        if mask == 0:
            append_number(data, run - 1)  # [need-run]
        elif mask & mask - 1 == 0:
            data.append(mask.bit_length() - 1)  # [need-packet]
        else:
            width = mask.bit_length() + 7 >> 3
            data.append(_BITMAP + width)  # [need-width]
            data += mask.to_bytes(width, "big")  # [need-bitmap]
        if len(data) > room:
            return bytes(data[:kept]), page
        previous_end = page + run
    return bytes(data), end


def decode_needs(data: BytesLike, *, first: int, end: int) -> tuple[Need, ...]:
    """Return the needs in `data`, which covers the pages [first, end). Raise ValueError if they are not in there."""
    if not first <= end <= PAGES_MAX:
        raise ValueError("needs of no pages")
    entries = []
    offset, size, previous_end = 0, len(data), first
    while offset < size:
        head, offset = read_number(data, offset)  # [need-gap]
        page = previous_end + (head >> 1)
        if head & 1:
            mask, offset = _read_mask(data, offset)
            previous_end = page + 1
            entries.append((page, 1, mask))
        else:
            more, offset = read_number(data, offset)  # [need-run]
            previous_end = page + more + 1
            entries.append((page, more + 1, 0))
    if previous_end > end:
        raise ValueError("needs beyond their end")
    return tuple(entries)


def _read_mask(data: BytesLike, offset: int) -> tuple[int, int]:
    """Return the missing packets of one page as a mask, and the offset after them."""
    if offset >= len(data):
        raise ValueError("a need that does not end")
    head = data[offset]
    offset += 1
    if head < _BITMAP:
        return 1 << head, offset  # [need-packet]
    width = head - _BITMAP  # [need-width]
    mask = int.from_bytes(data[offset : offset + width], "big")  # [need-bitmap]
    if width > _BITMAP_BYTES_MAX or mask >> 8 * (width - 1) == 0 or mask & mask - 1 == 0:
        raise ValueError("a bitmap that is too wide, cut off, or of less than two packets")
    return mask, offset + width
