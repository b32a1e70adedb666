"""Losses: those of one listener, and whether they are congestion or noise.

Invariant: only a loss that gets less when less is sent narrows the window for long. A radio or a bad cable loses the
same share at any rate; a full queue loses what is beyond its rate. So whoever loses clearly more than the noise that is
known is a suspicion: the window is halved once, and what is sent from then on is looked at. If half as much brings
clearly more through, or the losses go, it was congestion, and the cut stays. Else it was noise: the cut is taken back,
and this share counts as noise from then on, until it gets less by itself.

A queue that is full loses the tails of bursts, or whole ones; where most of what is lost is that, no trial is needed.

Why it holds: a queue that takes C of what comes at rate r lets C/r through, and 2 C/r at half the rate; noise lets the
same share through at both. What would break it: a radio that loses packets in long runs looks like a full queue, and
competing traffic that ends during a trial makes noise look like congestion; either costs cuts, and no more.
"""

from __future__ import annotations

from enum import Enum

from mrsync.protocol.sending.transfer import Lost

SAMPLE_PACKETS = 704  # between two looks: 16 bursts, and never a judgement on a handful
EXCESS = 0.06  # above the known noise
GAIN_MIN = 1.08  # of the share that comes through, at half the rate
GONE_SHARE = 0.5  # of the losses, left over at half the rate
TAILS_SHARE = 0.5  # of the losses
NOISE_FADING = 8


class LossFinding(Enum):
    """What a look shows."""

    NOTHING = "no more is lost than was known"
    FULL_QUEUE = "more is lost, mostly the tails of bursts: send less"
    SUSPICION = "more is lost: send less, and see"
    CONGESTION = "sending less helped"
    NOISE = "sending less did not help"


class Losses:
    """What one listener was sent and lost; counts every packet once."""

    def __init__(self) -> None:
        self.missed = 0  # packets, in all
        self.share = 0.0  # when it was looked at last
        self.noise = 0.0  # a share that does not depend on the rate
        self._packets = 0
        self._lost = self._tails = 0
        self._tried: float | None = None  # the share that was suspicious
        self._tried_tx = 0  # what left later was sent at half the rate

    def hear(self, packets: int, lost: Lost, *, tx_seen: int, tx: int) -> LossFinding:
        """Of so many more packets so many were lost; tx was sent last, tx_seen heard last."""
        self.missed += lost.packets
        if self._tried is not None and tx_seen <= self._tried_tx:
            return LossFinding.NOTHING  # from before
        self._packets += packets
        self._lost += lost.packets
        self._tails += lost.tails
        if self._packets < SAMPLE_PACKETS:
            return LossFinding.NOTHING
        self.share, are_tails = self._lost / self._packets, self._tails > TAILS_SHARE * self._lost
        self._packets = self._lost = self._tails = 0
        return self._judge_trial(self._tried) if self._tried is not None else self._look(tx, are_tails=are_tails)

    def _look(self, tx: int, *, are_tails: bool) -> LossFinding:
        if self.share > self.noise + EXCESS and are_tails:
            return LossFinding.FULL_QUEUE
        if self.share > self.noise + EXCESS:
            self._tried, self._tried_tx = self.share, tx
            return LossFinding.SUSPICION
        self.noise += min(0.0, self.share - self.noise) / NOISE_FADING
        return LossFinding.NOTHING

    def _judge_trial(self, before: float) -> LossFinding:
        self._tried = None
        is_gone = self.share < GONE_SHARE * before
        if is_gone or (1 - self.share) > GAIN_MIN * (1 - before):
            self.noise = min(self.noise, self.share)
            return LossFinding.CONGESTION
        self.noise = max(before, self.share)
        return LossFinding.NOISE
