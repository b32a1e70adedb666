"""How many packets arrive in a second."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.deliveries import SAMPLE_S, SPAN_S, Deliveries


def arrive(deliveries: Deliveries, packets: int, every_s: float, first_s: float, end_s: float) -> None:
    now = first_s
    while now < end_s:
        deliveries.add(packets, now, is_full=True)
        now += every_s


def test_nothing_is_known_before_a_first_sample() -> None:
    deliveries = Deliveries()
    arrive(deliveries, 44, SAMPLE_S / 4, 0.0, SAMPLE_S / 2)
    assert deliveries.packets_s == deliveries.recent_packets_s == 0


def test_a_rate_is_packets_by_time() -> None:
    deliveries = Deliveries()
    arrive(deliveries, 44, 0.005, 0.0, 1.0)
    assert deliveries.packets_s == pytest.approx(8800)
    assert deliveries.recent_packets_s == pytest.approx(8800)
    assert deliveries.feedback_s == pytest.approx(0.005)


def test_pauses_of_the_program_say_nothing_about_the_path() -> None:
    deliveries = Deliveries()
    arrive(deliveries, 44, 0.005, 0.0, 0.5)
    for at in range(10):
        deliveries.add(1, 0.5 + 0.1 * at, is_full=False)
    arrive(deliveries, 44, 0.005, 1.5, 2.0)
    assert deliveries.recent_packets_s == pytest.approx(8800, rel=0.01)


def test_the_largest_rate_counts_for_a_while() -> None:
    deliveries = Deliveries()
    arrive(deliveries, 44, 0.005, 0.0, 0.5)
    arrive(deliveries, 22, 0.005, 0.5, 0.9)
    assert deliveries.packets_s == pytest.approx(8800)
    assert deliveries.recent_packets_s < 4800
    arrive(deliveries, 22, 0.005, 0.9, 1 + 3 * SPAN_S)
    assert deliveries.packets_s == pytest.approx(4400)
