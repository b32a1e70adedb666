from __future__ import annotations

from collections.abc import Callable

from mrsync.protocol.receiving.passage import ASKED_MAX, Passage
from mrsync.wire.messages import ObjectKind
from tests.unit.protocol.builders import GEOMETRY, PAGE

CHILD = 4


def passage(pages: int = 10) -> Passage:
    return Passage(ObjectKind.CONTENTS, pages * PAGE, GEOMETRY)


def test_each_page_is_sent_once_and_a_late_one_first() -> None:
    made = passage()
    made.offer(3)
    assert made.first_send(1).page == 3
    for page in (4, 9, 1, 3, 6, 10):
        made.offer(page)
    assert [made.first_send(tx).page for tx in (2, 3, 4, 5)] == [1, 4, 6, 9]
    assert made.is_sent
    made.offer(1)
    assert made.is_sent
    assert (made.next_page, made.pages_sent) == (10, 5)


def test_unsent_pages_are_not_missing() -> None:
    made = passage()
    made.offer(5)
    made.first_send(1)
    made.receive_claim(CHILD, 9, 10, ((0, 10, 0),))
    assert made.choose_pages(10, lambda page, sent: True) == [5]


def test_page_that_comes_late_is_not_lost_on_this_hop() -> None:
    made = passage()
    for page in (2, 5):
        made.offer(page)
    for tx in (1, 2):
        made.first_send(tx)
    made.receive_claim(CHILD, 9, 6, ((0, 6, 0),))
    assert made.claimed_packets(CHILD, 0, 6) == (2 * GEOMETRY.packets, 0, 1)


def test_only_pages_neither_sent_nor_queued_are_requested() -> None:
    made = passage()
    made.offer(2)
    made.offer(5)
    made.first_send(1)
    assert list(made.asked(((1, 5, 0), (8, 1, 3)), held_from(0))) == [1, 3, 4, 8]
    assert list(made.asked(((1, 5, 0), (8, 1, 3)), held_from(4))) == [4, 8]
    assert list(made.asked(((1, 5, 0), (8, 1, 3)), held_from(9))) == []


def held_from(start: int) -> Callable[[int, int], int]:
    """A relay has received all pages from this one on."""
    return lambda first, end: max(first, start) if max(first, start) < end else -1


def test_a_bounded_number_is_asked_for() -> None:
    assert len(list(passage(1000).asked(((0, 1000, 0),), held_from(0)))) == ASKED_MAX


def test_a_forgotten_page_can_be_offered_again_and_is_not_missed_meanwhile() -> None:
    made = passage()
    made.offer(5)
    made.first_send(1)
    made.forget_page(5)
    made.receive_claim(CHILD, 9, 10, ((5, 1, 0),))
    assert made.choose_pages(10, lambda page, sent: True) == []
    made.offer(5)
    assert made.first_send(2).page == 5


def test_queue_is_dropped_when_the_child_is_silent() -> None:
    made = passage()
    made.offer(5)
    made.offer(6)
    made.first_send(1)
    made.forget_waiting()
    assert (made.waiting, made.knows(5), made.knows(6)) == (0, True, False)
