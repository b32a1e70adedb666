"""LossTrials: decide whether the losses of one listener are congestion or noise.

Invariant: only losses that decrease when less is sent slow the session down for long. A radio or a bad cable loses the
same share at any rate; a full queue loses the excess over its rate or its length. A listener that loses clearly more
than its known noise starts a trial: less is sent, and only packets that leave after that are judged. If the losses end,
or clearly more comes through, it was congestion, and the cut stays. Otherwise it was noise: the cut is undone, and this
share counts as noise until it decreases by itself, or for NOISE_S, or longer if trials take long. Then it is tried
again.

How much samples of one noise differ depends on the runs in which packets get lost: a few runs of 20 are no suspicion,
and a sample without any is no success. So runs are counted, and a sample grows until it shows something.

Why it holds: a queue that passes C of a rate r lets the share C/r through, and more at a lower rate. Noise lets the
same share through at both. Only packets that left after the cut count in a trial (from_tx). What would break it: rival
traffic that ends during a trial makes noise look like congestion, and traffic that begins makes congestion look like
noise. The next trial corrects either.
"""

from __future__ import annotations

from math import sqrt

from mrsync.protocol.pace.loss_verdict import LossVerdict
from mrsync.tuples import NamedTuple

SAMPLE_PACKETS = 704  # per judgement: 16 bursts, because a handful proves nothing
SAMPLE_PACKETS_MAX = 5632  # to which a sample grows while it shows nothing clearly
EXCESS = 0.06  # above the known noise
SAMPLE_PACKETS_PACED = 352
SAMPLE_PACKETS_MIN = 100
EXCESS_PACED = 0.02
GAIN_MIN = 1.08  # of the share that comes through
GONE_SHARE = 0.5  # of the losses, left over
ALIKE = 1.3  # noise is no larger in a trial than before
SIGMAS_ABOVE = 2.0  # by which a share must be above what is expected,
SIGMAS = 2.5  # and by which the shares of two samples must differ to show anything
NOISE_SPREAD = 1.3  # it is not the same in every sample
NOISE_FADING = 8
NOISE_S = 5.0  # then it is tried again whether it is noise, or
NOISE_TRIALS = 8  # after this many times the last trial: at a low rate, one takes seconds,
NOISE_MAX_S = 60.0  # but may also have waited until there was something to send


class LossSample(NamedTuple):
    """Packets of which a listener has reported, those that were lost, and the number of runs of lost ones."""

    packets: int = 0
    lost: int = 0
    runs: int = 0

    def more(self, other: LossSample) -> LossSample:
        """Return the sum of two samples."""
        return LossSample(self.packets + other.packets, self.lost + other.lost, self.runs + other.runs)

    @property
    def share(self) -> float:
        """The lost share."""
        return self.lost / self.packets

    def deviation(self, packets: float) -> float:
        """Return the standard deviation of the lost share among this many packets.

        It is that of a channel with two states, each of which ends at random (Gilbert 1960). It grows with the length
        of the runs.
        """
        passed = 1 - self.share
        clumping = max(1.0, 2 * passed * self.lost / max(1, self.runs) - 1)
        return sqrt(self.share * passed * clumping / packets)

    def is_above(self, share: float) -> bool:
        """Return whether clearly more than this share was lost, and not by chance."""
        return self.share > share + SIGMAS_ABOVE * self.deviation(self.packets)


