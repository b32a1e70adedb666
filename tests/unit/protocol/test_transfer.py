"""Transfer: which claims are believed."""

from __future__ import annotations

from mrsync.protocol.ranges import RangeSet
from mrsync.protocol.sends import SendPage
from mrsync.protocol.transfer import CLAIM_PAGES_MAX, Transfer
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind

GEOMETRY = Geometry(100, 4)
WHOLE = 0b1111


def sent(pages: int = 10, *, size_pages: int | None = None) -> Transfer:
    """A transfer of which so many pages were sent as tx 1, 2, ..."""
    transfer = Transfer(ObjectKind.CONTENTS, (size_pages or pages) * GEOMETRY.page_bytes, GEOMETRY)
    for tx in range(1, pages + 1):
        transfer.first_send(tx)
    return transfer


def test_pages_go_in_order_and_end() -> None:
    transfer = sent(2, size_pages=3)
    assert not transfer.is_sent
    assert transfer.first_send(7) == SendPage(ObjectKind.CONTENTS, 2, 0, 7)
    assert transfer.is_sent
    assert Transfer(ObjectKind.PLAN, 0, GEOMETRY).is_sent


def test_a_claim_counts_only_from_who_saw_a_later_tx() -> None:
    transfer = sent()
    assert transfer.receive_claim(1, 5, 10, [(4, 1, 0b1)]) == 0  # page 4 was tx 5: it may be arriving
    assert transfer.missing_pages == 0
    assert transfer.receive_claim(1, 6, 10, [(4, 1, 0b1)]) == 1
    assert transfer.all_missing() == [4]


def test_losses_are_counted_once() -> None:
    transfer = sent()
    assert transfer.receive_claim(1, 11, 10, [(3, 2, 0)]) == 8
    assert transfer.receive_claim(1, 11, 10, [(3, 2, 0)]) == 0


def test_what_was_never_sent_or_does_not_exist_is_not_missing() -> None:
    transfer = sent(3, size_pages=5)
    assert transfer.receive_claim(1, 9, 99, [(2, 90, 0)]) == 4
    assert transfer.all_missing() == [2]
    assert transfer.take(2) == {1: WHOLE}


def test_a_mask_beyond_the_page_says_all_of_it() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(0, 1, 1 << 60)])
    assert transfer.take(0) == {1: WHOLE}


def test_what_a_later_claim_does_not_name_is_held_as_far_as_it_speaks() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(2, 1, 1), (4, 1, 1), (8, 1, 1)])
    transfer.receive_claim(2, 11, 10, [(2, 1, 2)])
    transfer.receive_claim(1, 11, 5, [(4, 1, 1)])
    assert transfer.all_missing() == [2, 4, 8]
    assert transfer.take(2) == {2: 2}


def test_a_planned_page_is_not_missing_until_its_repair_was_sent_and_seen() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(2, 1, 1)])
    transfer.take(2)
    assert transfer.receive_claim(1, 1000, 10, [(2, 1, 1)]) == 0
    transfer.on_repaired(2, 20)
    assert transfer.receive_claim(1, 20, 10, [(2, 1, 1)]) == 0
    assert transfer.receive_claim(1, 21, 10, [(2, 1, 1)]) == 1


def test_ripe_is_what_all_have_seen_and_spoken_of() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(7, 1, 1), (2, 1, 1), (4, 1, 1)])
    assert transfer.ripe_pages(11, 10) == [2, 4, 7]
    assert transfer.ripe_pages(6, 10) == [2, 4]
    assert transfer.ripe_pages(11, 4) == [2]


def test_nobody_misses_anything_for_a_target_that_is_lost() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(2, 2, 0)])
    transfer.receive_claim(2, 11, 10, [(3, 1, 1)])
    transfer.forget_target(1)
    transfer.forget_target(9)
    assert transfer.all_missing() == [3]
    assert transfer.take(3) == {2: 1}


def test_a_claim_is_taken_up_to_a_limit() -> None:
    transfer = sent(CLAIM_PAGES_MAX + 10)
    transfer.receive_claim(1, 10**6, CLAIM_PAGES_MAX + 10, [(0, CLAIM_PAGES_MAX + 10, 0)])
    assert transfer.missing_pages == CLAIM_PAGES_MAX


def test_what_nobody_wants_is_skipped() -> None:
    transfer = sent(2, size_pages=9)
    transfer.skip_unwanted(RangeSet([(0, 1), (4, 6), (8, 99)]))
    assert (transfer.next_page, transfer.pages_sent, transfer.pages_left) == (4, 2, 3)
    assert [transfer.first_send(tx).page for tx in (5, 6, 7)] == [4, 5, 8]
    assert transfer.is_sent
    assert (transfer.next_page, transfer.pages_sent, transfer.pages_left) == (9, 5, 0)


def test_what_was_skipped_is_repaired_for_who_misses_it() -> None:
    transfer = sent(2, size_pages=4)
    transfer.skip_unwanted(RangeSet())
    assert transfer.is_sent
    assert transfer.receive_claim(1, 3, 4, [(3, 1, 0)]) == 4
    assert transfer.take(3) == {1: WHOLE}
