"""Deliveries: how many packets per second reach one listener, where the path and not the program is the limit.

The largest recent rate counts, as in BBR (draft-cardwell-iccrg-bbr-congestion-control): a program that is late makes a
rate look too low, and only reports that were read late make it look too high. So rates are taken over
SAMPLE_S and more.
"""

from __future__ import annotations

from mrsync.protocol.core.recent import Recent

SPAN_S = 1.0
SAMPLE_S = 0.025
SMOOTHING = 0.25


class Deliveries:
    """The rate of one path, from the numbers of packets that reports say to have arrived."""

    def __init__(self) -> None:
        self._rates = Recent(SPAN_S, max)
        self.recent_packets_s = 0.0  # smoothed
        self.feedback_s = 0.0  # between two reports, smoothed
        self._packets = 0  # since then
        self._since: float | None = None
        self._added_at = 0.0

    @property
    def packets_s(self) -> float:
        """Number of packets per second. 0: not known."""
        return self._rates.value or 0.0

    def add(self, packets: int, now: float, *, is_full: bool) -> None:
        """Note that this many more packets have arrived. is_full: there was more to send than could leave."""
        if self._since is None or not is_full:
            self._since, self._packets, self._added_at = now, 0, now
            return
        self.feedback_s += SMOOTHING * (now - self._added_at - self.feedback_s)
        self._packets, self._added_at = self._packets + packets, now
        if now - self._since >= SAMPLE_S:
            rate = self._packets / (now - self._since)
            self._rates.add(rate, now)
            self.recent_packets_s += SMOOTHING * (rate - self.recent_packets_s) if self.recent_packets_s else rate
            self._since, self._packets = now, 0
