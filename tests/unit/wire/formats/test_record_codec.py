"""The log: records survive encoding and decoding, wherever the stream is cut; nonsense ends it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.wire.formats.record_codec import RecordDecoder, basis_records, encode_record, needs_records, wants_records
from mrsync.wire.limits import RECORD_BYTES_MAX, TEXT_BYTES_MAX
from mrsync.wire.records import (
    BasisRecord,
    ComparedRecord,
    ErrorRecord,
    FailedRecord,
    LogRecord,
    NeedsRecord,
    ResultRecord,
    SatOutRecord,
    WantsRecord,
)
from tests.unit.wire.samples import ranges, records

NONSENSE = FailedRecord("its log makes no sense")


def decoded(log: bytes) -> list[LogRecord]:
    return RecordDecoder().feed(log)


@given(st.lists(records, max_size=8), st.data())
def test_records_come_out_as_they_went_in(sent: list[LogRecord], data: st.DataObject) -> None:
    log = b"".join(encode_record(record) for record in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(log)), max_size=10)))
    decoder = RecordDecoder()
    received: list[LogRecord] = []
    for low, high in zip([0, *cuts], [*cuts, len(log)], strict=True):
        received += decoder.feed(log[low:high])
    assert received == sent


def test_records_are_decoded_from_single_bytes() -> None:
    sent: list[LogRecord] = [SatOutRecord(7, 28), ErrorRecord(13, b"a/\xff\n", "chmod")]
    decoder = RecordDecoder()
    pieces = [decoder.feed(bytes([byte])) for byte in b"".join(map(encode_record, sent))]
    assert [record for piece in pieces for record in piece] == sent


def test_totals_beyond_their_width_are_cut_off() -> None:
    beyond = 3 * ((1 << 63) - 1)
    (compared,) = decoded(encode_record(ComparedRecord(1, beyond, 1 << 40)))
    assert compared == ComparedRecord(1, (1 << 64) - 1, (1 << 32) - 1)
    (result,) = decoded(encode_record(ResultRecord(1, beyond, 1 << 40, 2, 3, 4)))
    assert result == ResultRecord(1, (1 << 64) - 1, (1 << 32) - 1, 2, 3, 4)


@given(ranges(1500))
def test_needs_are_cut_into_records_that_fit(triple: tuple[int, int, tuple[tuple[int, int], ...]]) -> None:
    first, end, wanted = triple
    cut = list(needs_records(first, end, wanted))
    assert cut[0].first == first
    assert cut[-1].end == end
    assert all(one.end == other.first for one, other in pairwise(cut))
    assert tuple(pair for record in cut for pair in record.ranges) == wanted
    assert decoded(b"".join(map(encode_record, cut))) == cut


@pytest.mark.parametrize(("records_of", "kind"), [(wants_records, WantsRecord), (basis_records, BasisRecord)])
def test_wants_and_basis_are_cut_alike(records_of: Callable[..., Iterator[LogRecord]], kind: type) -> None:
    cut: list[Any] = list(records_of(2000, [(number, number + 1) for number in range(0, 2000, 2)]))
    assert [type(record) for record in cut] == [kind] * 3
    assert (cut[0].first, cut[-1].end) == (0, 2000)
    assert decoded(b"".join(map(encode_record, cut))) == cut


def test_needs_of_the_largest_numbers_fit() -> None:
    wide = [(index * 2**22 + 2**21, (index + 1) * 2**22) for index in range(1000)]
    cut = list(needs_records(0, 2**32 - 1, wide))
    assert len(cut) == 3
    assert max(len(encode_record(record)) for record in cut) <= RECORD_BYTES_MAX


def test_nothing_needed_is_one_record() -> None:
    assert list(needs_records(0, 9, ())) == [NeedsRecord(0, 9, ())]


def test_uncut_needs_raise() -> None:
    with pytest.raises(ValueError, match="NeedsRecord"):
        encode_record(NeedsRecord(0, 10**6, tuple((index, index + 1) for index in range(0, 10**6, 400))))


def test_a_number_out_of_its_width_is_our_own_mistake() -> None:
    with pytest.raises(struct.error):
        encode_record(ComparedRecord(-1, 0, 0))


def test_every_path_of_linux_fits_and_a_longer_one_loses_its_end() -> None:
    action = "a" * TEXT_BYTES_MAX
    path = bytes(range(1, 256)) * 20
    (record,) = decoded(encode_record(ErrorRecord(36, path[:4096], action)))
    assert record == ErrorRecord(36, path[:4096], action)
    encoded = encode_record(ErrorRecord(36, path, action))
    assert len(encoded) == RECORD_BYTES_MAX
    (record,) = decoded(encoded)
    assert isinstance(record, ErrorRecord)
    assert path.startswith(record.path)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x06\x00\x00",  # no such kind
        b"\x01\xff\xff",  # longer than any record, said before a byte of it came
        b"\x01\x00\x01x",  # shorter than its fields
        b"\x02\x00\x07" + bytes(7),  # longer than its fields
        b"\x04\x00\x05\x00\x00\x01xy",  # more than a reason
        b"\x04\x00\x03\x00\x00\x01",  # less than a reason
        b"\x04\x00\x03\x02\x00\x00",  # an unknown cause
        b"\x04\x00\x00",  # a failure without anything
        b"\x00\x00\x09" + bytes(8) + b"\x00",  # half a range
        b"\x00\x00\x0a" + bytes(8) + b"\x00\x00",  # a range beyond the end
        b"\x00\x00\x08" + b"\x00\x00\x00\x02\x00\x00\x00\x01",  # an end before the first
    ],
)
def test_nonsense_ends_a_log(nonsense: bytes) -> None:
    good = encode_record(SatOutRecord(1, 2))
    decoder = RecordDecoder()
    assert decoder.feed(good + nonsense) == [SatOutRecord(1, 2), NONSENSE]
    assert decoder.feed(good) == []


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_records_or_one_failure(pieces: list[bytes]) -> None:
    decoder = RecordDecoder()
    received = [record for piece in pieces for record in decoder.feed(piece)]
    assert NONSENSE not in received[:-1]


@given(records, st.data())
def test_a_damaged_record_never_raises(record: LogRecord, data: st.DataObject) -> None:
    log = bytearray(encode_record(record))
    log[data.draw(st.integers(0, len(log) - 1))] ^= data.draw(st.integers(1, 255))
    decoder = RecordDecoder()
    decoder.feed(bytes(log))
    decoder.feed(bytes(2 * RECORD_BYTES_MAX))
