"""Pack columns, strings and numbers into one compressed byte string, and unpack it without trusting it."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Iterable
from itertools import islice

from mrsync.errors import LimitError, ProtocolDataError, ProtocolVersionError

NUMBER = struct.Struct("<Q")
SECTION = struct.Struct("<QQ")  # bytes unpacked, bytes packed
UNPACKED_BYTES_MAX = 4 << 30  # of all sections together
# No section expands further, so that what arrives bounds the memory and the time that it costs. Honest columns that
# do are padded: owners and modes that are all alike then take 0.6 bytes for each entry.
EXPANSION_MAX = 16
_UNPADDED_BYTES_MAX = 1024  # of a section that may expand as far as it likes
_PADDING = b"\0\0\0\xff\xff"  # an empty block that is stored (RFC 1951)
_MUST_SWAP = sys.byteorder != "little"
_JOINED_AT_ONCE = 4096
_PACKED_AT_ONCE = 1 << 18  # bytes: zlib takes twice as many until it is done with them


def joined(values: Iterable[bytes], separator: bytes = b"") -> bytes:
    """Join any number of byte strings. bytes.join takes 80 bytes for each of its own until it is done."""
    left = iter(values)
    parts = []
    while some := list(islice(left, _JOINED_AT_ONCE)):
        parts.append(separator.join(some))
    return separator.join(parts)


class Packer:
    """Write sections, which `Unpacker` reads in the same order. level: of zlib, 0 to 9.

    LimitError for more than `Unpacker` takes.
    """

    def __init__(self, magic: bytes, level: int = 1) -> None:
        self._parts = [magic]
        self._level = level
        self._budget = UNPACKED_BYTES_MAX

    def number(self, value: int) -> None:
        """Write an integer with 0 <= value < 2**64."""
        self._parts.append(NUMBER.pack(value))

    def blob(self, data: bytes | bytearray | memoryview) -> None:
        self._budget -= len(data)
        if self._budget < 0:
            raise LimitError(
                f"the list of entries takes more than {UNPACKED_BYTES_MAX >> 30} GiB; sync parts of SOURCE"
            )
        packer = zlib.compressobj(self._level)
        view = memoryview(data)
        chunks = [packer.compress(view[at : at + _PACKED_AT_ONCE]) for at in range(0, len(view), _PACKED_AT_ONCE)]
        if len(data) > _UNPADDED_BYTES_MAX:
            chunks.append(packer.flush(zlib.Z_SYNC_FLUSH))
            missing = _packed_bytes_min(len(data)) - sum(map(len, chunks))
            chunks.append(_PADDING * -(-missing // len(_PADDING)))
        chunks.append(packer.flush())
        self._parts += (SECTION.pack(len(data), sum(map(len, chunks))), *chunks)

    def object(self, data: bytes) -> None:
        """Write bytes that are packed already."""
        self._parts += (NUMBER.pack(len(data)), data)

    def column(self, values: array[int]) -> None:
        if _MUST_SWAP:
            values = values[:]
            values.byteswap()
        self.blob(memoryview(values).cast("B"))

    def strings(self, values: Iterable[bytes]) -> None:
        """Write strings without NUL; the reader must know their number."""
        self.joined_strings(joined(values, b"\0"))

    def joined_strings(self, data: bytes | bytearray) -> None:
        """Do the same with strings that have a NUL between each two already."""
        self.blob(data)

    def packed(self) -> bytes:
        return b"".join(self._parts)

    def take_parts(self) -> list[bytes]:
        """Return the parts since the last call, and forget them."""
        parts, self._parts = self._parts, []
        return parts


class Unpacker:
    """Read what `Packer` wrote. Raise ProtocolDataError "the <what> is damaged: ..." for anything else.

    magic: the last byte is the version; another version raises ProtocolVersionError.
    """

    def __init__(self, data: bytes, magic: bytes, what: str) -> None:
        self._view = memoryview(data)
        self._what = what
        self._position = len(magic)
        self._budget = UNPACKED_BYTES_MAX
        if len(data) < len(magic) or data[: len(magic) - 1] != magic[:-1]:
            raise self.error("it does not begin as one")
        if data[: len(magic)] != magic:
            raise ProtocolVersionError(f"the {what} has a version that this mrsync does not know")

    def error(self, reason: str) -> ProtocolDataError:
        return ProtocolDataError(f"the {self._what} is damaged: {reason}")

    def number(self, most: int) -> int:
        value: int = self._take(NUMBER)[0]
        if value > most:
            raise self.error(f"a number is {value}, the most is {most}")
        return value

    def blob(self) -> bytes:
        unpacked, packed = self._take(SECTION)
        if unpacked > self._budget or packed < _packed_bytes_min(unpacked):
            raise self.error("it unpacks to too many bytes")
        self._budget -= unpacked
        section = self._taken(packed)
        inflater = zlib.decompressobj()
        try:
            # Asking for one byte more than announced reveals a section that is too long.
            data = inflater.decompress(section, unpacked + 1)
        except zlib.error as error:
            raise self.error("a section cannot be unpacked") from error
        if len(data) != unpacked or not inflater.eof or inflater.unused_data:
            raise self.error("a section has another length than it says")
        return data

    def object(self) -> bytes:
        return bytes(self._taken(self._take(NUMBER)[0]))

    def column(self, typecode: str, count: int) -> array[int]:
        values = array(typecode)
        data = self.blob()
        if len(data) != count * values.itemsize:
            raise self.error(f"a column of {len(data)} bytes is not one of {count} entries")
        values.frombytes(data)
        if _MUST_SWAP:
            values.byteswap()
        return values

    def strings(self, count: int) -> list[bytes]:
        data = self.joined_strings(count)
        return data.split(b"\0") if count else []

    def joined_strings(self, count: int) -> bytes:
        """Return so many strings with a NUL between each two."""
        data = self.blob()
        found = data.count(b"\0") + 1 if count or data else 0
        if found != count:
            raise self.error(f"there are {found} strings instead of {count}")
        return data

    def end(self) -> None:
        """Raise ProtocolDataError if anything follows."""
        if self._position != len(self._view):
            raise self.error("it is longer than its sections")

    def _take(self, numbers: struct.Struct) -> tuple[int, ...]:
        return numbers.unpack(self._taken(numbers.size))

    def _taken(self, length: int) -> memoryview:
        if len(self._view) - self._position < length:
            raise self.error("it ends early")
        taken = self._view[self._position : self._position + length]
        self._position += length
        return taken


def _packed_bytes_min(unpacked: int) -> int:
    """Return the least length in bytes of a section that unpacks to so many."""
    return unpacked // EXPANSION_MAX if unpacked > _UNPADDED_BYTES_MAX else 0
