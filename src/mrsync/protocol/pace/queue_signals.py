"""QueueSignals: what reports show of the path to one listener: what queues, what arrives, and what gets lost."""

from __future__ import annotations

from collections import deque

from mrsync.protocol.pace.deliveries import Deliveries
from mrsync.protocol.pace.loss_verdict import LossVerdict
from mrsync.protocol.pace.noise import Noise
from mrsync.protocol.pace.queueing import LAST, Queueing

LITTLE_SHARE = 4  # of the depth of the queue
TAIL_PACKETS = 4  # a full queue drops the tail of a burst: at least this many packets,
TAIL_SHARE = 40  # and at least one in this many
NOISE_MAX = 0.5  # of the packets that are thought to have passed the queue and got lost elsewhere
FEEDBACKS = 3  # reports, until a change of the pace is seen in the queue


class QueueSignals:
    """The signals of one path: `queueing` from round trips, `deliveries` from what arrives, `noise` from losses.

    ended_tx: the last burst that showed a round trip.
    """

    def __init__(self) -> None:
        self.queueing = Queueing()
        self.deliveries = Deliveries()
        self.noise = Noise()
        self.ended_tx = 0
        self._ended: deque[int] = deque(maxlen=LAST)
        self._heard = self._lost = 0  # packets, since the last report,
        self._heard_from = 0  # which left with this tx and later

    def add_round_trip(self, tx: int, seconds: float, now: float) -> None:
        """Note the round trip, in seconds, of the burst with this tx, which is later than the last one's."""
        self.ended_tx = tx
        self._ended.append(tx)
        self.queueing.add(seconds, now)

    def hear(self, packets: int, lost: int, first_tx: int) -> None:
        """Take a first report on this many packets, of which `lost` were lost. They left with first_tx and later."""
        self._heard_from = min(self._heard_from, first_tx) if self._heard else first_tx
        self._heard += packets
        self._lost += lost

    def take_heard(self) -> tuple[int, int, int]:
        """Return the packets and losses since the last call, and the tx from which on they left."""
        heard = self._heard, self._lost, self._heard_from
        self._heard = self._lost = 0
        return heard

    def judge(
        self, packets: int, lost: int, first_tx: int, now: float, *, is_settled: bool, are_bursts_whole: bool = False
    ) -> LossVerdict:
        """Take newly reported packets, which left with first_tx and later. Return what those that were lost show.

        CONGESTION: the queue was full. NOISE: what was taken for congestion before was none.
        is_settled: False while the window doubles, because the queue may then be longer than was seen so far.
        are_bursts_whole: the packets of a page left at once, so that a full queue dropped many of one.
        """
        if self.queueing.is_full:
            if are_bursts_whole and (lost < TAIL_PACKETS or lost * TAIL_SHARE < packets):
                return LossVerdict.NOTHING
            return LossVerdict.CONGESTION if self.noise.is_exceeded(packets, lost) else LossVerdict.NOTHING
        return LossVerdict.NOISE if is_settled and self.learn(packets, lost, first_tx, now) else LossVerdict.NOTHING

    def learn(self, packets: int, lost: int, first_tx: int, now: float) -> bool:
        """Learn what is noise if hardly anything queues. Return whether the last congestion was noise, too.

        packets, lost: newly reported packets, and the lost ones among them. first_tx: the first that they left with. A
        report has room for some hundred losses. If there are more, later reports tell of them when the queue may be
        short again, so only recent losses show noise.
        """
        is_late = bool(self._ended) and first_tx < self._ended[0]
        return not is_late and self.queueing.is_short and self.noise.learn(packets, lost, now)

    @property
    def filling(self) -> float:
        """The number of packets that keep the path busy with hardly anything queued; 0: not known."""
        queueing = self.queueing
        little_s = min(queueing.jitter_s, queueing.depth_s / LITTLE_SHARE)
        return self.passes_s * (queueing.way_s + little_s)

    @property
    def passes_s(self) -> float:
        """Packets per second that pass the queue: those that arrive, and those that are lost as noise; 0: not known."""
        return self.deliveries.recent_packets_s / (1 - min(NOISE_MAX, self.noise.share))

    @property
    def unhurried_s(self) -> float:
        """The round trip, but no shorter than its jitter: with less, packets would leave in bursts."""
        queueing = self.queueing
        return max(queueing.brief_s, queueing.way_s + queueing.jitter_s)

    def pace(self, window: float) -> float:
        """Return the packets per second that keep `window` packets under way.

        It is the rate that passes the queue, corrected for packets that are missing from the window or too many in it.
        The correction is spread over the time of FEEDBACKS reports: a window per round trip, as TCP paces, would change
        the rate faster than reports can show the effect on a short queue.
        """
        passes_s, rtt_s = self.passes_s, self.unhurried_s
        if not passes_s:
            return window / rtt_s
        return passes_s + (window - passes_s * rtt_s) / max(rtt_s, FEEDBACKS * self.deliveries.feedback_s)
