"""Transfer: which claims are believed."""

from __future__ import annotations

from mrsync.protocol.core.sends import SendPage
from mrsync.protocol.sending.transfer import OUTAGE_PAGES, Transfer
from mrsync.ranges import RangeSet
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind

GEOMETRY = Geometry(100, 4)
WHOLE = 0b1111


def sent(pages: int = 10, *, size_pages: int | None = None) -> Transfer:
    """Return a transfer of which this many pages were sent as tx 1, 2, ..."""
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


def test_skipped_pages_do_not_count_as_sent() -> None:
    wanted = RangeSet([(0, 2), (5, 8), (9, 10)])
    transfer = sent(0, size_pages=12)
    transfer.skip_unwanted(wanted)
    pages: list[int] = []
    while not transfer.is_sent:
        pages.append(transfer.first_send(len(pages) + 1).page)
        for page in range(13):
            assert transfer.sent_below(page) == len([sent for sent in pages if sent < page])
    assert pages == [0, 1, 5, 6, 7, 9]


def always(page: int, tx: int) -> bool:
    return True


def missing(transfer: Transfer) -> list[int]:
    """All pages that somebody is believed to miss."""
    return transfer.choose_pages(1000, always)


def test_claim_counts_only_after_a_later_tx_was_seen() -> None:
    transfer = sent()
    transfer.receive_claim(1, 5, 10, [(4, 1, 0b1)])  # page 4 was tx 5: it may be arriving
    assert transfer.is_missed
    assert missing(transfer) == []
    transfer.receive_claim(1, 6, 10, [(4, 1, 0b1)])
    assert missing(transfer) == [4]


def test_claims_are_counted_by_page() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(1, 1, 0b101), (3, 4, 0)])
    counts = [transfer.claimed_packets(1, *pages)[0] for pages in ((0, 10), (0, 3), (4, 6), (7, 10))]
    assert counts == [18, 2, 8, 0]
    assert transfer.claimed_packets(2, 0, 10) == (0, 0, 0)
    assert transfer.claimed_packets(1, 1, 2) == (2, 0, 2), "in two runs"


def test_last_page_that_is_claimed_whole_counts_the_packets_that_it_has() -> None:
    transfer = Transfer(ObjectKind.PLAN, GEOMETRY.page_bytes + 10, GEOMETRY)
    transfer.first_send(1)
    transfer.first_send(2)
    transfer.receive_claim(1, 3, 2, [(0, 2, 0)])
    assert transfer.claimed_packets(1, 0, 2)[0] == 4 + 1
    assert transfer.claimed_packets(1, 0, 1)[0] == 4


def test_outages_are_told_from_losses() -> None:
    transfer = sent(20)
    transfer.receive_claim(1, 21, 20, [(0, 2, 0), (4, OUTAGE_PAGES, 0)])
    assert transfer.claimed_packets(1, 0, 6) == (16, 8, 1)


def test_received_repairs_are_counted() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(2, 1, 0b11), (5, 1, 0b1)])
    transfer.take([2, 5])
    transfer.on_repaired(2, 20)
    transfer.on_repaired(5, 30)
    transfer.receive_claim(1, 25, 10, [(2, 1, 0b10), (5, 1, 0b1)])
    assert transfer.heard_repairs(1, 25, 0) == (2, 1, 1, 1)
    assert transfer.heard_repairs(1, 25, 0) == (0, 0, 0, 0)
    transfer.receive_claim(1, 35, 10, [(2, 1, 0b10)])
    assert transfer.heard_repairs(1, 35, 30) == (0, 0, 0, 0), "it left before what is asked about"


def test_pages_sent_before_a_tx_those_skipped_among_them() -> None:
    transfer = sent(2, size_pages=9)
    transfer.skip_unwanted(RangeSet([(4, 6)]))
    transfer.first_send(7)
    assert [transfer.sent_before(tx) for tx in (1, 2, 3, 7, 8)] == [0, 1, 4, 4, 5]


def test_pages_sent_up_to_a_tx_and_those_skipped_at_the_end() -> None:
    transfer = sent(2, size_pages=9)
    transfer.skip_unwanted(RangeSet([(4, 5)]))
    transfer.first_send(7)
    assert [transfer.sent_up_to(tx) for tx in (0, 1, 2, 6, 7)] == [0, 1, 4, 4, 9]


def test_unsent_and_unknown_pages_are_not_missing() -> None:
    transfer = sent(3, size_pages=5)
    transfer.receive_claim(1, 9, 99, [(2, 90, 0)])
    assert missing(transfer) == [2]
    assert transfer.take([2]) == [{1: WHOLE}]


def test_a_mask_beyond_the_page_means_the_whole_page() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(0, 1, 1 << 60)])
    assert transfer.take([0]) == [{1: WHOLE}]


