"""Departures: when bursts left, and how fast.

The rate between two bursts is computed from the times at which they left, because bursts that are planned together
leave one after another. Times in which the caster waited for the window, or for something to send, do not count.
"""

from __future__ import annotations

import math
from array import array

TIMES = 8192  # number of tx that are remembered; a power of two
PAUSE_S = 0.005  # longer ones are waits
PLANNED_MAX = 16  # bursts in one plan
PLANNED_S = 0.11  # in which they leave, about: messages between them have to wait for so long
SMOOTHING = 0.25


class Departures:
    """Take the time at which each tx is planned and, if `on_left` is called, the time at which its last packet left."""

    def __init__(self) -> None:
        self._at = array("d", bytes(8 * TIMES))
        self._sent_by = array("Q", bytes(8 * TIMES))  # packets sent to each listener, up to and with a tx,
        self._idle_by = array("d", bytes(8 * TIMES))  # and seconds of waits before it
        self._packets, self._idle_s, self._last = 0, 0.0, 0.0
        self._newest = 0  # tx
        self._burst_s = 0.0  # in which one leaves, smoothed

    def on_planned(self, tx: int, packets: int, now: float, gap_s: float) -> None:
        """Note a burst. packets: 0 for a status. gap_s: between two packets."""
        self._idle_s += max(0.0, now - self._last - PAUSE_S)
        self._last = max(self._last, now)
        self._packets += packets
        self._newest = tx
        at = tx & TIMES - 1
        self._at[at], self._sent_by[at], self._idle_by[at] = now + packets * gap_s, self._packets, self._idle_s

    @property
    def plan_max(self) -> int:
        """Number of bursts to plan at once: fewer on a slow link, which would keep statuses and repairs waiting."""
        return PLANNED_MAX if PLANNED_MAX * self._burst_s <= PLANNED_S else max(1, int(PLANNED_S / self._burst_s))

    def on_left(self, tx: int, now: float) -> None:
        """Note that the last packet of a burst has left."""
        self._burst_s += SMOOTHING * (max(0.0, now - self._last) - self._burst_s)
        self._at[tx & TIMES - 1] = self._last = now

    def on_spared(self, packets: int) -> None:
        """Note that the last burst has fewer packets than planned, by this number."""
        self._packets -= packets

    def at(self, tx: int) -> float:
        """Return when a burst left, or is to leave."""
        return self._at[tx & TIMES - 1]

    def packets_s(self, first_tx: int, last_tx: int) -> float:
        """Return the packets per second that left between two tx, as far as they are remembered.

        Infinity: both are too old, as in the first report of a listener that was silent for long.
        """
        first_tx = max(first_tx, self._newest - TIMES + PLANNED_MAX + 1)
        if last_tx < first_tx:
            return math.inf
        first, last = first_tx & TIMES - 1, last_tx & TIMES - 1
        seconds = self._left_by(last_tx) - self._left_by(first_tx) - (self._idle_by[last] - self._idle_by[first])
        return (self._sent_by[last] - self._sent_by[first]) / max(1e-3, seconds)

    def _left_by(self, tx: int) -> float:
        """Return when the last burst up to this tx left. A status or a coded burst has no time of its own."""
        return max(self.at(earlier) for earlier in range(tx - PLANNED_MAX, tx + 1))
