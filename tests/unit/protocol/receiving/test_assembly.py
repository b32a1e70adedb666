"""Assembly: pages of an object, from first packet to written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.protocol.receiving.assembly import ENTRIES_MAX, Assembly, Verdict
from mrsync.wire.geometry import Geometry, reading_of

GEOMETRY = Geometry(100, 4)
PAGE = GEOMETRY.page_bytes
READING = reading_of(0, 4)


def assembly(pages: int = 4, **details: object) -> Assembly:
    return Assembly(pages * PAGE - 250, GEOMETRY, **details)  # type: ignore[arg-type]


def test_whole_burst_goes_its_way() -> None:
    object = assembly()
    assert object.receive_page(0, 0, 4)
    object.opened(0, 0)
    assert not object.receive_page(0, 0, 4)
    assert object.frontier == 0  # not before it is written
    object.written([0])
    assert object.frontier == 1


def test_whole_burst_of_another_size_or_place_is_not_wanted() -> None:
    object = assembly()
    assert not object.receive_page(0, 0, 5)
    assert not object.receive_page(0, 0, 0)
    assert not object.receive_page(4, 0, 4)
    assert object.receive_page(3, 0, 2)  # the last page has 134 bytes, and its seal 16


def test_packets_complete_a_page() -> None:
    object = assembly()
    verdicts = [object.receive_packets(0, 0, 1 << index, 4) for index in (2, 2, 0, 3, 1)]
    assert verdicts == [Verdict.STORE, Verdict.IGNORE, Verdict.STORE, Verdict.STORE, Verdict.COMPLETE]
    object.opened(0, 0)
    assert object.receive_packets(0, 0, 1 << 1, 4) is Verdict.IGNORE


def test_a_compressed_page_has_fewer_packets() -> None:
    object = assembly()
    assert object.receive_packets(0, 0, 1 << 1, 2) is Verdict.STORE
    assert object.needs() == (0, 1, [(0, 1, 0b01)])
    assert object.receive_packets(0, 0, 1 << 0, 2) is Verdict.COMPLETE


def test_an_invented_number_of_packets_keeps_no_true_packet_out() -> None:
    object = assembly()
    assert object.receive_packets(0, 0, 1 << 0, 2) is Verdict.STORE
    assert [object.receive_packets(0, 0, 1 << index, 4) for index in range(4)] == [
        *3 * [Verdict.STORE],
        Verdict.COMPLETE,
    ]
    object.opened(0, 0)
    object.written([0])
    assert object.frontier == 1


def test_a_page_of_one_packet() -> None:
    object = Assembly(10, GEOMETRY)
    assert object.receive_packets(0, 0, 1 << 0, 1) is Verdict.COMPLETE
    assert object.receive_packets(0, 1, 1 << 0, 1) is Verdict.COMPLETE


@pytest.mark.parametrize(("page", "index", "count"), [(4, 0, 4), (0, 4, 4), (0, 0, 5), (3, 2, 2), (0, 63, 4)])
def test_packet_that_cannot_be_is_ignored(page: int, index: int, count: int) -> None:
    object = assembly()
    assert object.receive_packets(page, 0, 1 << index, count) is Verdict.IGNORE
    assert object.needs() == (0, 0, [])


def test_generations_gather_side_by_side() -> None:
    object = assembly()
    object.receive_packets(0, 0, 1 << 0, 4)
    assert object.receive_packets(0, 65535, 1 << 1, 4) is Verdict.STORE  # invented by a stranger, perhaps
    assert object.needs() == (0, 1, [(0, 1, 0b1101)])
    verdicts = [object.receive_packets(0, 0, 1 << index, 4) for index in (1, 2, 3)]
    assert verdicts == [Verdict.STORE, Verdict.STORE, Verdict.COMPLETE]
    object.opened(0, 0)
    assert object.receive_packets(0, 65535, 1 << 2, 4) is Verdict.IGNORE
    assert not object.has_rereads


def test_rejected_page_is_needed_wholly_or_as_far_as_it_is_in_doubt() -> None:
    object = assembly()
    for index in range(4):
        object.receive_packets(0, 0, 1 << index, 4)
    object.rejected(0, READING, 0b0110)
    assert object.needs() == (0, 1, [(0, 1, 0b0110)])
    assert object.receive_packets(0, 0, 1 << 0, 4) is Verdict.IGNORE
    assert object.receive_packets(0, 0, 1 << 1, 4) is Verdict.STORE
    assert object.receive_packets(0, 0, 1 << 2, 4) is Verdict.COMPLETE
    object.rejected(0, READING, 0)
    assert object.needs() == (0, 1, [(0, 1, 0)])
    assert object.receive_packets(0, 0, 1 << 1, 4) is Verdict.STORE


def test_pages_without_room_are_needed_again() -> None:
    object = assembly()
    object.receive_packets(0, 0, 1 << 0, 4)
    object.receive_packets(0, 7, 1 << 0, 4)
    object.forget(0, reading_of(7, 4))
    assert object.needs() == (0, 1, [(0, 1, 0b1110)])
    object.forget(0, READING)
    assert object.needs() == (0, 1, [(0, 1, 0)])
    object.forget(0, READING)  # twice changes nothing
    assert object.receive_packets(0, 0, 1 << 0, 4) is Verdict.STORE


def test_needs_hold_runs_and_single_packets() -> None:
    object = assembly(8)
    object.extend_horizon(7)
    for page in (1, 4):
        object.receive_page(page, 0, 4)
        object.opened(page, 0)
    object.receive_packets(3, 0, 1 << 1, 4)
    assert object.needs() == (0, 7, [(0, 1, 0), (2, 1, 0), (3, 1, 0b1101), (5, 2, 0)])
    assert object.missing_packets(object.needs()[2]) == 4 + 4 + 3 + 8


def test_needs_are_cut_where_they_become_too_many() -> None:
    object = assembly(3 * ENTRIES_MAX)
    for page in range(0, 3 * ENTRIES_MAX - 1, 2):
        object.receive_page(page, 0, 4)
        object.opened(page, 0)
    first, end, needs = object.needs()
    assert (first, end, len(needs)) == (0, 2 * ENTRIES_MAX + 1, ENTRIES_MAX)


def test_pages_beyond_the_horizon_are_not_missing() -> None:
    object = assembly()
    assert object.needs() == (0, 0, [])
    object.extend_horizon(100)
    object.extend_horizon(1)
    assert object.needs() == (0, 4, [(0, 4, 0)])


def test_only_wanted_pages_are_needed() -> None:
    object = assembly(8, wanted=[(2, 3), (6, 100)])
    object.extend_horizon(8)
    assert not object.receive_page(0, 0, 4)
    assert object.needs() == (2, 8, [(2, 1, 0), (6, 2, 0)])
    object.written([2, 6, 7])
    assert object.is_whole


def test_an_empty_object_is_whole() -> None:
    assert Assembly(0, GEOMETRY).is_whole
    assert assembly(wanted=[]).is_whole


def test_coded_packet_recovers_one_missing_term() -> None:
    object = assembly()
    object.receive_packets(0, 0, 1 << 0, 4)
    object.receive_page(1, 0, 4)
    object.opened(1, 0)
    assert object.receive_coded(0, [(0, 0), (0, 1), (1, 3)]) == 1
    assert object.receive_coded(0, [(0, 1), (0, 2)]) == -1  # two are missing
    assert object.receive_coded(0, [(0, 0), (1, 3)]) == -1  # none is
    assert object.receive_coded(1, [(0, 0), (1, 3)]) == 0  # packet 0 is here, but of another generation
    assert object.receive_coded(0, [(99, 0), (0, 1)]) == 1  # there is no page 99, so nobody needs it


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 3)), max_size=60))
def test_needed_and_stored_packets_add_up(packets: list[tuple[int, int, int]]) -> None:
    object = Assembly(4 * PAGE, GEOMETRY)
    stored: dict[tuple[int, int], set[int]] = {}
    latest: dict[int, int] = {}  # the generation heard last
    for page, generation, index in packets:
        verdict = object.receive_packets(page, generation, 1 << index, 4)
        here = stored.setdefault((page, generation), set())
        latest[page] = generation
        assert (verdict is Verdict.IGNORE) == (index in here)
        here.add(index)
        assert (verdict is Verdict.COMPLETE) == (verdict is not Verdict.IGNORE and len(here) == 4)
    missing = {page: 15 ^ mask for page, _, mask in object.needs()[2] if mask}
    for page, mask in missing.items():
        assert {index for index in range(4) if mask >> index & 1} == stored[page, latest[page]]


def test_held_pages_are_found_unless_they_are_requested_again() -> None:
    made = Assembly(6 * PAGE, GEOMETRY, wanted=[(2, 3)])
    assert [made.next_held(first, 6) for first in range(6)] == [0, 1, 3, 3, 4, 5]
    assert made.next_held(2, 3) == -1
    assert made.let_pass(3)
    assert made.next_held(2, 6) == 4
