from __future__ import annotations

import pytest

from mrsync.protocol.core.lateness import APART_FROM_S, APART_MAX_S, Lateness

LISTENERS = (1, 2, 3)


def told(lateness: Lateness, count: int) -> None:
    """Statuses with tx 10, 20, ... every 0.1 s."""
    for number in range(count):
        lateness.note_status(10 * number + 10, LISTENERS, number / 10)


def test_lateness_is_the_age_of_the_first_status_that_a_listener_has_not_heard() -> None:
    lateness = Lateness()
    told(lateness, 11)
    for listener, tx_seen in ((1, 110), (2, 35), (3, 10)):
        lateness.receive(listener, tx_seen, 1.1)
    assert [lateness.of(listener) for listener in LISTENERS] == pytest.approx([0.0, 0.8, 1.0])


def test_one_late_listener_says_nothing_of_the_others() -> None:
    lateness = Lateness()
    told(lateness, 20)
    lateness.receive(1, 10, 2.0)
    lateness.note_status(300, LISTENERS, 2.0)
    assert (lateness.typical_s, lateness.apart_s) == (0.0, 0.0)
    lateness.receive(2, 130, 2.0)
    lateness.note_status(310, LISTENERS, 2.0)
    assert lateness.typical_s == pytest.approx(0.7)
    assert lateness.apart_s == pytest.approx(0.7 - APART_FROM_S)
    lateness.receive(3, 10, 2.0)
    lateness.note_status(320, LISTENERS, 2.0)
    assert lateness.apart_s == APART_MAX_S


def test_a_listener_without_news_is_not_late() -> None:
    lateness = Lateness()
    told(lateness, 3)
    for now in (0.25, 9.0):
        lateness.receive(1, 30, now)
        lateness.receive(2, 0, now)
    assert (lateness.of(1), lateness.of(2)) == (0.0, 0.0)


def test_statuses_that_leave_late_count_at_once_and_are_forgotten_slowly() -> None:
    lateness = Lateness()
    lateness.note_status(10, LISTENERS, 1.0, due_at=1.2)
    assert lateness.own_s == 0.0, "a poll is early"
    for number in range(4):
        lateness.note_status(20 + number, LISTENERS, 2.3 + number, due_at=2.0 + number)
    late_s = lateness.own_s
    assert 0.25 < late_s < 0.3
    for number in range(4):
        lateness.note_status(30 + number, LISTENERS, 9.0 + number, due_at=9.0 + number)
    assert 0.6 * late_s < lateness.own_s < late_s
