"""Losses: when a window is to be narrowed, and when that was in vain."""

from __future__ import annotations

import pytest

from mrsync.protocol.sending.losses import EXCESS, SAMPLE_PACKETS, Losses, LossFinding
from mrsync.protocol.sending.transfer import Lost


def look(losses: Losses, share: float, *, tx_seen: int = 1, tx: int = 10, tails: float = 0.0) -> LossFinding:
    """One sample, of which this share is lost, and that share of it as tails."""
    lost = round(share * SAMPLE_PACKETS)
    return losses.hear(SAMPLE_PACKETS, Lost(lost, round(tails * lost)), tx_seen=tx_seen, tx=tx)


def test_a_handful_shows_nothing() -> None:
    losses = Losses()
    assert losses.hear(100, Lost(90, 0), tx_seen=1, tx=10) is LossFinding.NOTHING
    assert losses.missed == 90
    assert losses.hear(SAMPLE_PACKETS - 100, Lost(0, 0), tx_seen=1, tx=10) is LossFinding.SUSPICION


def test_a_little_is_noise_at_once() -> None:
    assert look(Losses(), EXCESS) is LossFinding.NOTHING


@pytest.mark.parametrize(
    ("before", "after", "finding"),
    [
        (0.2, 0.2, LossFinding.NOISE),
        (0.4, 0.42, LossFinding.NOISE),
        (0.8, 0.6, LossFinding.CONGESTION),  # half as much, and twice as much comes through
        (0.12, 0.0, LossFinding.CONGESTION),
        (0.1, 0.04, LossFinding.CONGESTION),
    ],
)
def test_what_gets_less_when_less_is_sent_is_congestion(before: float, after: float, finding: LossFinding) -> None:
    losses = Losses()
    assert look(losses, before) is LossFinding.SUSPICION
    assert look(losses, 0.9, tx_seen=10) is LossFinding.NOTHING, "it was sent before the cut"
    assert look(losses, after, tx_seen=11) is finding


def test_known_noise_is_no_suspicion_until_more_is_lost() -> None:
    losses = Losses()
    look(losses, 0.2)
    look(losses, 0.2, tx_seen=11)
    assert look(losses, 0.2) is LossFinding.NOTHING
    assert look(losses, 0.3) is LossFinding.SUSPICION


def test_noise_fades() -> None:
    losses = Losses()
    look(losses, 0.2)
    look(losses, 0.2, tx_seen=11)
    for _ in range(40):
        look(losses, 0.0)
    assert look(losses, 0.2) is LossFinding.SUSPICION


def test_the_tails_of_bursts_are_lost_by_a_full_queue() -> None:
    losses = Losses()
    assert look(losses, 0.2, tails=0.9) is LossFinding.FULL_QUEUE
    assert look(losses, 0.2, tails=0.9) is LossFinding.FULL_QUEUE, "no trial is needed"
