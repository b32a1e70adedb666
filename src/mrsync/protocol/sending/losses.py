"""Losses: those of one listener, and whether they are congestion or noise.

Invariant: only a loss that gets less when less is sent slows the session down for long. A radio or a bad cable loses
the same share at any rate; a full queue loses what is beyond its rate or its length. So whoever loses clearly more than
the noise that is known is a suspicion: less is sent, and what leaves from then on is looked at. If the losses go, or
clearly more comes through, it was congestion, and the cut stays. Else it was noise: the cut is taken back, and this
share counts as noise, until it gets less by itself, or for NOISE_S; then it is tried again.

Why it holds: a queue that takes C of what comes at rate r lets C/r through, and more at a lower rate; noise lets the
same share through at both. Only what left after the cut counts in a trial (from_tx). What would break it: competing
traffic that ends during a trial makes noise look like congestion, and one that begins the other way round; either is
found out by the next trial.
"""

from __future__ import annotations

from enum import Enum

SAMPLE_PACKETS = 704  # between two looks: 16 bursts, and never a judgement on a handful
EXCESS = 0.06  # above the known noise
SAMPLE_PACKETS_PACED = 352
SAMPLE_PACKETS_MIN = 100
EXCESS_PACED = 0.02
GAIN_MIN = 1.08  # of the share that comes through
GONE_SHARE = 0.5  # of the losses, left over
ALIKE = 1.3  # noise is no larger in a trial than before
NOISE_SPREAD = 1.3  # it is not the same in every sample
NOISE_FADING = 8
NOISE_S = 5.0  # then it is tried again whether it is noise


class LossFinding(Enum):
    """What the losses of a listener are taken for."""

    NOTHING = "no more is lost than was known"
    SUSPICION = "more is lost: send less, and see"
    CONGESTION = "sending less helped"
    NOISE = "sending less did not help"


class Losses:
    """What one listener was sent and lost; counts every packet once.

    from_tx: what left with this tx or an earlier one is not to be counted.
    """

    def __init__(self) -> None:
        self.missed = 0  # packets, in all; counted by who knows of them
        self.share = 0.0  # when it was looked at last
        self.noise = 0.0  # a share that does not depend on the rate,
        self._noise_at = 0.0  # as was found then
        self.span = 0, 0  # tx that were heard last before the packets that were looked at, and with them
        self.from_tx = 0
        self._packets = self._lost = 0
        self._tx_seen = 0
        self._tried: float | None = None  # the share that was suspicious

    def add(self, packets: int, lost: int, *, tx_seen: int, tx: int, now: float, is_paced: bool = False) -> LossFinding:
        """Take the losses among newly reported packets. tx_seen: last received tx; tx: last sent tx."""
        self._packets += packets
        self._lost += lost
        if not self._packets:
            self._tx_seen = tx_seen
        if self._packets < (SAMPLE_PACKETS_PACED if is_paced else SAMPLE_PACKETS):
            return LossFinding.NOTHING
        self.share = self._lost / self._packets
        self.span, self._tx_seen = (self._tx_seen, tx_seen), tx_seen
        self._packets = self._lost = 0
        if self._tried is not None:
            return self._judge_trial(self._tried, tx, now)
        return self._look(tx, EXCESS_PACED if is_paced else EXCESS, now)

    def restart(self, tx: int) -> None:
        """Start counting anew behind this tx, from which less is sent because of another listener's losses."""
        lost, packets = self._lost, self._packets
        if packets >= SAMPLE_PACKETS_MIN and lost > packets * (self.noise + EXCESS_PACED):
            self._tried = lost / packets
        self._packets = self._lost = 0
        self._tx_seen = self.from_tx = tx

    def _look(self, tx: int, excess: float, now: float) -> LossFinding:
        if now - self._noise_at > NOISE_S:
            self.noise = 0.0
        if self.share > self.noise * NOISE_SPREAD + excess:
            self._tried, self.from_tx = self.share, tx
            return LossFinding.SUSPICION
        self.noise += min(0.0, self.share - self.noise) / NOISE_FADING
        return LossFinding.NOTHING

    def _judge_trial(self, before: float, tx: int, now: float) -> LossFinding:
        is_gone = self.share < GONE_SHARE * before
        if is_gone or (1 - self.share) > GAIN_MIN * (1 - before):
            self._tried, self.noise = None, min(self.noise, self.share)
            return LossFinding.CONGESTION
        if self.share > ALIKE * before:  # the queue was still filling before: less must be sent
            self._tried, self.from_tx = self.share, tx
            return LossFinding.SUSPICION
        self._tried, self.noise, self._noise_at = None, max(before, self.share), now
        return LossFinding.NOISE
