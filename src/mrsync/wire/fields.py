"""Fields of variable length that messages and records share: numbers and texts."""

from __future__ import annotations

from mrsync.escaping import escape_controls
from mrsync.wire.header import BytesLike
from mrsync.wire.limits import TEXT_BYTES_MAX

_NUMBER_BITS_MAX = 63


def append_number(data: bytearray, number: int) -> None:
    """Append a number >= 0, 7 bits in each byte, the lowest first; a set top bit says that more follow."""
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)


def read_number(data: BytesLike, offset: int) -> tuple[int, int]:
    """Return the number at `offset`, and the offset after it. Raise ValueError if it is cut off or beyond 63 bits."""
    if offset < len(data) and data[offset] < 0x80:
        return data[offset], offset + 1  # nearly always
    number = shift = 0
    for at in range(offset, len(data)):
        byte = data[at]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at + 1
        shift += 7
        if shift > _NUMBER_BITS_MAX - 7:
            break
    raise ValueError("a number that does not end")


def encode_text(text: str) -> bytes:
    """Return a text as u16 length and UTF-8, cut to TEXT_BYTES_MAX bytes. Escape lone surrogates with backslashes."""
    encoded = text.encode("utf-8", "backslashreplace")[:TEXT_BYTES_MAX]
    return len(encoded).to_bytes(2, "big") + encoded


def read_text(data: BytesLike, offset: int) -> tuple[str, int]:
    """Return the text at `offset`, with control characters escaped, and the offset after it.

    Raise ValueError if it is too long or cut off.
    """
    start = offset + 2
    end = start + int.from_bytes(data[offset:start], "big")
    if end > len(data) or end - start > TEXT_BYTES_MAX or start > len(data):
        raise ValueError("a text that does not end")
    return escape_controls(str(data[start:end], "utf-8", "replace")), end


def require(is_true: bool) -> None:
    """Raise ValueError for a field that no honest sender sends, unless it is true."""
    if not is_true:
        raise ValueError("a message out of its limits")
