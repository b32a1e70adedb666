"""Headers: fields survive packing, other packets are told apart, and the headers of a burst count up."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.wire.header import (
    Header,
    is_other_version,
    is_version_notice,
    pack_header,
    page_headers,
    unpack_header,
    version_notice,
)
from mrsync.wire.limits import CASTER_ID, HEADER_BYTES, MAGIC, VERSION
from mrsync.wire.messages import Kind
from tests.unit.wire.samples import u8, u16, u32

headers = st.builds(Header, u8, u8, u8, u8, u16, u32, u16, u16, u32, u32)


def burst(count: int, indices: bytes | None = None) -> bytearray:
    return page_headers(session_tag=7, object=2, page=9, generation=1, count=count, tx=100, indices=indices)


def expected_header(index: int, count: int) -> Header:
    return Header(
        kind=Kind.PAGE, packet_index=index, packet_count=count, object=2, segment=0, session_tag=7, generation=1,
        sender=CASTER_ID, page=9, tx=100,
    )  # fmt: skip


@given(headers)
def test_a_packed_header_is_unpacked_unchanged(header: Header) -> None:
    packed = pack_header(header)
    assert len(packed) == HEADER_BYTES
    for packet in (packed, bytearray(packed + b"slice"), memoryview(packed)):
        assert unpack_header(packet) == header


def test_a_field_out_of_its_width_is_our_own_mistake() -> None:
    with pytest.raises(struct.error):
        pack_header(expected_header(0, 256))


def test_strangers_have_no_header() -> None:
    packed = bytes(burst(1))
    assert unpack_header(packed[:-1]) is None
    assert unpack_header(b"") is None
    assert unpack_header(bytes([MAGIC + 1]) + packed[1:]) is None
    assert unpack_header(bytes([MAGIC, VERSION + 1]) + packed[2:]) is None


def test_another_version_is_not_a_stranger() -> None:
    assert is_other_version(bytes([MAGIC, VERSION + 1]))
    assert not is_other_version(bytes([MAGIC, VERSION]))
    assert not is_other_version(bytes([MAGIC + 1, VERSION + 1]))
    assert not is_other_version(b"")


def test_only_a_bare_header_of_another_version_is_a_notice() -> None:
    notice = bytes([MAGIC, VERSION + 1]) + version_notice()[2:]
    assert is_version_notice(notice)
    assert not is_version_notice(version_notice())
    assert not is_version_notice(notice + b"\0")
    assert not is_version_notice(notice[:-1] + b"\1")


@pytest.mark.parametrize("count", [1, 44, 64])
def test_headers_of_a_page_count_up(count: int) -> None:
    block = burst(count)
    unpacked = [unpack_header(block[at : at + HEADER_BYTES]) for at in range(0, len(block), HEADER_BYTES)]
    assert unpacked == [expected_header(index, count) for index in range(count)]


def test_headers_of_chosen_packets() -> None:
    block = burst(44, bytes([3, 40]))
    assert len(block) == 2 * HEADER_BYTES
    assert unpack_header(block) == expected_header(3, 44)
    assert unpack_header(block[HEADER_BYTES:]) == expected_header(40, 44)
