"""What reports show of the path to one listener."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.loss_verdict import LossVerdict
from mrsync.protocol.pace.queue_signals import TAIL_PACKETS, TAIL_SHARE, QueueSignals

WAY_S, DEPTH_S = 0.001, 0.02
PAGE, PAGE_S = 44, 0.005


def way(queue_s: float) -> QueueSignals:
    """A path with a queue of DEPTH_S, in which this much queues; 8800 packets per second arrive."""
    made = QueueSignals()
    for rtt_s in (WAY_S, *[WAY_S + DEPTH_S] * 3, *[WAY_S + queue_s] * 3):
        made.queueing.add(rtt_s, 0.0)
    for at in range(100):
        made.deliveries.add(PAGE, PAGE_S * at, is_full=True)
    return made


def judge(path: QueueSignals, packets: int, lost: int, first_tx: int = 1, *, is_settled: bool = True) -> LossVerdict:
    return path.judge(packets, lost, first_tx, 1.0, is_settled=is_settled)


def fill_queue(path: QueueSignals, queue_s: float) -> None:
    for _ in range(3):
        path.queueing.add(WAY_S + queue_s, 1.0)


def test_a_loss_where_much_queues_is_congestion() -> None:
    made = way(0.9 * DEPTH_S)
    assert judge(made, PAGE, 0) is LossVerdict.NOTHING
    assert judge(made, PAGE, 1) is LossVerdict.CONGESTION


@pytest.mark.parametrize(
    ("packets", "lost", "verdict"),
    [
        (PAGE, TAIL_PACKETS - 1, LossVerdict.NOTHING),
        (PAGE, TAIL_PACKETS, LossVerdict.CONGESTION),
        (TAIL_PACKETS * TAIL_SHARE + 1, TAIL_PACKETS, LossVerdict.NOTHING),  # spread over many pages
        (TAIL_PACKETS * TAIL_SHARE, TAIL_PACKETS, LossVerdict.CONGESTION),
    ],
)
def test_a_full_queue_drops_many_packets_of_a_whole_burst(packets: int, lost: int, verdict: LossVerdict) -> None:
    made = way(0.9 * DEPTH_S)
    assert made.judge(packets, lost, 1, 1.0, is_settled=True, are_bursts_whole=True) is verdict


def test_losses_where_little_queues_are_noise_and_are_no_more_where_much_does() -> None:
    made = way(0.1 * DEPTH_S)
    assert {judge(made, 100, 1) for _ in range(20)} == {LossVerdict.NOTHING}
    fill_queue(made, 0.9 * DEPTH_S)
    assert judge(made, 100, 1) is LossVerdict.NOTHING
    assert judge(made, 100, 20) is LossVerdict.CONGESTION


@pytest.mark.parametrize(("lost_later", "verdict"), [(1, LossVerdict.NOISE), (0, LossVerdict.NOTHING)])
def test_congestion_is_noise_if_as_much_is_lost_where_little_queues(lost_later: int, verdict: LossVerdict) -> None:
    made = way(0.9 * DEPTH_S)
    assert judge(made, 100, 1) is LossVerdict.CONGESTION
    fill_queue(made, 0.1 * DEPTH_S)
    verdicts = [judge(made, 100, lost_later) for _ in range(8)]
    assert verdicts.count(verdict) == (1 if lost_later else 8)


def test_losses_that_are_told_late_are_no_noise() -> None:
    made = way(0.9 * DEPTH_S)
    assert judge(made, 100, 50) is LossVerdict.CONGESTION
    for tx in (10, 11, 12):
        made.add_round_trip(tx, WAY_S, 1.0)
    assert {judge(made, 100, 50, first_tx=9) for _ in range(8)} == {LossVerdict.NOTHING}
    assert made.noise.share == 0
    assert LossVerdict.NOISE in {judge(made, 100, 50, first_tx=10) for _ in range(8)}


def test_nothing_is_learned_while_the_window_doubles() -> None:
    made = way(0.1 * DEPTH_S)
    judge(made, 100, 50, is_settled=False)
    assert made.noise.share == 0


def test_the_pace_is_the_rate_of_arrivals_when_the_window_is_full() -> None:
    made = way(0.5 * DEPTH_S)
    under_way = 8800 * made.unhurried_s
    assert made.pace(under_way) == pytest.approx(8800, rel=0.01)
    assert made.pace(0.7 * under_way) < 0.95 * 8800
    assert made.pace(1.3 * under_way) > 1.05 * 8800


def test_a_short_queue_is_not_answered_faster_than_it_is_seen() -> None:
    made = way(0.0)
    assert made.pace(0.0) > 0.5 * 8800  # and not nothing: the next reports come in three pages


def test_a_full_path_holds_little_more_than_the_path() -> None:
    assert 8800 * WAY_S < way(0.0).filling < 8800 * (WAY_S + DEPTH_S / 2)
