from __future__ import annotations

import pytest

from mrsync.transport.slots import Slots
from tests.unit.transport.link import GEOMETRY


def test_slices_cut_a_slot_into_packets() -> None:
    slot = Slots(GEOMETRY, 4).take()
    assert len(slot.view) == GEOMETRY.sealed_bytes
    assert [len(piece) for piece in slot.slices] == [GEOMETRY.slice_bytes] * GEOMETRY.packets
    slot.slices[1][:3] = b"abc"
    assert bytes(slot.view[GEOMETRY.slice_bytes :][:3]) == b"abc"


def test_few_whole_pages_are_retained_before_the_first_loss() -> None:
    slots = Slots(GEOMETRY, 64)
    for page in range(100):
        slots.keep_whole((2, page), slots.take())
    assert sum(slots.held((2, page)) is not None for page in range(100)) == 8
    slots.keep_partial((2, 100), slots.take())
    for page in range(101, 200):
        slots.keep_whole((2, page), slots.take())
    assert sum(slots.held((2, page)) is not None for page in range(200)) == 64


def test_the_oldest_whole_page_makes_room() -> None:
    slots = Slots(GEOMETRY, 5)
    for page in range(8):
        slots.keep_whole((2, page), slots.take())
    assert [page for page in range(8) if slots.held((2, page))] == [3, 4, 5, 6, 7]


def test_partial_pages_stay_until_they_are_whole_or_dropped() -> None:
    slots = Slots(GEOMETRY, 5)
    kept = slots.take()
    slots.keep_partial((2, 0), kept)
    for page in range(1, 10):
        slots.keep_whole((2, page), slots.take())
    assert slots.partial((2, 0)) is kept
    slots.keep_whole((2, 0), kept)
    assert slots.partial((2, 0)) is None
    assert slots.held((2, 0)) is kept


def test_a_page_that_came_whole_drops_what_another_slot_holds_of_it() -> None:
    slots = Slots(GEOMETRY, 5)
    old, new = slots.take(), slots.take()
    slots.keep_partial((2, 0), old)
    slots.keep_whole((2, 0), new)
    assert slots.partial((2, 0)) is None
    assert slots.held((2, 0)) is new
    assert slots.take() is old


@pytest.mark.parametrize("count", [6, 16])
def test_there_is_always_a_slot_to_receive_into(count: int) -> None:
    slots = Slots(GEOMETRY, count)
    landing = [slots.take() for _ in range(4)]  # two sockets
    page = 0
    while slots.has_room:
        slots.keep_partial((2, page), landing.pop())
        landing.append(slots.take())
        page += 1
    assert page == count - 5
    for _ in range(3):
        slots.keep_whole((0, page), landing.pop())
        landing.append(slots.take())
