"""Ledbat: a window that gives way to everybody else, after LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus).

It keeps a short queue, so that the link stays busy, and shrinks as soon as the queue grows beyond that. So a sender
that fills the queue, as TCP does, gets nearly the whole link. The target depends on the depth of the queue: in a
shallow one, a fixed delay would not be reached before others lose packets.

The delay of the path without queueing must be known, but other senders may have filled the queue since the start. So
now and then this window sends nearly nothing for two round trips, which empties at least its own part of the queue.
"""

from __future__ import annotations

from mrsync.protocol.sending.cubic import PACKETS_MIN, PACKETS_START, PROBING_GAIN
from mrsync.protocol.sending.queueing import Queueing

TARGET_S = 0.02  # queueing
TARGET_SHARE = 3  # of the depth of the queue
EXIT_SHARE = 0.75  # of the target: then probing ends
GAIN = 1.0  # packets per round trip, where nothing queues
SLOWDOWN_EVERY_S = 20.0


class Ledbat:
    """size: packets that may be under way."""

    def __init__(self) -> None:
        self.size = PACKETS_START
        self.is_probing = True
        self._depth_s = float("inf")  # of the queue, as far as is known
        self._slow_at: float | None = None  # when the next slowdown begins
        self._size_before = 0.0  # a slowdown; 0: there is none

    def on_seen(self, packets: int, queueing: Queueing, now: float, *, is_full: bool, is_fresh: bool) -> bool:
        """Take so many more packets that have arrived. Return whether the window was cut.

        is_full: the window kept more from leaving. is_fresh: they left after the last cut.
        """
        if self._slow_down(queueing.rtt_s, now):
            return False
        target_s = self._target_s(queueing)
        above = queueing.queue_s / target_s - 1
        if above > 0:
            if is_fresh:
                self._cut(max(0.85, 1 - above / 8))
            return is_fresh
        if self.is_probing and queueing.queue_s > EXIT_SHARE * target_s:
            self.is_probing = False
        elif is_full:
            self.size += packets if self.is_probing else -above * GAIN * packets / self.size
        return False

    def on_congestion(self, queueing: Queueing, now: float) -> None:
        """Halve the window because the queue on the path was full."""
        self._depth_s = queueing.depth_s
        self._cut(0.5)

    def _cut(self, share: float) -> None:
        self.size = max(PACKETS_MIN, share * self.size)
        self.is_probing = False

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

    def packets_s(self, queueing: Queueing) -> float:
        """Return how many packets may leave in a second: a window in a round trip with the queueing that is wanted."""
        rtt_s = queueing.way_s + self._target_s(queueing)
        return (PROBING_GAIN if self.is_probing else 1) * self.size / rtt_s

    def _target_s(self, queueing: Queueing) -> float:
        return min(TARGET_S, max(queueing.noise_s, self._depth_s / TARGET_SHARE))