def test_pages_in_the_range_of_a_claim_but_not_named_count_as_held() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(2, 1, 1), (4, 1, 1), (7, 2, 0)])
    transfer.receive_claim(2, 11, 10, [(2, 1, 2)])
    transfer.receive_claim(1, 11, 8, [(4, 1, 1)])
    assert missing(transfer) == [2, 4, 8]
    assert transfer.take([2, 8]) == [{2: 2}, {1: WHOLE}]


def test_a_claim_that_begins_later_keeps_earlier_claims() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 6, [(0, 3, 0), (4, 1, 1)])
    transfer.receive_claim(1, 11, 10, [(7, 1, 1)], first=6, frontier=0)
    assert missing(transfer) == [0, 1, 2, 4, 7]
    transfer.receive_claim(1, 12, 10, [(9, 1, 1)], first=5, frontier=2)
    assert missing(transfer) == [2, 4, 9], "what it holds by now is not claimed"
    transfer.receive_claim(1, 13, 4, [(3, 1, 1)], first=2, frontier=2)
    assert missing(transfer) == [3, 4, 9]


def test_a_planned_page_is_not_missing_until_its_repair_was_sent_and_seen() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(2, 1, 1)])
    transfer.take([2])
    transfer.receive_claim(1, 1000, 10, [(2, 1, 1)])
    assert missing(transfer) == []
    transfer.on_repaired(2, 1001)
    transfer.receive_claim(1, 1001, 10, [(2, 1, 1)])
    assert missing(transfer) == []
    transfer.receive_claim(1, 1002, 10, [(2, 1, 1)])
    assert missing(transfer) == [2]


def test_only_ripe_pages_are_chosen() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(2, 1, 1), (4, 1, 1), (7, 1, 1)])
    assert transfer.choose_pages(9, lambda page, tx: (page, tx) == (4, 5)) == [4]


def test_first_missing_pages_of_all_targets_come_first() -> None:
    transfer = sent(100)
    transfer.receive_claim(1, 101, 100, [(0, 80, 0)])
    transfer.receive_claim(2, 101, 100, [(90, 1, 1), (95, 1, 1)])
    assert transfer.choose_pages(6, always) == [0, 1, 2, 3, 90, 95]
    assert transfer.choose_pages(6, always, but={1}) == [90, 95]


def test_pages_owed_to_a_target() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(2, 1, 1)])
    assert transfer.owes(1, 10)
    assert not transfer.owes(2, 10)
    transfer.take([2])
    assert transfer.owes(1, 10)
    transfer.on_repaired(2, 20)
    assert not transfer.owes(1, 10), "it was sent"
    assert not transfer.owes(1, 30), "it is under way"
    transfer.receive_claim(1, 21, 10, [(2, 1, 1)])
    assert transfer.owes(1, 30)


def test_lost_target_claims_nothing() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(2, 2, 0)])
    transfer.receive_claim(2, 11, 10, [(3, 1, 1)])
    transfer.take([2])
    assert transfer.is_wanted(2)
    transfer.forget_target(1)
    transfer.forget_target(9)
    assert not transfer.is_wanted(2)
    assert missing(transfer) == [3]
    assert transfer.take([3]) == [{2: 1}]


def test_a_long_claim_costs_little_until_its_pages_are_chosen() -> None:
    transfer = sent(5000)
    transfer.receive_claim(1, 10**6, 5000, [(0, 5000, 0)])
    assert transfer.choose_pages(128, always) == list(range(128))


def test_unneeded_pages_are_skipped() -> None:
    transfer = sent(2, size_pages=9)
    transfer.skip_unwanted(RangeSet([(0, 1), (4, 6), (8, 99)]))
    assert (transfer.next_page, transfer.pages_sent, transfer.pages_left) == (4, 2, 3)
    assert [transfer.first_send(tx).page for tx in (5, 6, 7)] == [4, 5, 8]
    assert transfer.is_sent
    assert (transfer.next_page, transfer.pages_sent, transfer.pages_left) == (9, 5, 0)


def test_skipped_pages_are_repaired_for_targets_that_miss_them() -> None:
    transfer = sent(2, size_pages=4)
    transfer.skip_unwanted(RangeSet())
    assert transfer.is_sent
    transfer.receive_claim(1, 3, 4, [(3, 1, 0)])
    assert transfer.take([3]) == [{1: WHOLE}]


def test_a_claim_below_the_frontier_keeps_all_later_ones_in_order() -> None:
    transfer = sent()
    transfer.receive_claim(1, 11, 10, [(0, 9, 0)])
    transfer.receive_claim(1, 12, 10, [(3, 1, 0), (8, 1, 0)], first=3, frontier=6)
    assert missing(transfer) == [3, 8]
    assert transfer.take([3, 8]) == [{1: WHOLE}, {1: WHOLE}]
