"""Noise: what share of packets one listener loses while hardly anything queues, so that no queue can have dropped them.

A radio or a bad cable loses the same share whatever queues. So losses while a queue is long mean that it is full only
where clearly more is lost than while it is short. Until a share is known, each loss counts as a full queue: then less
is sent, the queue gets shorter, and what is still lost is noise. What would break it: losses that come in long runs
look like a full queue now and then, and cost a cut.
"""

from __future__ import annotations

from math import sqrt

PACKETS_REMEMBERED = 4000  # older ones count less
FORGOTTEN_S = 20.0
SIGMAS = 3.0  # above what is expected; the losses of noise are independent


class Noise:
    """Takes losses as they are reported."""

    def __init__(self) -> None:
        self._packets = self._lost = 0.0  # while little queued
        self._heard_at = 0.0  # the last of these
        self._long_packets = self._long_lost = 0  # while much queued, since then or since the last congestion

    @property
    def share(self) -> float:
        """The share that is lost whatever queues; 0: none, or none is known."""
        return self._lost / self._packets if self._packets else 0.0

    def learn(self, packets: int, lost: int, now: float) -> None:
        """Take what was lost while hardly anything queued."""
        if self._packets > PACKETS_REMEMBERED or now - self._heard_at > FORGOTTEN_S:
            self._packets, self._lost = self._packets / 2, self._lost / 2
        self._packets += packets
        self._lost += lost
        self._heard_at = now
        self._long_packets = self._long_lost = 0

    def is_exceeded(self, packets: int, lost: int) -> bool:
        """Take what was lost while much queued. Return whether it shows that the queue was full."""
        self._long_packets += packets
        self._long_lost += lost
        expected = self.share * self._long_packets
        if not lost or (expected and self._long_lost <= 1 + expected + SIGMAS * sqrt(expected)):
            return False
        self._long_packets = self._long_lost = 0
        return True
