"""Cubic: the congestion window of a TCP connection (RFC 9438), so that a session takes no more than one.

After congestion the window is cut to BETA and returns to its former size along a cubic curve. Where a Reno TCP would
grow faster, it grows like that one. A cut never goes below what fills the path without a queue: a TCP's cut drains the
queue, too, and not the path.

Until the first congestion it searches: the window alone limits, and pages leave whole. Where processors are what
limits, timers are late, and so a pace would be missed, less would arrive, and the pace would follow that downwards.
"""

from __future__ import annotations

import math

from mrsync.protocol.pace.queue_signals import QueueSignals
from mrsync.protocol.pace.regrowth import GROWTH, Regrowth
from mrsync.protocol.pace.slowstart import GAIN, PACKETS_START, PACKETS_START_S, SlowStart, first_size

PACKETS_MIN = 2.0
BETA = 0.7
RARE_S = 2.0
BETA_RARE = 0.5  # where congestion is rare: the queue is deep, and others would wait long for their share
STEEPNESS = 0.4  # C, packets per cubic second
PACE_GAIN = 1.0
GROWTH_BUSY = 0.125  # of what arrives, while packets queue and none was lost yet
RENO_GAIN = 3 * (1 - BETA) / (1 + BETA)  # packets per round trip


class Cubic:
    """The congestion window of one path. size: packets that may be under way."""

    def __init__(self) -> None:
        self.size = PACKETS_START
        self._start = SlowStart()
        self._regrowth = Regrowth()
        self._most = 0.0  # size at the last congestion
        self._least = 0.0  # size right after it
        self._reno = 0.0  # size of a Reno TCP since then
        self._cut_at = 0.0
        self._is_searching = True  # until the first congestion
        self._uncut = 0.0  # size before the cuts that may have been wrong
        self._was_searching = True

    @property
    def is_probing(self) -> bool:
        """Whether the window still doubles, because no limit was seen."""
        return not self._start.is_over

    def on_seen(self, packets: int, signals: QueueSignals, now: float, *, is_full: bool, is_fresh: bool) -> bool:
        """Note that this many more packets have arrived. Return False: only a loss cuts this window.

        is_full: the window kept more from leaving.
        """
        if self.is_probing:
            self.size = max(self.size, first_size(signals))
        if is_full and self.is_probing:
            self.size = self._start.on_seen(packets, self.size, signals)
            self._begin_curve(self.size, now)
        elif is_full and self._is_searching:
            self.size += packets * (GROWTH_BUSY if signals.queueing.is_busy else GROWTH)
            self._begin_curve(self.size, now)
        elif is_full and (more := self._regrowth.growth(packets, self.size, signals.queueing, now)):
            self.size += more
            self._begin_curve(self.size, now)
        elif is_full:
            self._grow(packets, signals, now)
        return False

    def _grow(self, packets: int, signals: QueueSignals, now: float) -> None:
        self._reno += RENO_GAIN * packets / self.size
        back_s = (max(0.0, self._most - self._least) / STEEPNESS) ** (1 / 3)  # seconds until it is back
        ahead_s = now - self._cut_at + signals.queueing.rtt_s - back_s
        wanted = min(1.5 * self.size, STEEPNESS * ahead_s**3 + self._most)
        self.size = max(self.size, self._reno, self.size + (wanted - self.size) * packets / self.size)

    def on_congestion(self, signals: QueueSignals, now: float) -> None:
        """Cut the window because the queue on the path was full."""
        if signals.noise.suspicions <= 1:
            self._uncut, self._was_searching = self.size, self._is_searching
        is_less = self.size < self._most  # another sender has come, so leave room
        most = self.size * (1 + BETA) / 2 if is_less else self.size
        beta = BETA if now - self._cut_at < RARE_S else BETA_RARE
        self.size = max(PACKETS_MIN, beta * self.size, min(self.size, signals.filling))
        self._begin_curve(most, now)
        self._start.is_over = True
        self._is_searching = False
        self._regrowth.on_congestion(now)

    def take_back_cut(self, now: float) -> None:
        """Undo the last cuts: their losses were noise."""
        self.size, self._is_searching = max(self.size, self._uncut), self._was_searching
        self._begin_curve(self.size, now)

    def _begin_curve(self, most: float, now: float) -> None:
        self._most, self._least, self._reno, self._cut_at = most, self.size, self.size, now

    def packets_s(self, signals: QueueSignals) -> float:
        """Return how many packets may leave in a second."""
        queueing = signals.queueing
        if self.is_probing and PACKETS_START_S * queueing.way_s > PACKETS_START:
            return GAIN * self.size / queueing.way_s
        if self._is_searching:
            return math.inf
        slowest = self.size / max(signals.unhurried_s, queueing.way_s + queueing.depth_s)  # with the queue full
        return max(slowest, signals.pace(PACE_GAIN * self.size))
