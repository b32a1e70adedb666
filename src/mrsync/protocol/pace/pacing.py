"""Pacing: how far apart packets leave where a queue on the way is shorter than a burst.

A page leaves as one burst, as fast as the host can send it. A port with a queue shorter than that loses the tail of
each burst at any average rate, so a smaller window does not help. Where losses sit at the tails of bursts, packets
leave spread at a rate instead: first at the rate at which they came through, then faster, until more is lost again.

Invariants: the rate is cut only for losses of packets that left at the present rate. Without losses it grows slowly
near the last cut and faster with time, so that an improved path is found. Above PACKETS_S_MAX a page lasts half a
millisecond: no timer can spread it, and a queue that takes such a rate takes the burst. Then there is no pacing.
What would break it: a rate that is measured while nobody sends looks too low, which STEP_MAX makes up for.

A timer is late when other programs have the processor. What should have left meanwhile may follow at once, for late_s
at most. How much of that a queue takes is not known, so a cut halves it, and growth brings it back.
"""

from __future__ import annotations

from collections import deque

PACKETS_S_MAX = 88_000.0
PACKETS_S_MIN = 50.0  # 600 kbit/s: a slower path gets more than it takes
STEP_MIN, STEP_MAX = 0.004, 0.5  # growth right after a cut; long after it, and before the first one
STEP_GROWTH = 1.1
CUT_MORE = 0.98  # cut deeper than the lost share, so that the queue empties
GROW_PAGES, GROW_PAGES_FAST = 8, 4  # between two steps of growth; of the largest ones
RATES_REMEMBERED = 16
LATE_S_MAX, LATE_S_MIN = 0.01, 0.001


class Pacing:
    """The rate at which packets leave for each listener, while there is one.

    late_s: seconds that may be made up for at once.
    """

    def __init__(self) -> None:
        self.packets_s: float | None = None  # None: bursts leave whole
        self._before: float | None = None  # the last cut
        self._rates: deque[tuple[int, float]] = deque(maxlen=RATES_REMEMBERED)  # of packets after a tx
        self._step = STEP_MAX
        self.late_s = LATE_S_MAX

    @property
    def is_on(self) -> bool:
        """Whether packets are spread."""
        return self.packets_s is not None

    @property
    def gap_s(self) -> float:
        """Seconds from one packet to the next, for one listener; 0: none."""
        return 1 / self.packets_s if self.packets_s else 0.0

    def begin(self, packets_s: float, tx: int) -> None:
        """Limit the rate to the packets per second that came through, because more than noise was lost."""
        if self.packets_s is None and packets_s < PACKETS_S_MAX:
            self._before = None
            self._step = STEP_MAX
            self._set(max(PACKETS_S_MIN, packets_s * CUT_MORE), tx)

    def cut(self, lost_share: float, came_s: float, tx: int, tx_seen: int) -> None:
        """Cut the rate at which packets up to tx_seen left, and use the lower one for packets after tx.

        lost_share: what was lost beyond noise, of 1. came_s: packets per second that came through, which is a better
        guide while the rate grows fast.
        """
        if self.packets_s is not None:
            packets_s = self._rate_at(tx_seen) * (1 - lost_share)
            if self._step == STEP_MAX:
                packets_s = min(packets_s, came_s)
            self._before, self._step = self.packets_s, STEP_MIN
            self.late_s = max(LATE_S_MIN, self.late_s / 2)
            self._set(max(PACKETS_S_MIN, packets_s * CUT_MORE), tx)

    def stop(self) -> None:
        """Let bursts leave whole again."""
        self.packets_s = None

    def take_back_cut(self, tx: int) -> None:
        """Undo the last cut, which did not help, for packets after tx, and grow as fast as at the beginning."""
        if self._before is None:
            self.stop()
        elif self.packets_s is not None:
            self._step = STEP_MAX
            self._set(max(self.packets_s, self._before), tx)

    def on_progress(self, tx_done: int, tx: int) -> None:
        """Grow, once per GROW_PAGES pages that left at the present rate and that the slowest listener has processed."""
        pages = GROW_PAGES_FAST if self._step == STEP_MAX else GROW_PAGES
        if self.packets_s is None or tx_done - self._rates[-1][0] < pages:
            return
        self._set(self.packets_s * (1 + self._step), tx)
        self._step = min(STEP_MAX, self._step * STEP_GROWTH)
        self.late_s = min(LATE_S_MAX, self.late_s * STEP_GROWTH)
        if self.packets_s > PACKETS_S_MAX:
            self.packets_s = None

    def _set(self, packets_s: float, tx: int) -> None:
        self.packets_s = packets_s
        self._rates.append((tx, packets_s))

    def _rate_at(self, tx: int) -> float:
        """Return the rate at which this tx left."""
        return next((rate for since, rate in reversed(self._rates) if since < tx), self._rates[0][1])
