"""Reception: which packets count, and how far everything that was cast has been heard and written."""

from __future__ import annotations

import pytest

from mrsync.protocol.receiving.assembly import Assembly, Verdict
from mrsync.protocol.receiving.reception import Reception
from mrsync.wire.geometry import reading_of
from mrsync.wire.limits import TX_AHEAD_MAX
from mrsync.wire.messages import ObjectKind, ObjectState
from tests.unit.protocol.builders import GEOMETRY, PAGE, page_header, status

KIND = ObjectKind.CONTENTS


def reception(pages: int = 10, *, tx: int = 5) -> Reception:
    """Expects contents, and has heard a status of this tx at 1 s that speaks of no page."""
    made = Reception(0.0)
    made.expect(KIND, Assembly(pages * PAGE, GEOMETRY))
    made.believe(status(tx=tx, objects=(ObjectState(),) * 3), 1.0)
    return made


def take(at: Reception, page: int, tx: int, now: float = 2.0) -> None:
    assert at.receive_page(page_header(KIND, page, tx), now)
    at.page_opened(KIND, page, 0)


def test_nothing_counts_before_a_status_was_believed() -> None:
    at = Reception(0.0)
    at.expect(KIND, Assembly(10 * PAGE, GEOMETRY))
    assert not at.receive_page(page_header(KIND, 0, 1), 0.5)
    assert at.receive_packets(page_header(KIND, 0, 1), 1 << 0, 0.5) is Verdict.IGNORE
    assert at.receive_coded(page_header(KIND, 0, 1), [(0, 0), (1, 0)], 0.5) == -1
    assert (at.tx_seen, at.tx_done) == (0, 0)


@pytest.mark.parametrize(("ahead", "is_taken"), [(TX_AHEAD_MAX, True), (TX_AHEAD_MAX + 1, False)])
def test_a_tx_far_beyond_the_last_status_is_invented(ahead: int, is_taken: bool) -> None:
    assert reception().receive_page(page_header(KIND, 0, 5 + ahead), 2.0) is is_taken
    assert (reception().receive_packets(page_header(KIND, 0, 5 + ahead), 1 << 0, 2.0) is Verdict.STORE) is is_taken
    at = reception()
    at.receive_packets(page_header(KIND, 0, 6), 1 << 0, 2.0)
    assert at.receive_coded(page_header(KIND, 0, 5 + ahead), [(0, 0), (0, 1)], 2.0) == (-1, 1)[is_taken]
    assert at.tx_seen == (5 + ahead if is_taken else 6)


def test_unexpected_objects_are_received_but_not_wanted() -> None:
    at = reception()
    assert ObjectKind.PLAN not in at
    assert not at.receive_page(page_header(ObjectKind.PLAN, 0, 6), 2.0)
    assert at.receive_packets(page_header(ObjectKind.PLAN, 0, 7), 1 << 0, 2.0) is Verdict.IGNORE
    assert at.receive_coded(page_header(ObjectKind.PLAN, 0, 8), [(0, 0)], 2.0) == -1
    assert at.tx_seen == 8


def test_a_generation_that_no_status_spoke_of_is_invented() -> None:
    at = reception()
    for is_announced in (False, True):
        assert at.receive_page(page_header(KIND, 0, 6, generation=2), 2.0) is is_announced
        assert (at.receive_packets(page_header(KIND, 0, 6, generation=2), 1 << 1, 2.0) is Verdict.STORE) is is_announced
        assert (at.receive_coded(page_header(KIND, 0, 6, generation=2), [(0, 0), (0, 1)], 2.0) == 0) is is_announced
        at.believe(status(tx=7, generation=2), 3.0)


def test_reports_speak_of_the_latest_object() -> None:
    at = reception()
    plan = Assembly(PAGE, GEOMETRY)
    at.expect(ObjectKind.PLAN, plan)
    assert at.active is KIND
    assert at.assembly is not plan


