from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.escaping import escape_controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, größer 漢字", "plain, größer 漢字"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\u202egpj.exe\u2066", r"\u202egpj.exe\u2066"),
        ("\u2028\udcff", r"\u2028\udcff"),
        (b"caf\xe9\x1b", r"caf\xe9\x1b"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_control_characters_are_escaped(text: str | bytes, shown: str) -> None:
    assert escape_controls(text) == shown


@given(st.one_of(st.text(), st.binary()))
def test_anything_ends_up_printable_and_stays_so(text: str | bytes) -> None:
    once = escape_controls(text)
    assert once.isprintable()
    assert escape_controls(once) == once
