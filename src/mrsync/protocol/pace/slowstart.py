"""SlowStart: double the congestion window until packets queue (HyStart++, RFC 9406). So a first search fills no queue.

A queue counts only if it lasts: three reports in a row must show it, and then all reports on half a window. And it must
hold a good part of the window, by Little's law: rate times round trip. The round trip leaves out the time for which the
listener held its answer, so the queue looks short if the listener's processor is the bottleneck.
"""

from __future__ import annotations

from mrsync.protocol.pace.queue_signals import QueueSignals

PACKETS_START = 88.0  # two pages
PACKETS_START_S = 4400.0  # on a long path: TCP needs some round trips to get there, and few links carry less
PACKETS_START_MAX = 1408.0  # 32 pages
GAIN = 2.0  # of the pace: the window is to be used before the next report
QUEUE_S_MIN, QUEUE_S_MAX = 0.004, 0.016  # as in RFC 9406
QUEUE_SHARE = 8  # of the path itself
LASTING_SHARE = 0.5  # of the window
ON_PATH_SHARE = 0.5  # of the window: if fewer packets are on the path, the others wait in a late program


def first_size(signals: QueueSignals) -> float:
    """Return the first window: a round trip's worth of PACKETS_START_S, because doubling takes long on a long path.

    A queue that somebody else keeps from the beginning looks like a long path, so the rate is low.
    """
    return max(PACKETS_START, min(PACKETS_START_MAX, PACKETS_START_S * signals.queueing.way_s))


class SlowStart:
    """The first growth of a window. is_over: it has ended, and does not begin again."""

    def __init__(self) -> None:
        self.is_over = False
        self._queued = 0  # packets in a row

    def on_seen(self, packets: int, size: float, signals: QueueSignals) -> float:
        """Note that this many more packets have arrived, and return the new size of the window."""
        queueing, deliveries = signals.queueing, signals.deliveries
        if queueing.lasting_s < min(QUEUE_S_MAX, max(QUEUE_S_MIN, queueing.way_s / QUEUE_SHARE)):
            self._queued = 0
            return size + packets
        self._queued += packets
        if self._queued < LASTING_SHARE * size:
            return size + packets
        arrives = deliveries.packets_s * (queueing.way_s + queueing.queue_s)
        if arrives < ON_PATH_SHARE * size:
            return size + packets
        self.is_over = True
        return min(size, arrives)
