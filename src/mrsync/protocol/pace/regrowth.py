"""Regrowth: find out that a path has room for much more than the window, and let the window grow fast again.

A slow start may end too early, because late programs look like queueing, and other senders may have gone. The curves of
CUBIC and LEDBAT would then take minutes to fill a fast path: they add about a packet per round trip. HyStart++ (RFC
9406) goes on doubling if the delay was no queue after all. Here the window grows by GROWTH of itself once nothing has
queued while as many packets as it holds arrived.

Invariant: not soon after congestion. Other senders were cut by it as well, and come back slowly.
"""

from __future__ import annotations

import math

from mrsync.protocol.pace.queueing import Queueing

GROWTH = 0.25  # of what arrives
AFTER_CONGESTION_S = 1.0


class Regrowth:
    """The growth of one window, from what arrives after the slow start."""

    def __init__(self) -> None:
        self._quiet = 0  # packets in a row while nothing queued
        self._congested_at = -math.inf

    def growth(self, packets: int, size: float, queueing: Queueing, now: float) -> float:
        """Note that this many more packets have arrived. Return by how many packets the window may grow.

        size: of the window in packets. queueing: of the path to this listener.
        """
        if queueing.is_busy or now - self._congested_at < AFTER_CONGESTION_S:
            self._quiet = 0
            return 0.0
        self._quiet += packets
        return GROWTH * packets if self._quiet > size else 0.0

    def on_congestion(self, now: float) -> None:
        """Note that the queue on the path was full."""
        self._congested_at = now
