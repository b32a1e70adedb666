from __future__ import annotations

import pytest

from mrsync.transport.pages.slots import OTHERS_MAX, Slots
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
    assert sum(slots.held((2, page), 0) is not None for page in range(100)) == 8
    slots.keep_partial((2, 100, 0), slots.take())
    for page in range(101, 200):
        slots.keep_whole((2, page), slots.take())
    assert sum(slots.held((2, page), 0) is not None for page in range(200)) == 64


def test_the_oldest_whole_page_makes_room() -> None:
    slots = Slots(GEOMETRY, 5)
    for page in range(8):
        slots.keep_whole((2, page), slots.take())
    assert [page for page in range(8) if slots.held((2, page), 0)] == [3, 4, 5, 6, 7]


def test_partial_pages_stay_until_they_are_whole_or_dropped() -> None:
    slots = Slots(GEOMETRY, 5)
    kept = slots.take()
    slots.keep_partial((2, 0, 0), kept)
    for page in range(1, 10):
        slots.keep_whole((2, page), slots.take())
    assert slots.partial((2, 0, 0)) is kept
    slots.keep_whole((2, 0), kept)
    assert slots.partial((2, 0, 0)) is None
    assert slots.held((2, 0), 0) is kept


def test_a_whole_page_frees_its_partial_slots() -> None:
    slots = Slots(GEOMETRY, 5)
    old, new = slots.take(), slots.take()
    slots.keep_partial((2, 0, 0), old)
    slots.keep_whole((2, 0), new)
    assert slots.partial((2, 0, 0)) is None
    assert slots.held((2, 0), 0) is new
    assert slots.take() is old


@pytest.mark.parametrize("count", [6, 16])
def test_there_is_always_a_slot_to_receive_into(count: int) -> None:
    slots = Slots(GEOMETRY, count)
    landing = [slots.take() for _ in range(4)]  # two sockets
    page = 0
    while not slots.crowded((2, page, 0)):
        slots.keep_partial((2, page, 0), landing.pop())
        landing.append(slots.take())
        page += 1
    assert page == count - 5
    for _ in range(3):
        slots.keep_whole((0, page), landing.pop())
        landing.append(slots.take())


def test_the_partial_page_with_the_fewest_packets_makes_room() -> None:
    slots = Slots(GEOMETRY, 8)
    for page in range(3):
        kept = slots.take()
        slots.keep_partial((2, page, 0), kept)
        for index in range(3 - page):
            kept.store(index, b"packet")
    assert slots.crowded((2, 3, 0)) == [(2, 2, 0)]
    largest = slots.partial((2, 0, 0))
    assert largest is not None
    largest.is_wrong = True
    assert slots.crowded((2, 3, 0)) == [(2, 0, 0)], "it was complete, and no page"
    slots.drop_partial((2, 0, 0))
    assert slots.partial((2, 0, 0)) is None
    assert slots.take() is largest
    assert (largest.stored, largest.is_wrong) == (0, False)


def test_a_page_has_two_generations_in_part_at_most() -> None:
    slots = Slots(GEOMETRY, 16)
    for generation in range(2):
        kept = slots.take()
        slots.keep_partial((2, 0, generation), kept)
        kept.store(0, b"packet")
    kept.store(1, b"packet")
    assert slots.crowded((2, 0, 7)) == [(2, 0, 0)]
    assert slots.crowded((2, 1, 0)) == []


def test_two_packets_for_one_place_are_both_kept() -> None:
    slot = Slots(GEOMETRY, 4).take()
    assert not slot.store(3, b"true")
    assert not slot.store(3, b"true")
    assert slot.store(3, b"fake")
    assert slot.store(5, b"here") is False
    assert slot.store(5, b"gone")
    assert slot.suspects == 1 << 3 | 1 << 5
    found = [(bytes(slot.slices[3][:4]), bytes(slot.slices[5][:4])) for _ in slot.choices(99)]
    assert found == [(b"fake", b"gone"), (b"true", b"gone"), (b"fake", b"here")]
    assert bytes(slot.slices[3][:4]) == b"true", "and the first is in place again"


def test_contradictions_are_kept_up_to_a_limit() -> None:
    slot = Slots(GEOMETRY, 4).take()
    slot.store(0, b"true")
    kept = [slot.store(0, bytes([number])) for number in range(99)]
    assert kept.index(False) == len(slot.others) == OTHERS_MAX