def test_tx_done_follows_the_written_pages() -> None:
    at = reception()
    for page in range(3):
        take(at, page, 6 + page)
    at.receive_page(page_header(KIND, 0, 9), 3.0)  # a repair of what is here already
    assert at.tx_seen == 9
    assert at.tx_done < 7
    assert not at.written(KIND, [0, 1], 7, 4.0)
    assert (at.tx_done, at.done_at) == (7, 4.0)
    at.written(KIND, [2], 8, 5.0)
    assert (at.tx_done, at.done_at) == (9, 5.0)  # nothing of what was heard is left to write


def test_an_invented_tx_is_not_done() -> None:
    at = reception()
    take(at, 0, 1000)
    take(at, 1, 1000)
    at.believe(status(tx=8), 3.0)
    at.written(KIND, [0], 1000, 4.0)
    assert at.tx_done == 8


def test_tx_done_follows_tx_seen_with_nothing_to_write() -> None:
    at = reception()
    assert (at.tx_done, at.done_at) == (5, 1.0)
    at.receive_packets(page_header(KIND, 0, 6), 1 << 0, 2.0)
    assert (at.tx_done, at.done_at) == (6, 2.0)
    at.receive_packets(page_header(KIND, 0, 6), 1 << 1, 3.0)
    assert at.done_at == 2.0


def test_a_status_corrects_an_invented_tx() -> None:
    at = reception()
    at.receive_packets(page_header(KIND, 9, 1000), 1 << 0, 2.0)
    at.believe(status(tx=8), 3.0)
    assert (at.tx_seen, at.tx_done) == (8, 8)


def test_an_invented_tx_hides_no_burst_that_ends_later() -> None:
    at = reception()
    last = 1 << 3
    at.receive_packets(page_header(KIND, 9, 1000), last, 2.0)
    at.believe(status(tx=9), 3.0)  # it left while the burst with tx 8 did
    at.receive_packets(page_header(KIND, 0, 8), last, 4.0)
    assert at.receipt(4.5)[3:] == (8, 500_000)


def test_a_repeated_packet_ends_no_burst() -> None:
    at = reception()
    last = 1 << 3
    for tx, now in ((8, 2.0), (8, 2.5)):
        at.receive_packets(page_header(KIND, 0, tx), last, now)
    assert at.receipt(3.0)[3:] == (8, 1_000_000)
    at.believe(status(tx=9), 3.0)
    at.receive_packets(page_header(KIND, 0, 7), last, 4.0)
    assert at.receipt(4.0)[3:] == (8, 2_000_000)


def test_done_at_is_when_it_was_reached() -> None:
    at = reception()
    at.believe(status(tx=5), 3.0)
    assert at.done_at == 1.0


def test_a_status_does_not_hurry_the_disk() -> None:
    at = reception()
    take(at, 0, 6)
    take(at, 1, 7)
    at.believe(status(tx=8), 3.0)
    assert at.tx_seen == 8
    assert at.tx_done < 7


def test_a_status_shows_pages_of_which_nothing_arrived() -> None:
    at = reception()
    assert at.assembly is not None
    assert at.assembly.needs() == (0, 0, [])
    at.believe(status(tx=8, objects=(ObjectState(), ObjectState(), ObjectState(10 * PAGE, 3))), 3.0)
    assert at.assembly.needs() == (0, 3, [(0, 3, 0)])


def test_a_page_with_a_bad_seal_is_wanted_again() -> None:
    at = reception()
    for index in range(4):
        at.receive_packets(page_header(KIND, 0, 6), 1 << index, 2.0)
    at.page_rejected(KIND, 0, reading_of(0, 4), 0)
    assert at.receive_packets(page_header(KIND, 0, 7), 1 << 0, 2.0) is Verdict.STORE


def test_an_opened_page_is_not_wanted_again() -> None:
    at = reception()
    take(at, 0, 6)
    assert not at.receive_page(page_header(KIND, 0, 7), 2.0)


def test_an_object_is_whole_with_its_last_page() -> None:
    at = reception(2)
    take(at, 1, 6)
    take(at, 0, 7)
    assert not at.written(KIND, [1], 6, 3.0)
    assert at.written(KIND, [0], 7, 3.0)
