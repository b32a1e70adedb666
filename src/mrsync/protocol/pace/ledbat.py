"""Ledbat: a congestion window that yields to all other traffic, after LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus).

It keeps a short queue, so that the link stays busy, and shrinks as soon as the queue grows beyond that. So a sender
that fills the queue, as TCP does, gets nearly the whole link. The target depends on the depth of the queue: in a
shallow one, a fixed delay would not be reached before others lose packets.

It never gives way completely, or a session beside a TCP connection that lasts would not end: it keeps FLOOR_SHARE of
the highest rate that it has seen on the path, unless the path has become so slow that less arrives.

The delay of the path without queueing must be known, but other senders may have filled the queue since the start. So
now and then this window sends nearly nothing for two round trips, which empties at least its own part of the queue.
"""

from __future__ import annotations

from mrsync.protocol.pace.cubic import PACKETS_MIN
from mrsync.protocol.pace.queue_signals import QueueSignals
from mrsync.protocol.pace.queueing import Queueing
from mrsync.protocol.pace.regrowth import Regrowth
from mrsync.protocol.pace.slowstart import GAIN as PROBING_GAIN
from mrsync.protocol.pace.slowstart import PACKETS_START, SlowStart

TARGET_S = 0.02  # queueing
TARGET_SHARE = 3  # of the depth of the queue
GAIN = 1.0  # packets per round trip, where nothing queues
SLOWDOWN_EVERY_S = 20.0
FLOOR_SHARE = 0.05  # of the highest rate; LEDBAT++ keeps two packets
BEARS_SHARE = 0.5  # of the floor: if less arrives while packets are lost, the path has become slower,
BEST_CUT = 0.9  # and that highest rate is of another time
OWN_SHARE = 0.5  # of the queue: if the window cannot hold so much of it, others keep it


class Ledbat:
    """The congestion window of one path. size: packets that may be under way."""

    def __init__(self) -> None:
        self.size = PACKETS_START
        self._start = SlowStart()
        self._regrowth = Regrowth()
        self._depth_s = float("inf")  # of the queue, as far as is known
        self._uncut = 0.0  # size before the cuts that may have been wrong
        self._best_s = 0.0  # packets per second, the most that were seen
        self._slow_at: float | None = None  # when the next slowdown begins
        self._size_before = 0.0  # a slowdown; 0: there is none

    @property
    def is_probing(self) -> bool:
        """Whether the window still doubles, because no limit was seen."""
        return not self._start.is_over

    def on_seen(self, packets: int, signals: QueueSignals, now: float, *, is_full: bool, is_fresh: bool) -> bool:
        """Note that this many more packets have arrived. Return whether the window was cut.

        is_full: the window kept more from leaving. is_fresh: they left after the last cut.
        """
        queueing = signals.queueing
        self._best_s = max(self._best_s, signals.passes_s)
        if self._slow_down(queueing.rtt_s, now):
            return False
        target_s = self._target_s(queueing)
        above = queueing.queue_s / target_s - 1
        if above > 0 and self.size < OWN_SHARE * self._best_s * queueing.queue_s and queueing.on_lasting(now):
            return False
        if above > 0:
            if is_fresh:
                self._uncut = 0.0
                self._cut(max(0.85, 1 - above / 8), queueing)
            return is_fresh
        if is_full and self.is_probing:
            self.size = self._start.on_seen(packets, self.size, signals)
        elif is_full:
            self.size -= above * GAIN * packets / self.size
            self.size += self._regrowth.growth(packets, self.size, queueing, now)
        return False

    def on_congestion(self, signals: QueueSignals, now: float) -> None:
        """Halve the window because the queue on the path was full."""
        self._depth_s = signals.queueing.depth_s
        if signals.noise.suspicions <= 1:
            self._uncut = self.size
        if signals.deliveries.packets_s < BEARS_SHARE * self._floor_s:
            self._best_s *= BEST_CUT
        self._cut(max(0.5, min(1.0, signals.filling / self.size)), signals.queueing)
        self._regrowth.on_congestion(now)

    def take_back_cut(self, now: float) -> None:
        """Undo the last cuts: their losses were noise."""
        if self._size_before:
            self._size_before = max(self._size_before, self._uncut)
        else:
            self.size = max(self.size, self._uncut)

    def _cut(self, share: float, queueing: Queueing) -> None:
        self.size = max(PACKETS_MIN, self._floor_s * queueing.rtt_s, share * self.size)
        self._start.is_over = True

    def _slow_down(self, rtt_s: float, now: float) -> bool:
        """Begin or end a slowdown when it is time; True while there is one."""
        if self._slow_at is None:
            self._slow_at = now + SLOWDOWN_EVERY_S
        if self._size_before and now > self._slow_at:
            self.size, self._size_before = self._size_before, 0.0
            self._slow_at = now + SLOWDOWN_EVERY_S
        elif not self._size_before and now > self._slow_at:
            self._size_before, self.size = self.size, PACKETS_MIN
            self._slow_at = now + 2 * rtt_s
        return bool(self._size_before)

    def packets_s(self, signals: QueueSignals) -> float:
        """Return how many packets may leave in a second: fewer at once where more queues than is wanted."""
        if self.is_probing:
            return PROBING_GAIN * self.size / signals.unhurried_s
        target_s, packets_s = self._target_s(signals.queueing), signals.pace(self.size)
        if signals.queueing.queue_s <= target_s:
            return packets_s
        return max(self._floor_s, min(packets_s, self.size / (signals.queueing.way_s + target_s)))

    @property
    def _floor_s(self) -> float:
        """Packets per second that it keeps."""
        return FLOOR_SHARE * self._best_s

    def _target_s(self, queueing: Queueing) -> float:
        return min(TARGET_S, max(queueing.jitter_s, self._depth_s / TARGET_SHARE))
