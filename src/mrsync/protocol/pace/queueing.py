"""Queueing: how long packets wait in queues of the network on their way to one listener, and how long they may.

A round trip consists of the path itself and the time in queues. The path is the shortest round trip of the last minute
or two (RFC 6817); the excess is queueing. The longest recent queueing is the depth of the queue, because a queue is
full when it loses a packet. Both are forgotten after two spans, because routes and other senders change. The span of
the path is long, because others may keep a queue for long: with a short span, it would be taken for the path.

One round trip proves little, because programs are late now and then. So the median of the last three counts, and the
smaller one of two. Where a mistake costs much, the shortest of the three counts: a late program does not shorten it.

What was seen long ago says nothing about the present queue. A window at its minimum sends little, and shows few round
trips. It must not stay there because of the last queue that it saw.
"""

from __future__ import annotations

from collections import deque

from mrsync.protocol.core.recent import Recent
from mrsync.protocol.pace.detours import Detours

WAY_SPAN_S = 60.0  # others may keep a queue for long: RFC 6817 remembers ten minutes
DEPTH_SPAN_S = 5.0
SHORT_SHARE = 3  # of the depth
JITTER_S = 0.0025  # queueing below this is jitter of two hosts
JITTER_SHARE = 8  # of the way itself, on a long one
SMOOTHING = 0.25
LAST = 3
STALE_S = 1.0  # a queue that was seen so long ago, and several round trips, says nothing about the present one
STALE_ROUNDS = 8


class Queueing:
    """The queueing of one path, from round trips in seconds without the time for which the listener held its answer."""

    def __init__(self) -> None:
        self.rtt_s = 0.0  # smoothed
        self.queue_s = 0.0  # median of the last three; 0 also where the present queue is not known
        self.lasting_s = 0.0  # the shortest of them
        self._last: deque[float] = deque(maxlen=LAST)
        self._added_at = 0.0
        self._shortest = Recent(WAY_SPAN_S)
        self._longest = Recent(DEPTH_SPAN_S, max)
        self._detours = Detours()

    @property
    def way_s(self) -> float:
        """The shortest recent round trip; 0 while none is known."""
        return self._shortest.value or 0.0

    @property
    def brief_s(self) -> float:
        """The present round trip, rather too short than too long."""
        return max(1e-6, min(self.rtt_s, self.way_s + self.queue_s))

    @property
    def depth_s(self) -> float:
        """The longest recent queueing."""
        return max(0.0, (self._longest.value or 0.0) - self.way_s)

    @property
    def jitter_s(self) -> float:
        """Delays up to this may be no queueing at all."""
        return max(JITTER_S, self.way_s / JITTER_SHARE)

    @property
    def is_busy(self) -> bool:
        """Whether packets certainly queue, and no program was late."""
        return self.lasting_s > self.jitter_s

    @property
    def is_full(self) -> bool:
        """Whether the queue on the way is so long that a loss may come from it.

        On a long path late programs make most round trips a little longer, so a queue must last there.
        """
        depth, jitter_s = self.depth_s, self.jitter_s
        is_lasting = jitter_s == JITTER_S or self.lasting_s > jitter_s / 2
        return is_lasting and depth > jitter_s and self.queue_s > depth / 2

    @property
    def is_short(self) -> bool:
        """Whether a loss that is reported now cannot come from the queue on the way, which was short all the time."""
        return bool(self._last) and max(self._last) - self.way_s < self.depth_s / SHORT_SHARE

    def forget(self, now: float) -> None:
        """Forget the present queue if no round trip has shown it for long."""
        if now - self._added_at > max(STALE_S, STALE_ROUNDS * self.rtt_s):
            self._last.clear()
            self.queue_s = self.lasting_s = 0.0

    def add(self, rtt_s: float, now: float) -> None:
        """Note another round trip; one that is not positive shows that clocks were set, or bytes of another burst."""
        if rtt_s <= 0:
            return
        self.forget(now)
        self._last.append(rtt_s)
        self._added_at = now
        middle = sorted(self._last)[(len(self._last) - 1) // 2]
        self._shortest.add(rtt_s, now)
        self._longest.add(middle, now)
        self._detours.add(rtt_s, middle, self.way_s, self.jitter_s, now)
        self.rtt_s += SMOOTHING * (rtt_s - self.rtt_s) if self.rtt_s else rtt_s
        self.queue_s = max(0.0, middle - self.way_s)
        self.lasting_s = max(0.0, min(self._last) - self.way_s)

    def on_cut(self, now: float) -> bool:
        """Note that the queue seems to be full. Return whether it is none, because the path has become longer."""
        return self._lengthen(self._detours.on_cut(self.way_s, self.jitter_s, now), now)

    def on_lasting(self, now: float) -> bool:
        """Note that others keep the queue. Return whether it is none, because the path has become longer."""
        return self._lengthen(self._detours.on_lasting(self.way_s, self.jitter_s, now), now)

    def _lengthen(self, way_s: float, now: float) -> bool:
        """Take so many seconds for the path, if not 0."""
        if not way_s:
            return False
        self._shortest, self._longest, self._detours = Recent(WAY_SPAN_S), Recent(DEPTH_SPAN_S, max), Detours()
        self._shortest.add(way_s, now)
        self._longest.add(way_s, now)
        self.queue_s = self.lasting_s = 0.0
        return True
