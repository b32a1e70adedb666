"""Sections survive packing and unpacking; damaged ones are refused with one sentence."""

from __future__ import annotations

import zlib
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.errors import LimitError, ProtocolDataError, ProtocolVersionError
from mrsync.tree.model.packing import EXPANSION_MAX, NUMBER, SECTION, UNPACKED_BYTES_MAX, Packer, Unpacker

MAGIC = b"test\x01"


def section(data: bytes, *, says: int | None = None) -> bytes:
    packed = zlib.compress(data)
    return MAGIC + SECTION.pack(len(data) if says is None else says, len(packed)) + packed


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\0", b"x")))
)
def test_packing_and_unpacking_are_inverse(numbers: list[int], strings: list[bytes]) -> None:
    packer = Packer(MAGIC)
    packer.column(array("q", numbers))
    packer.number(len(strings))
    packer.strings(strings)
    unpacker = Unpacker(packer.packed(), MAGIC, "test")
    assert unpacker.column("q", len(numbers)).tolist() == numbers
    assert unpacker.number(1 << 32) == len(strings)
    assert unpacker.strings(len(strings)) == strings
    unpacker.end()


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    unpacker = Unpacker(MAGIC + data, MAGIC, "test")
    with pytest.raises(ProtocolDataError, match=r"^the test is damaged: "):
        read_to_the_end(unpacker)


def read_to_the_end(unpacker: Unpacker) -> None:
    while True:
        unpacker.blob()


def test_an_announced_bomb_is_not_even_unpacked() -> None:
    data = MAGIC + SECTION.pack(UNPACKED_BYTES_MAX + 1, UNPACKED_BYTES_MAX) + b"x"
    unpacker = Unpacker(data, MAGIC, "test")
    with pytest.raises(ProtocolDataError, match="too many bytes"):
        unpacker.blob()


def test_a_section_that_expands_too_far_is_not_unpacked() -> None:
    with pytest.raises(ProtocolDataError, match="too many bytes"):
        Unpacker(section(bytes(100_000)), MAGIC, "test").blob()


@pytest.mark.parametrize("count", [1, 1000, 1024, 1025, 2000, 100_000, 1_000_000])
def test_a_section_that_would_expand_too_far_is_padded(count: int) -> None:
    packer = Packer(MAGIC)
    packer.blob(bytes(count))
    assert len(packer.packed()) < count / EXPANSION_MAX + 100
    unpacker = Unpacker(packer.packed(), MAGIC, "test")
    assert unpacker.blob() == bytes(count)
    unpacker.end()


@given(st.binary(max_size=50))
def test_packed_bytes_stay_as_they_are(data: bytes) -> None:
    packer = Packer(MAGIC)
    packer.object(data)
    packer.number(1)
    assert len(packer.packed()) == len(MAGIC) + 2 * NUMBER.size + len(data)
    unpacker = Unpacker(packer.packed(), MAGIC, "test")
    assert unpacker.object() == data
    assert unpacker.number(1) == 1
    with pytest.raises(ProtocolDataError, match="ends early"):
        Unpacker(packer.packed()[: -NUMBER.size - 1], MAGIC, "test").object()


def test_all_sections_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.tree.model.packing.UNPACKED_BYTES_MAX", 10)
    unpacker = Unpacker(section(b"12345") + section(b"678901")[len(MAGIC) :], MAGIC, "test")
    assert unpacker.blob() == b"12345"
    with pytest.raises(ProtocolDataError, match="too many bytes"):
        unpacker.blob()


@pytest.mark.parametrize("says", [0, 1_999, 2_001])
def test_a_section_of_the_wrong_length_is_refused(says: int) -> None:
    unpacker = Unpacker(section(bytes(range(200)) * 10, says=says), MAGIC, "test")
    with pytest.raises(ProtocolDataError, match="another length"):
        unpacker.blob()


def test_a_section_with_something_behind_its_end_is_refused() -> None:
    packed = zlib.compress(b"data") + b"more"
    unpacker = Unpacker(MAGIC + SECTION.pack(4, len(packed)) + packed, MAGIC, "test")
    with pytest.raises(ProtocolDataError, match="another length"):
        unpacker.blob()


def test_every_shorter_input_is_refused() -> None:
    whole = section(b"some data")
    for length in range(len(MAGIC), len(whole)):
        with pytest.raises(ProtocolDataError):
            Unpacker(whole[:length], MAGIC, "test").blob()


def test_counts_must_fit() -> None:
    with pytest.raises(ProtocolDataError, match="not one of 3 entries"):
        Unpacker(section(bytes(8)), MAGIC, "test").column("I", 3)
    with pytest.raises(ProtocolDataError, match="2 strings instead of 3"):
        Unpacker(section(b"a\0b"), MAGIC, "test").strings(3)
    with pytest.raises(ProtocolDataError, match="strings instead of 0"):
        Unpacker(section(b"a"), MAGIC, "test").strings(0)
    with pytest.raises(ProtocolDataError, match="the most is 4"):
        Unpacker(MAGIC + NUMBER.pack(5), MAGIC, "test").number(4)


def test_nothing_may_follow() -> None:
    with pytest.raises(ProtocolDataError, match="longer"):
        Unpacker(MAGIC + b"x", MAGIC, "test").end()


def test_another_version_is_named_as_such() -> None:
    with pytest.raises(ProtocolVersionError, match="version"):
        Unpacker(b"test\x02", MAGIC, "test")
    with pytest.raises(ProtocolDataError, match="does not begin"):
        Unpacker(b"tost\x01", MAGIC, "test")
    with pytest.raises(ProtocolDataError, match="does not begin"):
        Unpacker(b"", MAGIC, "test")


def test_more_than_can_be_unpacked_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.tree.model.packing.UNPACKED_BYTES_MAX", 10)
    packer = Packer(b"magic")
    packer.blob(b"12345")
    packer.strings([b"67890"])
    with pytest.raises(LimitError, match="takes more than 0 GiB; sync parts of SOURCE"):
        packer.blob(b"1")
