"""Layout: fields of fixed width by name."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import pytest

from mrsync.wire.layout import Layout

FIELDS = (("kind", "B", "x-kind"), ("number", "H", "x-number"), ("total", "Q", "x-total"), ("text", "4s", "x-text"))


class Message(NamedTuple):
    kind: int
    number: int
    total: int
    text: bytes


def test_fields_come_back_by_name() -> None:
    layout, message = Layout(*FIELDS), Message(1, 2, 3, b"four")
    assert layout.pack(message) == b"\x01\x00\x02" + bytes(7) + b"\x03four"
    assert layout.size == 15
    assert Message(**layout.unpack(layout.pack(message))) == message
    assert Message(**layout.unpack_from(b"xx" + layout.pack(message) + b"x", 2)) == message


def test_others_replace_attributes() -> None:
    layout = Layout(*FIELDS)
    assert layout.unpack(layout.pack(Message(1, 2, 3, b"four"), number=7))["number"] == 7


@pytest.mark.parametrize("changes", [{"number": -1}, {"number": 1 << 16}, {"kind": 256}])
def test_numbers_that_do_not_fit(changes: dict[str, Any]) -> None:
    with pytest.raises(struct.error):
        Layout(*FIELDS).pack(Message(1, 2, 3, b"four"), **changes)


def test_counters_that_are_too_large_are_sent_as_the_largest() -> None:
    layout = Layout(*FIELDS, is_saturating=True)
    most = Message(0xFF, 0xFFFF, (1 << 64) - 1, b"four")
    assert Message(**layout.unpack(layout.pack(Message(1 << 70, 1 << 70, 1 << 70, b"four")))) == most
    with pytest.raises(struct.error):
        layout.pack(Message(-1, 2, 3, b"four"))


@pytest.mark.parametrize("body", [b"", bytes(14), bytes(16)])
def test_a_body_of_another_size(body: bytes) -> None:
    with pytest.raises(struct.error):
        Layout(*FIELDS).unpack(body)
