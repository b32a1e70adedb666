"""Window and pace that leave others their share."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.courtesy import SENT_MAX, Courtesy
from mrsync.protocol.pace.queue_signals import TAIL_PACKETS
from mrsync.wire.messages import NetworkShare, ObjectKind, Report

PAGE = 44
TAIL = 20  # packets of a page that a full queue drops
SAID = Report(0, 5, 0, ObjectKind.CONTENTS, 0, 0, 0, 0, 0, 0, 0, 1 << 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b"", 0, 0, ())


class Reports:
    """Pages to some listeners, each seen after its own round trip."""

    def __init__(self, share: NetworkShare, listeners: int = 1) -> None:
        self.courtesy = Courtesy(share)
        self.courtesy.listen_to(range(listeners))
        self.now = 1.0
        self.tx = 0

    def page(self, *round_trips: float, lost: tuple[int, ...] = (), packets: int = 1, marked: int = 0) -> None:
        """Send a page; each listener reports it. lost: the listeners that lost this number of packets of it."""
        self.tx += 1
        self.courtesy.on_sent(self.tx, PAGE)
        self.courtesy.on_left(self.tx, self.now)
        self.courtesy.note(is_limiting=True)
        for listener, rtt_s in enumerate(round_trips):
            self.courtesy.on_heard(listener, PAGE, packets if listener in lost else 0, self.tx)
            said = SAID._replace(tx_seen=self.tx, ended_tx=self.tx, ended_hold_us=1000, packets_marked=marked)
            self.courtesy.on_report(listener, self.tx - 1, said, self.tx, self.now + rtt_s + 0.001)
        self.now += 0.1

    def pages(self, count: int, *round_trips: float) -> None:
        for _ in range(count):
            self.page(*round_trips)


def test_a_share_of_all_limits_nothing() -> None:
    way = Reports(NetworkShare.ALL)
    way.pages(5, 0.05)
    way.page(0.05, lost=(0,))
    assert way.courtesy.size == float("inf")
    assert way.courtesy.gap_s == 0
    assert way.courtesy.sent < way.courtesy.open_until([0], PAGE)


@pytest.mark.parametrize("share", [NetworkShare.FAIR, NetworkShare.POLITE])
def test_a_loss_at_a_long_queue_is_congestion(share: NetworkShare) -> None:
    way = Reports(share)
    way.page(0.001)
    way.pages(4, 0.02)
    size = way.courtesy.size
    way.page(0.02, lost=(0,), packets=TAIL)
    assert way.courtesy.size < 0.8 * size


def test_bursts_that_were_never_sent_show_no_round_trip() -> None:
    way = Reports(NetworkShare.POLITE)
    way.pages(3, 0.02)
    invented = SAID._replace(tx_seen=3, ended_tx=3 + SENT_MAX, ended_hold_us=0)  # remembered where the third one is
    way.courtesy.on_report(0, 2, invented, 3, way.now)
    assert not way.courtesy.sees_full_queue(0)
    way.pages(3, 0.05)
    assert way.courtesy.sees_full_queue(0), "later ones count"


def test_late_programs_leave_no_full_queue_behind() -> None:
    way = Reports(NetworkShare.FAIR)
    way.page(0.001)
    way.pages(2, 0.02)
    assert way.courtesy.sees_full_queue(0)
    way.pages(3, 0.001)
    assert not way.courtesy.sees_full_queue(0), "its losses come from elsewhere"
    assert not way.courtesy.sees_full_queue(1), "nobody follows it"


def test_few_losses_of_bursts_that_leave_whole_are_no_full_queue() -> None:
    way = Reports(NetworkShare.FAIR)
    way.page(0.001)
    way.pages(4, 0.02)
    size = way.courtesy.size
    for _ in range(4):
        way.page(0.02, lost=(0,), packets=TAIL_PACKETS - 1)
    assert way.courtesy.size >= size
    assert way.courtesy.gap_s == 0.0


def test_each_loss_counts_at_a_long_queue_once_packets_are_spread() -> None:
    way = congested_by_noise()
    way.pages(4, 0.02)
    size = way.courtesy.size
    way.page(0.02, lost=(0,))
    assert way.courtesy.size < 0.8 * size


def test_as_much_as_is_lost_where_nothing_queues_is_noise_at_a_long_queue() -> None:
    way = Reports(NetworkShare.FAIR)
    way.page(0.001)
    way.pages(4, 0.02)
    way.page(0.02, lost=(0,), packets=TAIL)
    for _ in range(20):
        way.page(0.001, lost=(0,))
    way.pages(4, 0.015)
    size = way.courtesy.size
    way.page(0.015, lost=(0,))
    assert way.courtesy.size >= size


def test_a_loss_where_nothing_queues_is_noise() -> None:
    way = Reports(NetworkShare.FAIR)
    way.pages(5, 0.001)
    size = way.courtesy.size
    way.page(0.001, lost=(0,))
    assert way.courtesy.size >= size


def test_a_loss_at_a_queue_that_is_nearly_empty_is_noise() -> None:
    way = Reports(NetworkShare.FAIR)
    way.page(0.001)
    way.pages(4, 0.1)
    way.pages(4, 0.02)
    size = way.courtesy.size
    way.page(0.02, lost=(0,))
    assert way.courtesy.size >= size


def test_a_mark_of_a_router_is_heeded_whatever_queues() -> None:
    way = Reports(NetworkShare.FAIR)
    way.pages(5, 0.001)
    size = way.courtesy.size
    way.page(0.001, marked=1)
    assert way.courtesy.size < 0.8 * size
    size = way.courtesy.size
    way.page(0.001, marked=1)  # the same one
    assert way.courtesy.size >= size


def test_losses_of_others_are_not_added_up() -> None:
    way = Reports(NetworkShare.FAIR, 2)
    way.page(0.001, 0.001)
    way.pages(4, 0.02, 0.001)
    size = way.courtesy.size
    way.page(0.02, 0.001, lost=(1,))
    assert way.courtesy.size >= size


def test_a_new_monitor_begins_with_the_smallest_window() -> None:
    way = Reports(NetworkShare.FAIR)
    way.page(0.001)
    way.pages(4, 0.02)
    way.page(0.02, lost=(0,), packets=TAIL)
    size = way.courtesy.size
    way.courtesy.listen_to([7])
    assert way.courtesy.size == size


def congested_by_noise(listeners: int = 1) -> Reports:
    """Return a session whose listener 0 lost some packets while much queued, and loses as many where nothing does."""
    made = Reports(NetworkShare.FAIR, listeners)
    made.page(0.001)
    made.pages(4, 0.02)
    made.page(0.02, lost=(0,), packets=TAIL_PACKETS)
    return made


def test_a_cut_because_of_noise_is_taken_back() -> None:
    noisy, quiet = congested_by_noise(), congested_by_noise()
    for _ in range(6):
        noisy.page(0.001, lost=(0,), packets=TAIL_PACKETS)
        quiet.page(0.001)
    assert noisy.courtesy.size > 1.2 * quiet.courtesy.size
    assert noisy.courtesy.gap_s == 0.0 < quiet.courtesy.gap_s


def test_a_monitor_that_took_over_a_cut_for_noise_is_freed_of_it_too() -> None:
    way = congested_by_noise()
    way.courtesy.listen_to([0, 1])
    before = way.courtesy.size
    for _ in range(6):
        way.page(0.001, 0.001, lost=(0,), packets=TAIL_PACKETS)
    way.courtesy.listen_to([1])
    assert way.courtesy.size > 1.3 * before


def test_a_path_is_remembered_until_its_listener_is_a_monitor_again() -> None:
    way = congested_by_noise()
    for _ in range(20):
        way.page(0.001, lost=(0,))
    way.courtesy.listen_to([1])
    way.courtesy.listen_to([0])
    way.pages(4, 0.015)
    size = way.courtesy.size
    way.page(0.015, lost=(0,))
    assert way.courtesy.size >= size


def test_packets_leave_evenly_after_congestion() -> None:
    way = Reports(NetworkShare.FAIR)
    way.page(0.001)
    way.pages(4, 0.02)
    way.page(0.02, lost=(0,), packets=TAIL)
    assert 0.0001 < way.courtesy.gap_s < 0.01


def test_a_full_window_is_closed() -> None:
    way = Reports(NetworkShare.FAIR)
    for tx in range(1, 10):
        way.courtesy.on_sent(tx, PAGE)
    assert way.courtesy.sent >= way.courtesy.open_until([0, 1], PAGE)
    assert way.courtesy.open_until([1], PAGE) == float("inf")  # nobody listens to that one


def test_the_path_to_one_is_known_when_it_becomes_a_monitor_with_its_queue_full() -> None:
    way = Reports(NetworkShare.FAIR, 2)
    way.courtesy.listen_to([0])
    way.page(0.001, 0.001)
    way.courtesy.listen_to([1])
    way.pages(4, 0.001, 0.02)
    size = way.courtesy.size
    way.page(0.001, 0.02, lost=(1,), packets=TAIL)
    assert way.courtesy.size < 0.8 * size
