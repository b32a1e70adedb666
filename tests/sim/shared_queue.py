"""SharedQueue: the queue in front of a bottleneck, and a rival that sends through it as a TCP connection does.

The rival is a fluid: its window grows by a packet per round trip and is cut where the queue overflows. Time goes on in
small steps whenever somebody puts packets in, so that no event is needed for each packet of the rival.
"""

from __future__ import annotations

import math

STEP_S = 0.0005
PACKET_BYTES = 1500
BETA = 0.7
GROWTH = 0.53  # packets per round trip that make up for BETA (RFC 9438)
WINDOW_MIN = 2.0


class SharedQueue:
    """rate in bytes/s; rtt_s: the rival's round trip without the queue; 0: there is no rival; ends_s: when it ends."""

    def __init__(self, rate: float, limit_bytes: float, rtt_s: float, ends_s: float = math.inf) -> None:
        self.rival_bytes = 0.0  # that came through
        self._rate = rate
        self._limit_bytes = limit_bytes
        self._rtt_s = rtt_s
        self._ends_s = ends_s
        self._window = 10.0
        self._is_probing = True
        self._cut_at = 0.0
        self._queue_bytes = 0.0
        self._is_full = False  # so that both lose packets
        self._now = 0.0

    def put(self, packets: int, size_bytes: int, now: float) -> int:
        """Return how many of these packets fit, which come at once."""
        self._go_on(now)
        fit = min(packets, int(max(0.0, self._limit_bytes - self._queue_bytes) / size_bytes))
        self._queue_bytes += fit * size_bytes
        self._is_full = fit < packets
        return fit

    def leaves_at(self) -> float:
        """Return when all have left that are in the queue now."""
        return self._now + self._queue_bytes / self._rate

    def _go_on(self, now: float) -> None:
        while self._now < now:
            seconds = min(STEP_S, now - self._now)
            self._now += seconds
            if self._rtt_s and self._now < self._ends_s:
                self._send(seconds)
            self._queue_bytes = max(0.0, self._queue_bytes - self._rate * seconds)

    def _send(self, seconds: float) -> None:
        rtt_s = self._rtt_s + self._queue_bytes / self._rate
        comes = self._window * PACKET_BYTES * seconds / rtt_s
        room = max(0.0, self._limit_bytes + self._rate * seconds - self._queue_bytes)
        fits = min(comes, room)
        self._queue_bytes += fits
        self.rival_bytes += fits
        is_full, self._is_full = self._is_full or fits < comes, False
        if is_full and self._now - self._cut_at > rtt_s:
            self._window, self._cut_at, self._is_probing = max(WINDOW_MIN, BETA * self._window), self._now, False
        else:
            self._window += (self._window if self._is_probing else GROWTH) * seconds / rtt_s
