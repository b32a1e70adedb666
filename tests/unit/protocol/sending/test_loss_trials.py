"""LossTrials: when a window is to be narrowed, and when that was in vain."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.loss_verdict import LossVerdict
from mrsync.protocol.sending.loss_trials import (
    EXCESS,
    NOISE_MAX_S,
    NOISE_S,
    NOISE_TRIALS,
    SAMPLE_PACKETS,
    SAMPLE_PACKETS_PACED,
    LossSample,
    LossTrials,
)


def look(losses: LossTrials, share: float, *, tx_seen: int = 1, tx: int = 10, now: float = 0.0) -> LossVerdict:
    """One sample, of which this share is lost, each packet for itself."""
    lost = round(share * SAMPLE_PACKETS)
    runs = round(lost * (1 - share))
    return losses.add(LossSample(SAMPLE_PACKETS, lost, runs), first_tx=1, tx_seen=tx_seen, tx=tx, now=now)


def test_a_handful_shows_nothing() -> None:
    losses = LossTrials()
    assert losses.add(LossSample(100, 90, 70), first_tx=1, tx_seen=1, tx=10, now=0.0) is LossVerdict.NOTHING
    assert (
        losses.add(LossSample(SAMPLE_PACKETS - 100, 0, 0), first_tx=1, tx_seen=1, tx=10, now=0.0)
        is LossVerdict.SUSPICION
    )


def test_a_little_is_noise_at_once() -> None:
    assert look(LossTrials(), EXCESS) is LossVerdict.NOTHING


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0.2, 0.2, LossVerdict.NOISE),
        (0.4, 0.42, LossVerdict.NOISE),
        (0.8, 0.6, LossVerdict.CONGESTION),  # half as much, and twice as much comes through
        (0.12, 0.0, LossVerdict.CONGESTION),
        (0.1, 0.04, LossVerdict.CONGESTION),
    ],
)
def test_loss_that_falls_with_the_rate_is_congestion(before: float, after: float, verdict: LossVerdict) -> None:
    losses = LossTrials()
    assert look(losses, before) is LossVerdict.SUSPICION
    assert losses.from_tx == 10, "what was sent before the cut does not count"
    assert look(losses, after, tx_seen=11) is verdict


def test_a_queue_that_was_still_filling_is_not_noise() -> None:
    losses = LossTrials()
    assert look(losses, 0.1) is LossVerdict.SUSPICION
    assert look(losses, 0.3, tx=20) is LossVerdict.SUSPICION
    assert losses.from_tx == 20
    assert look(losses, 0.0) is LossVerdict.CONGESTION


def test_noise_is_tried_again_after_a_while() -> None:
    losses = LossTrials()
    for _ in range(2):
        look(losses, 0.2)
    assert look(losses, 0.2, now=NOISE_S) is LossVerdict.NOTHING
    assert look(losses, 0.2, now=NOISE_S + 0.1) is LossVerdict.SUSPICION


def test_noise_is_remembered_longer_where_a_trial_takes_seconds() -> None:
    losses = LossTrials()
    look(losses, 0.2)
    assert look(losses, 0.2, now=3.0) is LossVerdict.NOISE
    assert look(losses, 0.2, now=3.0 + 3 * NOISE_TRIALS) is LossVerdict.NOTHING
    assert look(losses, 0.2, now=3.1 + 3 * NOISE_TRIALS) is LossVerdict.SUSPICION


def test_noise_is_forgotten_soon_though_its_trial_had_to_wait_for_pages() -> None:
    losses = LossTrials()
    look(losses, 0.2)
    assert look(losses, 0.2, now=600.0) is LossVerdict.NOISE
    assert look(losses, 0.2, now=600.1 + NOISE_MAX_S) is LossVerdict.SUSPICION


def test_noise_hides_no_queue_that_drops_a_fifth_of_the_rest() -> None:
    losses = LossTrials()
    for _ in range(2):
        look(losses, 0.4)
    assert look(losses, 0.4) is LossVerdict.NOTHING
    assert look(losses, 1 - 0.6 * 0.75) is LossVerdict.SUSPICION


def test_where_packets_are_spread_less_is_enough() -> None:
    losses = LossTrials()
    count = SAMPLE_PACKETS_PACED
    assert (
        losses.add(LossSample(count, count // 20, count // 20), first_tx=1, tx_seen=1, tx=10, now=0.0, is_paced=True)
        is LossVerdict.SUSPICION
    )


def test_the_span_of_a_sample_begins_where_its_packets_left_however_late_they_are_reported() -> None:
    losses = LossTrials()
    losses.add(LossSample(0, 0, 0), first_tx=30, tx_seen=30, tx=40, now=0.0)  # a report with no room for more
    assert (
        losses.add(LossSample(SAMPLE_PACKETS, 400, 170), first_tx=11, tx_seen=30, tx=40, now=0.0)
        is LossVerdict.SUSPICION
    )
    assert losses.span == (10, 30)


def test_a_trial_for_another_one_is_used() -> None:
    losses = LossTrials()
    losses.add(LossSample(200, 40, 32), first_tx=1, tx_seen=5, tx=9, now=0.0)
    losses.restart(10, 0.0)
    assert losses.from_tx == 10
    assert look(losses, 0.2) is LossVerdict.NOISE


def test_two_samples_of_the_same_noise_are_not_alike() -> None:
    losses = LossTrials()
    losses.add(LossSample(120, 12, 11), first_tx=1, tx_seen=5, tx=9, now=0.0)
    losses.restart(10, 0.0)
    assert losses.is_on_trial
    count = SAMPLE_PACKETS_PACED
    assert (
        losses.add(LossSample(count, count // 15, count // 15), first_tx=1, tx_seen=20, tx=30, now=0.1, is_paced=True)
        is LossVerdict.NOISE
    )


def runs_of_20(losses: LossTrials, runs: int, tx_seen: int) -> LossVerdict:
    """One sample, in which so many runs of 20 packets were lost."""
    return losses.add(
        LossSample(SAMPLE_PACKETS, 20 * runs, runs), first_tx=tx_seen - 1, tx_seen=tx_seen, tx=tx_seen + 9, now=0.0
    )


def test_a_few_runs_of_lost_packets_are_no_suspicion() -> None:
    losses = LossTrials()
    for sample, runs in enumerate((0, 3, 0, 0, 1, 0, 2, 4, 0, 0, 0, 1)):
        assert runs_of_20(losses, runs, 2 * sample + 2) is LossVerdict.NOTHING


def test_many_runs_are_tried_and_a_sample_without_any_proves_nothing() -> None:
    losses = LossTrials()
    verdicts = [runs_of_20(losses, 5, 2 * sample + 2) for sample in range(4)]
    assert verdicts == [*[LossVerdict.NOTHING] * 3, LossVerdict.SUSPICION]
    assert runs_of_20(losses, 0, 40) is LossVerdict.NOTHING, "that may be chance"
    assert runs_of_20(losses, 9, 42) is LossVerdict.NOISE


def test_known_noise_is_not_suspicious_until_more_is_lost() -> None:
    losses = LossTrials()
    look(losses, 0.2)
    look(losses, 0.2, tx_seen=11)
    assert look(losses, 0.2) is LossVerdict.NOTHING
    assert look(losses, 0.4) is LossVerdict.SUSPICION


def test_noise_fades() -> None:
    losses = LossTrials()
    look(losses, 0.2)
    look(losses, 0.2, tx_seen=11)
    for _ in range(40):
        look(losses, 0.0)
    assert look(losses, 0.2) is LossVerdict.SUSPICION
