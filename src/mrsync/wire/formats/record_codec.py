"""Encode and decode the log of a catcher: a stream of records, which reports carry in pieces of any size."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Callable

from mrsync.wire.fields import append_number, encode_text, read_number, read_text
from mrsync.wire.layout import Layout
from mrsync.wire.limits import RECORD_BYTES_MAX, TEXT_BYTES_MAX
from mrsync.wire.records import (
    BasisRecord,
    ChangesRecord,
    ComparedRecord,
    DeletionsRecord,
    ErrorRecord,
    FailedRecord,
    FailureCause,
    LogRecord,
    NeedsRecord,
    ResultRecord,
    SatOutRecord,
    WantsRecord,
)

Range = tuple[int, int]

NONSENSE = "its log makes no sense"  # the reason of a target with such a log

_HEAD = struct.Struct(
    ">B"  # [record-kind]
    "H"  # [record-length]
)
_BOUNDS = struct.Struct(
    ">I"  # [needs-first] [wants-first] [basis-first]
    "I"  # [needs-end] [wants-end] [basis-end]
)
_COMPARED = Layout(
    ("files_needed", "I", "compared-files"),
    ("bytes_needed", "Q", "compared-bytes"),
    ("changes", "I", "compared-changes"),
    is_saturating=True,
)
_SAT_OUT = Layout(
    ("file", "I", "sat-out-index"),
    ("errno", "H", "sat-out-errno"),
)
_ERROR = Layout(("errno", "H", "error-errno"))
_RESULT = Layout(
    ("files_updated", "I", "result-files"),
    ("bytes_written", "Q", "result-bytes"),
    ("created", "I", "result-created"),
    ("mended", "I", "result-mended"),
    ("deleted", "I", "result-deleted"),
    ("errors", "I", "result-errors"),
    ("skipped", "I", "result-skipped"),
    ("untold", "I", "result-untold"),
    is_saturating=True,
)
_RANGE_BYTES_MAX = 10  # two numbers below 2**32
_RANGES_MAX = (RECORD_BYTES_MAX - _HEAD.size - _BOUNDS.size) // _RANGE_BYTES_MAX
_PATH_BYTES_MAX = RECORD_BYTES_MAX - _HEAD.size - _ERROR.size - 2 - TEXT_BYTES_MAX


def encode_record(record: LogRecord) -> bytes:
    """Return the record as bytes of the log, at most RECORD_BYTES_MAX. Cut off the end of a path that is too long.

    Raise struct.error for a number that is negative or does not fit its field, ValueError for a record that is too
    long, such as a NeedsRecord that was not made by `needs_records`.
    """
    number, encode = _ENCODERS[type(record)]
    body = encode(record)
    if _HEAD.size + len(body) > RECORD_BYTES_MAX:
        raise ValueError(f"a {type(record).__name__} of {len(body)} bytes")
    return _HEAD.pack(number, len(body)) + body


def needs_records(first: int, end: int, ranges: Iterable[tuple[int, int]]) -> Iterator[NeedsRecord]:
    """Return records, at least one, of the needed entries of the manifest's entries [first, end).

    ranges: sorted ranges [a, b), not empty, not overlapping, inside [first, end).
    """
    return (NeedsRecord(*part) for part in _parts(first, end, ranges))


def wants_records(page_count: int, ranges: Iterable[tuple[int, int]]) -> Iterator[WantsRecord]:
    """Return records of the wanted pages of contents; see needs_records."""
    return (WantsRecord(*part) for part in _parts(0, page_count, ranges))


def basis_records(entry_count: int, ranges: Iterable[tuple[int, int]]) -> Iterator[BasisRecord]:
    """Return records of the manifest entries that have an older copy here; see needs_records."""
    return (BasisRecord(*part) for part in _parts(0, entry_count, ranges))


def _parts(first: int, end: int, ranges: Iterable[Range]) -> Iterator[tuple[int, int, tuple[Range, ...]]]:
    held: list[Range] = []
    for pair in ranges:
        if len(held) == _RANGES_MAX:
            yield first, pair[0], tuple(held)
            first = pair[0]
            held = []
        held.append(pair)
    yield first, end, tuple(held)


class RecordDecoder:
    """Decode one target's log, piece by piece in order. Holds less than one record of bytes."""

    def __init__(self) -> None:
        self._pending = b""
        self._has_failed = False

    def feed(self, piece: bytes) -> list[LogRecord]:
        """Return the records that this piece completes. Never raise.

        A malformed log yields one FailedRecord and nothing more, because its target cannot be trusted any longer.
        """
        if self._has_failed:
            return []
        data = self._pending + piece
        records: list[LogRecord] = []
        offset = 0
        while len(data) - offset >= _HEAD.size:
            number, length = _HEAD.unpack_from(data, offset)
            end = offset + _HEAD.size + length
            if end - offset <= RECORD_BYTES_MAX and end > len(data):
                break
            record = _decode_record(number, data[offset + _HEAD.size : end])
            if record is None or end - offset > RECORD_BYTES_MAX:
                self._has_failed = True
                return [*records, FailedRecord(NONSENSE)]
            records.append(record)
            offset = end
        self._pending = data[offset:]
        return records


