"""Needs survive encoding and decoding, are cut where the room ends, and take few bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.wire.formats.needs import Need, decode_needs, encode_needs
from mrsync.wire.limits import PAGES_MAX
from tests.unit.wire.samples import needs, u32


@given(needs())
def test_encoded_needs_are_decoded_unchanged(triple: tuple[int, int, tuple[Need, ...]]) -> None:
    first, end, entries = triple
    data, told = encode_needs(entries, first=first, end=end, room=1000)
    assert told == end
    assert decode_needs(data, first=first, end=end) == entries


@given(needs(), st.integers(0, 120))
def test_records_that_do_not_fit_are_sent_later(triple: tuple[int, int, tuple[Need, ...]], room: int) -> None:
    first, end, entries = triple
    data, told = encode_needs(entries, first=first, end=end, room=room)
    assert len(data) <= room
    fitting = decode_needs(data, first=first, end=told)
    assert fitting == entries[: len(fitting)]
    if len(fitting) < len(entries):
        assert told == entries[len(fitting)][0]
        rest, _ = encode_needs(entries[len(fitting) :], first=told, end=end, room=1000)
        assert decode_needs(rest, first=told, end=end) == entries[len(fitting) :]
    else:
        assert told == end


def test_one_lost_packet_takes_two_bytes() -> None:
    entries = [(1000 + 3 * number, 1, 1 << number % 44) for number in range(100)]
    data, _ = encode_needs(entries, first=1000, end=2000, room=1000)
    assert len(data) == 200


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",  # a gap that does not end
        b"\x00",  # a run without length
        b"\x01",  # a mask without bytes
        b"\x01\x42\xff",  # a bitmap of two bytes, cut off
        b"\x01\x42\x00\xff",  # wider than it must be
        b"\x01\x41\x08",  # one packet, said as a bitmap
        b"\x01\x40",  # a bitmap of no bytes
        b"\x01\x49" + b"\xff" * 9,  # wider than a page has packets
        b"\x00\x63\x00\x00",  # 101 pages of 100
    ],
)
def test_needs_that_no_catcher_has(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode_needs(data, first=0, end=100)


@pytest.mark.parametrize(("first", "end"), [(5, 4), (0, PAGES_MAX + 1)])
def test_needs_of_no_pages_are_refused(first: int, end: int) -> None:
    with pytest.raises(ValueError, match="no pages"):
        decode_needs(b"", first=first, end=end)


@given(u32, u32, st.binary(max_size=60))
def test_any_bytes_are_needs_within_their_bounds_or_an_error(first: int, end: int, data: bytes) -> None:
    try:
        entries = decode_needs(data, first=first, end=end)
    except ValueError:
        return
    behind = first
    for page, run, mask in entries:
        assert behind <= page < page + run <= end
        assert 0 <= mask < 2**64
        assert run == 1 or mask == 0
        behind = page + run
