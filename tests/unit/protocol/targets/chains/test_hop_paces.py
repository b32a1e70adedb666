"""Which relay passes pages on too slowly."""

from __future__ import annotations

import pytest

from mrsync.protocol.targets.chains.hop_paces import SPAN_S, SPAN_WAITS, WAIT_S, WAITING_MAX, WAITING_MIN, HopPaces
from mrsync.wire.messages import Feeding, Hop

SPANS = 3


def hop(relay: int, pages: int, waiting: int) -> Hop:
    return Hop(
        target=relay,
        instance=1,
        counter=1,
        number=1,
        feeding=Feeding.FED,
        pages_forwarded=pages,
        packets_repaired=0,
        pages_waiting=waiting,
        window_bursts=8,
    )


def paces(**pages_s: tuple[int, int]) -> HopPaces:
    """Return relays a, b, ... (0, 1, ...) by how many pages a second they pass on, and how many wait."""
    made = HopPaces()
    for span in range(SPANS):
        for relay, (rate, waiting) in enumerate(pages_s.values()):
            made.receive(relay, hop(relay, int(rate * span * SPAN_S), waiting), span * SPAN_S)
    return made


def test_relay_that_takes_three_times_as_long_is_slow() -> None:
    assert [paces(a=(90, 0), b=(28, WAITING_MAX)).is_slow(relay) for relay in (0, 1)] == [False, True]
    assert not paces(a=(90, 0), b=(32, WAITING_MAX)).is_slow(1)


def test_where_hosts_wait_for_processors_a_slow_relay_is_a_slower_one_for_longer() -> None:
    made = HopPaces()
    made.late_s = WAIT_S
    span_s = SPAN_S + SPAN_WAITS * WAIT_S
    for at in range(2 * SPANS + 1):
        for relay, rate in enumerate((90, 28, 12)):
            made.receive(relay, hop(relay, int(rate * at * span_s / 2), WAITING_MAX), at * span_s / 2)
    assert [made.is_slow(relay) for relay in range(3)] == [False, False, True]
    made.receive(2, hop(2, int(90 * SPANS * span_s), WAITING_MAX), SPANS * span_s + SPAN_S)
    assert made.is_slow(2), "it was fast for too short a time"


def test_what_the_caster_sends_shows_that_the_first_relay_is_slow_but_only_once() -> None:
    made = paces(a=(28, WAITING_MAX))
    assert not made.is_slow(0)
    for span in range(SPANS):
        made.note_arrived(int(90 * span * SPAN_S), span * SPAN_S)
    assert made.is_slow(0)
    made.forget(0)
    for span in range(SPANS, 2 * SPANS):
        made.note_arrived(int(90 * span * SPAN_S), span * SPAN_S)
        made.receive(1, hop(1, int(28 * span * SPAN_S), WAITING_MAX), span * SPAN_S)
    assert not made.is_slow(1), "all uplinks are as slow"


def test_relay_at_which_little_waits_is_not_slow() -> None:
    assert not paces(a=(200, 0), b=(1, WAITING_MAX - 1)).is_slow(1)
    assert not paces(a=(9, 0), b=(1, WAITING_MIN - 1)).is_slow(1)
    assert paces(a=(9, 0), b=(1, WAITING_MIN)).is_slow(1), "a slow link fills no large queue"


@pytest.mark.parametrize(("pages_s", "is_slow"), [(28, False), (8, True)])
def test_after_a_change_only_later_rates_count_or_a_tenth_of_the_best(pages_s: int, is_slow: bool) -> None:
    """All may have become slow, and each new order of the chain costs time."""
    made = paces(a=(90, 0), b=(28, WAITING_MAX))
    made.forget(0)
    for span in range(SPANS, 2 * SPANS):
        passed_on = 28 * SPANS + pages_s * (span - SPANS)
        made.receive(1, hop(1, int(passed_on * SPAN_S), WAITING_MAX), span * SPAN_S)
    assert made.is_slow(1) is is_slow


def test_relay_with_another_child_is_judged_anew() -> None:
    made = paces(a=(200, 0), b=(1, WAITING_MAX))
    assert made.waits(1)
    made.forget(1)
    assert not made.is_slow(1)
    assert not made.waits(1)
