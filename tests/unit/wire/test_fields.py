"""Numbers and texts of variable length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.escaping import escape_controls
from mrsync.wire.fields import append_number, encode_text, read_number, read_text, require
from mrsync.wire.limits import TEXT_BYTES_MAX


@given(st.integers(0, 2**63 - 1), st.binary(max_size=4), st.binary(max_size=4))
def test_an_appended_number_is_read_unchanged(number: int, before: bytes, after: bytes) -> None:
    data = bytearray(before)
    append_number(data, number)
    end = len(data)
    assert end - len(before) == max(1, -(-number.bit_length() // 7))
    assert read_number(bytes(data) + after, len(before)) == (number, end)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff\xff", b"\x80" * 9 + b"\x00", b"\xff" * 30])
def test_numbers_that_do_not_end(data: bytes) -> None:
    with pytest.raises(ValueError, match="number"):
        read_number(data, 0)


@given(st.text(st.characters(codec="utf-8"), max_size=100), st.binary(max_size=4))
def test_an_encoded_text_is_read_unchanged(text: str, after: bytes) -> None:
    encoded = encode_text(text)
    assert read_text(b"x" + encoded + after, 1) == (escape_controls(text), 1 + len(encoded))


def test_long_texts_are_cut_even_inside_a_character() -> None:
    encoded = encode_text("a" + "ä" * 400)
    assert len(encoded) == 2 + TEXT_BYTES_MAX
    assert read_text(encoded, 0)[0] == "a" + "ä" * 199 + "\N{REPLACEMENT CHARACTER}"


def test_names_that_are_not_unicode_are_escaped() -> None:
    assert read_text(encode_text("caf\udce9"), 0)[0] == r"caf\udce9"


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x01", b"\x01\x91" + bytes(500)])
def test_texts_that_do_not_end(data: bytes) -> None:
    with pytest.raises(ValueError, match="text"):
        read_text(data, 0)


def test_require_raises_unless_true() -> None:
    require(True)
    with pytest.raises(ValueError, match="limits"):
        require(False)
