"""LossTrials: decide whether the losses of one listener are congestion or noise.

Invariant: only losses that decrease when less is sent slow the session down for long. A radio or a bad cable loses the
same share at any rate; a full queue loses the excess over its rate or its length. A listener that loses clearly more
than its known noise starts a trial: less is sent, and only packets that leave after that are judged. If the losses end,
or clearly more comes through, it was congestion, and the cut stays. Otherwise it was noise: the cut is undone, and this
share counts as noise until it decreases by itself, or for NOISE_S. Then it is tried again.

Why it holds: a queue that passes C of a rate r lets the share C/r through, and more at a lower rate. Noise lets the
same share through at both. Only packets that left after the cut count in a trial (from_tx). What would break it: rival
traffic that ends during a trial makes noise look like congestion, and traffic that begins makes congestion look like
noise. The next trial corrects either.
"""

from __future__ import annotations

from math import sqrt

from mrsync.protocol.pace.loss_verdict import LossVerdict

SAMPLE_PACKETS = 704  # per judgement: 16 bursts, because a handful proves nothing
EXCESS = 0.06  # above the known noise
SAMPLE_PACKETS_PACED = 352
SAMPLE_PACKETS_MIN = 100
EXCESS_PACED = 0.02
GAIN_MIN = 1.08  # of the share that comes through
GONE_SHARE = 0.5  # of the losses, left over
ALIKE = 1.3  # noise is no larger in a trial than before
SIGMAS = 2.5  # by which the shares of two samples must differ to show anything
NOISE_SPREAD = 1.3  # it is not the same in every sample
NOISE_FADING = 8
NOISE_S = 5.0  # then it is tried again whether it is noise


class LossTrials:
    """What one listener was sent and lost; counts every packet once.

    from_tx: what left with this tx or an earlier one is not to be counted.
    """

    def __init__(self) -> None:
        self.missed = 0  # packets in all; counted by the caller
        self.share = 0.0  # at the last judgement
        self.noise = 0.0  # the lost share that does not depend on the rate
        self._noise_at = 0.0  # when that was found
        self.span = 0, 0  # the packets of the last judgement left after the one tx, up to the other
        self.from_tx = 0
        self._packets = self._lost = 0
        self._tx_seen = 0
        self._tried: float | None = None  # the share that began the trial,
        self._tried_packets = 0  # and the number of packets that this is a share of

    @property
    def is_on_trial(self) -> bool:
        """Whether less is sent because of these losses, and it is not known yet whether that helps."""
        return self._tried is not None

    def add(
        self, packets: int, lost: int, *, first_tx: int, tx_seen: int, tx: int, now: float, is_paced: bool = False
    ) -> LossVerdict:
        """Take how many of these packets were lost. They left with first_tx and later, and were not reported before.

        tx_seen: last received tx. tx: last sent tx. is_paced: packets leave apart now, so that fewer losses are normal.
        """
        self._packets += packets
        self._lost += lost
        if not self._packets:
            self._tx_seen = tx_seen
        elif packets:
            self._tx_seen = min(self._tx_seen, first_tx - 1)  # reports that are full tell of some losses later
        if self._packets < (SAMPLE_PACKETS_PACED if is_paced else SAMPLE_PACKETS):
            return LossVerdict.NOTHING
        judged, self.share = self._packets, self._lost / self._packets
        self.span, self._tx_seen = (self._tx_seen, tx_seen), tx_seen
        self._packets = self._lost = 0
        if self._tried is not None:
            return self._judge_trial(self._tried, judged, tx, now)
        return self._look(judged, tx, EXCESS_PACED if is_paced else EXCESS, now)

    def restart(self, tx: int) -> None:
        """Start counting anew behind this tx, from which less is sent because of another listener's losses."""
        lost, packets = self._lost, self._packets
        if packets >= SAMPLE_PACKETS_MIN and lost > packets * (self.noise + EXCESS_PACED):
            self._tried, self._tried_packets = lost / packets, packets
        self._packets = self._lost = 0
        self._tx_seen = self.from_tx = tx

    def _look(self, packets: int, tx: int, excess: float, now: float) -> LossVerdict:
        if now - self._noise_at > NOISE_S:
            self.noise = 0.0
        if self.share > self.noise * NOISE_SPREAD + excess:
            return self._suspect(packets, tx)
        self.noise += min(0.0, self.share - self.noise) / NOISE_FADING
        return LossVerdict.NOTHING

    def _suspect(self, packets: int, tx: int) -> LossVerdict:
        self._tried, self._tried_packets, self.from_tx = self.share, packets, tx
        return LossVerdict.SUSPICION

    def _judge_trial(self, before: float, packets: int, tx: int, now: float) -> LossVerdict:
        share, is_clear = self.share, self._is_clear(before, packets)
        if is_clear and (share < GONE_SHARE * before or (1 - share) > GAIN_MIN * (1 - before)):
            self._tried, self.noise = None, min(self.noise, share)
            return LossVerdict.CONGESTION
        if is_clear and share > ALIKE * before:  # the queue was still filling before, so send still less
            return self._suspect(packets, tx)
        self._tried, self.noise, self._noise_at = None, max(before, share), now
        return LossVerdict.NOISE

    def _is_clear(self, before: float, packets: int) -> bool:
        """Return whether the shares before and in a trial are further apart than those of samples of one noise."""
        both = self._tried_packets + packets
        pooled = (before * self._tried_packets + self.share * packets) / both
        return abs(self.share - before) > SIGMAS * sqrt(pooled * (1 - pooled) * both / (self._tried_packets * packets))
