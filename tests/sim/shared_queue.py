"""SharedQueue: the queue in front of a bottleneck, and a rival that sends through it as a TCP connection does.

The rival is a fluid whose window is that of CUBIC (RFC 9438), and is cut where the queue overflows. Time goes on in
small steps whenever somebody puts packets in, so that no event is needed for each packet of the rival.
"""

from __future__ import annotations

import math

STEP_S = 0.0005
PACKET_BYTES = 1500
BETA = 0.7
STEEPNESS = 0.4  # C of RFC 9438, packets per cubic second
RENO_GAIN = 0.53  # packets per round trip that make up for BETA
WINDOW_MIN = 2.0
DELAY_S_MIN, DELAY_S_MAX = 0.004, 0.016  # of queueing, at which slow start ends (HyStart++, RFC 9406)
DELAY_SHARE = 8


class Rival:
    """The window of a TCP connection, in packets. rtt_s: its round trip without the queue."""

    def __init__(self, rtt_s: float) -> None:
        self.window = 10.0
        self._rtt_s = rtt_s
        self._is_probing = True
        self._most = self._reno = 0.0
        self._back_s = 0.0  # from a cut until it is back
        self._cut_at = 0.0

    def grow(self, seconds: float, queue_s: float, now: float) -> None:
        """Grow by what arrives in this time."""
        rtt_s = self._rtt_s + queue_s
        rounds = seconds / rtt_s
        if self._is_probing:
            self.window += self.window * rounds
            if queue_s > min(DELAY_S_MAX, max(DELAY_S_MIN, self._rtt_s / DELAY_SHARE)):
                self._begin(self.window, now)
            return
        self._reno += RENO_GAIN * rounds
        wanted = STEEPNESS * (now - self._cut_at + rtt_s - self._back_s) ** 3 + self._most
        self.window += max(0.0, min(wanted, 1.5 * self.window) - self.window) * rounds
        self.window = max(self.window, self._reno)

    def cut(self, queue_s: float, now: float) -> None:
        """Cut the window for a loss, once per round trip."""
        if now - self._cut_at > self._rtt_s + queue_s:
            most = self.window if self.window >= self._most else self.window * (1 + BETA) / 2
            self.window = max(WINDOW_MIN, BETA * self.window)
            self._begin(most, now)

    def _begin(self, most: float, now: float) -> None:
        self._most, self._reno, self._cut_at, self._is_probing = most, self.window, now, False
        self._back_s = (max(0.0, most - self.window) / STEEPNESS) ** (1 / 3)


class SharedQueue:
    """rate in bytes/s; rtt_s: the rival's round trip without the queue; 0: there is no rival; ends_s: when it ends."""

    def __init__(self, rate: float, limit_bytes: float, rtt_s: float, ends_s: float = math.inf) -> None:
        self.rival_bytes = 0.0  # that came through
        self._rate = rate
        self._limit_bytes = limit_bytes
        self._rtt_s = rtt_s
        self._rival = Rival(rtt_s) if rtt_s else None
        self._ends_s = ends_s
        self._queue_bytes = 0.0
        self._is_full = False  # so that both lose packets
        self._now = 0.0
        self._leaves_at = 0.0

    def put(self, packets: int, size_bytes: int, now: float) -> int:
        """Return how many of these packets fit, which come at once."""
        self._go_on(now)
        fit = min(packets, int(max(0.0, self._limit_bytes - self._queue_bytes) / size_bytes))
        self._queue_bytes += fit * size_bytes
        self._is_full = fit < packets
        self._leaves_at = max(self._leaves_at, self._now + self._queue_bytes / self._rate)
        return fit

    def change_rate(self, factor: float) -> None:
        """Go on with the rate times this factor. What is in the queue already leaves as was planned."""
        self._rate *= factor

    def is_above(self, size_bytes: float) -> bool:
        """Return whether more than this is queued now."""
        return 0 < size_bytes < self._queue_bytes

    def leaves_at(self) -> float:
        """Return when all have left that are in the queue now; nothing overtakes what came before."""
        return self._leaves_at

    def _go_on(self, now: float) -> None:
        while self._now < now:
            seconds = min(STEP_S, now - self._now)
            self._now += seconds
            if self._rival and self._now < self._ends_s:
                self._send(self._rival, seconds)
            self._queue_bytes = max(0.0, self._queue_bytes - self._rate * seconds)

    def _send(self, rival: Rival, seconds: float) -> None:
        queue_s = self._queue_bytes / self._rate
        comes = rival.window * PACKET_BYTES * seconds / (self._rtt_s + queue_s)
        room = max(0.0, self._limit_bytes + self._rate * seconds - self._queue_bytes)
        fits = min(comes, room)
        self._queue_bytes += fits
        self.rival_bytes += fits
        is_full, self._is_full = self._is_full or fits < comes, False
        if is_full:
            rival.cut(queue_s, self._now)
        rival.grow(seconds, queue_s, self._now)