class LossTrials:
    """Count what one listener was sent and what it lost, each packet once.

    from_tx: only packets that left with a later tx count.
    """

    def __init__(self) -> None:
        self.missed = 0  # packets in all; counted by the caller
        self.share = 0.0  # at the last judgement
        self.noise = 0.0  # the lost share that does not depend on the rate
        self._noise_until = 0.0  # it is tried again then
        self.span = 0, 0  # the packets of the last judgement left after the one tx, up to the other
        self.from_tx = 0
        self._sample = LossSample()
        self._since_tx = 0  # its packets left after this tx
        self._tried: LossSample | None = None  # what began the trial,
        self._tried_at = 0.0  # and when

    @property
    def is_on_trial(self) -> bool:
        """Whether less is sent because of these losses, and it is not known yet whether that helps."""
        return self._tried is not None

    def add(
        self, heard: LossSample, *, first_tx: int, tx_seen: int, tx: int, now: float, is_paced: bool = False
    ) -> LossVerdict:
        """Take packets that were not counted before. They left with first_tx and later.

        tx_seen: last received tx. tx: last sent tx. is_paced: packets leave apart now, so that fewer losses are normal.
        """
        self._sample = sample = self._sample.more(heard)
        if not sample.packets:
            self._since_tx = tx_seen
        elif heard.packets:
            self._since_tx = min(self._since_tx, first_tx - 1)  # full reports mention some losses later
        if sample.packets < (SAMPLE_PACKETS_PACED if is_paced else SAMPLE_PACKETS):
            return LossVerdict.NOTHING
        if self._tried is not None:
            verdict = self._judge_trial(self._tried, sample, tx, now)
        else:
            verdict = self._look(sample, tx, EXCESS_PACED if is_paced else EXCESS, now)
        if verdict is None:
            return LossVerdict.NOTHING
        self.share, self._sample = sample.share, LossSample()
        self.span, self._since_tx = (self._since_tx, tx_seen), tx_seen
        return verdict

    def restart(self, tx: int, now: float) -> None:
        """Count again from this tx on, because less is sent from there for the losses of another listener."""
        sample, self._sample = self._sample, LossSample()
        if sample.packets >= SAMPLE_PACKETS_MIN and sample.is_above(self.noise + EXCESS_PACED):
            self._tried, self._tried_at = sample, now
        self._since_tx = self.from_tx = tx

    def _look(self, sample: LossSample, tx: int, excess: float, now: float) -> LossVerdict | None:
        """Return what a sample shows; None: more packets are needed."""
        if now > self._noise_until:
            self.noise = 0.0
        more = self.noise * (NOISE_SPREAD - 1) + excess
        usual = self.noise + (1 - self.noise) * more  # what noise takes no queue can drop
        if sample.is_above(usual):
            return self._suspect(sample, tx, now)
        if sample.share > usual and sample.packets < SAMPLE_PACKETS_MAX:
            return None
        self.noise += min(0.0, sample.share - self.noise) / NOISE_FADING
        return LossVerdict.NOTHING

    def _suspect(self, sample: LossSample, tx: int, now: float) -> LossVerdict:
        self._tried, self._tried_at, self.from_tx = sample, now, tx
        return LossVerdict.SUSPICION

    def _judge_trial(self, before: LossSample, sample: LossSample, tx: int, now: float) -> LossVerdict | None:
        """Return what a sample of a trial shows; None: more packets are needed."""
        share, is_clear = sample.share, _are_different(before, sample)
        is_less = share < GONE_SHARE * before.share or (1 - share) > GAIN_MIN * (1 - before.share)
        if is_less and not is_clear and sample.packets < before.packets:
            return None
        if is_less and is_clear:
            self._tried, self.noise = None, min(self.noise, share)
            return LossVerdict.CONGESTION
        if is_clear and share > ALIKE * before.share:  # the queue was still filling before, so send still less
            return self._suspect(sample, tx, now)
        self._tried, self.noise = None, max(before.share, share)
        self._noise_until = now + max(NOISE_S, min(NOISE_MAX_S, NOISE_TRIALS * (now - self._tried_at)))
        return LossVerdict.NOISE


def _are_different(before: LossSample, after: LossSample) -> bool:
    """Return whether the shares are further apart than those of samples of one noise."""
    both = before.more(after)
    harmonic = before.packets * after.packets / both.packets
    return abs(after.share - before.share) > SIGMAS * both.deviation(harmonic)
