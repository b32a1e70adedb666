"""Encode the changes that a target itemizes, as bodies of ChangesRecord and DeletionsRecord, as densely as possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mrsync.tuples import NamedTuple
from mrsync.wire.fields import append_number, read_number
from mrsync.wire.limits import RECORD_BYTES_MAX

_BODY_BYTES_MAX = RECORD_BYTES_MAX - 3
_CHANGE_BYTES_MAX = 25  # four numbers below 2**32, one of them doubled
_HEAD_BYTES_MAX = 15  # of a deletion, before its path


class Change(NamedTuple):
    """Entries [first, end) of the manifest that changed alike. leader: entry that it became a link to, or -1."""

    first: int
    end: int
    flags: int
    leader: int = -1


def pack_changes(changes: Iterable[Change]) -> Iterator[bytes]:
    """Yield bodies of records. changes: ascending, not overlapping."""
    data = bytearray()
    previous_end = 0
    for change in changes:
        if len(data) + _CHANGE_BYTES_MAX > _BODY_BYTES_MAX:
            yield bytes(data)
            data, previous_end = bytearray(), 0
        append_number(data, change.first - previous_end)  # [change-gap]
        append_number(data, change.end - change.first - 1)  # [change-more]
        append_number(data, change.flags << 1 | (change.leader >= 0))  # [change-flags]
        if change.leader >= 0:
            append_number(data, change.leader)  # [change-leader]
        previous_end = change.end
    if data:
        yield bytes(data)


def unpack_changes(data: bytes) -> Iterator[Change]:
    """Yield changes. Raise ValueError, possibly after some of them, for what `pack_changes` never makes."""
    offset = previous_end = 0
    while offset < len(data):
        gap, offset = read_number(data, offset)  # [change-gap]
        more, offset = read_number(data, offset)  # [change-more]
        flags, offset = read_number(data, offset)  # [change-flags]
        leader = -1
        if flags & 1:
            leader, offset = read_number(data, offset)  # [change-leader]
        first = previous_end + gap
        previous_end = first + more + 1
        yield Change(first, previous_end, flags >> 1, leader)


def pack_deletions(deletions: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """Yield bodies of records. deletions: (entry of the directory, path below it), in ascending order of directories.

    Cut off the end of a path that is too long for a record.
    """
    data = bytearray()
    previous_end, last = 0, b""
    for directory, path in deletions:
        path = path[: _BODY_BYTES_MAX - _HEAD_BYTES_MAX]
        shared = _shared(last, path)
        if len(data) + _HEAD_BYTES_MAX + len(path) - shared > _BODY_BYTES_MAX:
            yield bytes(data)
            data, previous_end, shared = bytearray(), 0, 0
        append_number(data, directory - previous_end)  # [deletion-gap]
        append_number(data, shared)  # [deletion-shared]
        append_number(data, len(path) - shared)  # [deletion-length]
        data += path[shared:]  # [deletion-rest]
        previous_end, last = directory, path
    if data:
        yield bytes(data)


def unpack_deletions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield deletions. Raise ValueError, possibly after some of them, for what `pack_deletions` never makes."""
    offset = directory = 0
    path = b""
    while offset < len(data):
        gap, offset = read_number(data, offset)  # [deletion-gap]
        shared, offset = read_number(data, offset)  # [deletion-shared]
        length, offset = read_number(data, offset)  # [deletion-length]
        if shared > len(path) or offset + length > len(data):
            raise ValueError("a path that does not end")
        directory += gap
        path = path[:shared] + data[offset : offset + length]  # [deletion-rest]
        offset += length
        yield directory, path


def _shared(one: bytes, other: bytes) -> int:
    """Return the length in bytes of the common beginning of two paths."""
    if other.startswith(one):
        return len(one)
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low