def _decode_record(number: int, body: bytes) -> LogRecord | None:
    decode = _DECODERS.get(number)
    if decode is None:
        return None
    try:
        return decode(body)
    except (struct.error, ValueError):
        return None


def _encode_ranges(record: NeedsRecord | WantsRecord | BasisRecord) -> bytes:
    data = bytearray(_BOUNDS.pack(record.first, record.end))
    previous_end = record.first
    for low, high in record.ranges:
        append_number(data, low - previous_end)  # [needs-gap] [wants-gap] [basis-gap]
        append_number(data, high - low - 1)  # [needs-more] [wants-more] [basis-more]
        previous_end = high
    return bytes(data)


def _decode_ranges(body: bytes) -> tuple[int, int, tuple[Range, ...]]:
    first, end = _BOUNDS.unpack_from(body)
    ranges = []
    offset, previous_end = _BOUNDS.size, first
    while offset < len(body):
        gap, offset = read_number(body, offset)  # [needs-gap] [wants-gap] [basis-gap]
        more, offset = read_number(body, offset)  # [needs-more] [wants-more] [basis-more]
        low = previous_end + gap
        previous_end = low + more + 1
        ranges.append((low, previous_end))
    if previous_end > end:
        raise ValueError("ranges beyond their end")
    return first, end, tuple(ranges)


def _encode_error(record: ErrorRecord) -> bytes:
    text = encode_text(record.action)  # [error-action]
    return _ERROR.pack(record) + text + record.path[:_PATH_BYTES_MAX]  # [error-path]


def _decode_error(body: bytes) -> ErrorRecord:
    errno = _ERROR.unpack_from(body)["errno"]
    action, offset = read_text(body, _ERROR.size)  # [error-action]
    return ErrorRecord(errno, body[offset:], action)  # [error-path]


def _encode_failed(record: FailedRecord) -> bytes:
    return bytes([record.cause]) + encode_text(record.reason)  # [failed-cause] [failed-reason]


def _decode_failed(body: bytes) -> FailedRecord:
    cause = FailureCause(int.from_bytes(body[:1], "big"))  # [failed-cause]
    reason, offset = read_text(body, 1)  # [failed-reason]
    if offset != len(body):
        raise ValueError("more than a reason")
    return FailedRecord(reason, cause)


# Class, encoder and decoder of each kind of record. The index in this list is the [record-kind].
_KINDS: list[tuple[type, Callable[..., bytes], Callable[[bytes], LogRecord]]] = [
    (NeedsRecord, _encode_ranges, lambda body: NeedsRecord(*_decode_ranges(body))),
    (ComparedRecord, _COMPARED.pack, lambda body: ComparedRecord(**_COMPARED.unpack(body))),
    (SatOutRecord, _SAT_OUT.pack, lambda body: SatOutRecord(**_SAT_OUT.unpack(body))),
    (ErrorRecord, _encode_error, _decode_error),
    (FailedRecord, _encode_failed, _decode_failed),
    (ResultRecord, _RESULT.pack, lambda body: ResultRecord(**_RESULT.unpack(body))),
    (WantsRecord, _encode_ranges, lambda body: WantsRecord(*_decode_ranges(body))),
    (BasisRecord, _encode_ranges, lambda body: BasisRecord(*_decode_ranges(body))),
    # These are decoded only when they are shown, because many targets send the same.
    (ChangesRecord, lambda record: record.data, ChangesRecord),
    (DeletionsRecord, lambda record: record.data, DeletionsRecord),
]
_ENCODERS = {record_type: (number, encode) for number, (record_type, encode, _) in enumerate(_KINDS)}
_DECODERS = {number: decode for number, (_, _, decode) in enumerate(_KINDS)}
