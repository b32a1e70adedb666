"""Window: how many bursts may be under way to the slowest target, and the rate cap.

As in PGMCC (Rizzo, SIGCOMM 2000), acknowledgements of the slowest receiver clock the sender. Increase is additive and
decrease multiplicative, as in Jacobson (SIGCOMM 1988), with two additions.

Invariants: no burst is sent beyond the window. And the slowest target has at most QUEUE_S_MAX of its own time queued in
front of it, in the network, its socket and its disk. The second holds because a window that fills a longer queue is cut
to that length once per round trip. The rate stays, because the queue does not run empty. The limit set by receive
buffers applies to what is queued, not to what a long path holds. Without a queue, what the window grows by will be on
the path as well. So small buffers do not keep the window from growing fast.

Without a queue, the window grows by a quarter per round trip, up to nine tenths of the size at the last cut, or without
a limit if that was long ago. At 300 ms this fills 90 % of a link within two seconds of a cut; a page per round trip
would take minutes. Near that size, and with a queue, it grows by a page. What would break it: a wrong floor of the
round trips. A queue that stands from the beginning looks like a longer path, until it runs empty.

A cut because of a suspicion may be taken back (loss_trials.py). A cut because of drops at a host is final.
"""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.protocol.pace.delay import Delay
from mrsync.wire.geometry import Geometry

PACKET_TRUESIZE_BYTES = 2304  # which the kernel charges a socket buffer for a packet of 1500 bytes
WINDOW_BURSTS_START = 32
WINDOW_BURSTS_MAX = 320  # scheduling delays of a busy host at 1 GB/s
WINDOW_BURSTS_MIN = 2
QUEUE_S_MAX = 0.2  # in front of the slowest target; more only delays repairs and the end
GROWTH = 0.25  # per window, without a queue
NEAR = 0.9  # of the size at the last cut
CUT_SPAN_S = 2.0  # how long that size is remembered
RATE_CREDIT_S = 0.01  # up to this much may be made up for at once, because timers are late


class Window:
    """The number of bursts that may be sent before the monitor has processed them, and the rate cap.

    rate_bytes_s: the cap, or None. is_bounded: False if only the rate cap limits the caster, and losses are repaired.
    """

    def __init__(self, *, rate_bytes_s: float | None, geometry: Geometry, is_bounded: bool = True) -> None:
        self.size = float(WINDOW_BURSTS_START)
        self.cuts = 0
        self.is_bounded = is_bounded
        self._limit = float(WINDOW_BURSTS_MAX)
        self._buffer_bytes: int | None = None  # the smallest of all listeners
        self._rate_bytes_s = rate_bytes_s
        self._is_probing = True  # doubling until the first cut (slow start)
        self._cut_tx = 0
        self._cut_at = -CUT_SPAN_S
        self._cut_size = 0.0  # the size at the last cut
        self._is_cut_final = True
        self._now = 0.0
        self._grown_tx = 0
        self._grown_at = 0.0
        self._on_the_way = 0.0  # bursts that the path holds without queues at the present rate
        self._next_at = 0.0
        self.fit(geometry)

    def fit(self, geometry: Geometry) -> None:
        """Set the geometry of pages from now on."""
        self._page_truesize = geometry.packets * PACKET_TRUESIZE_BYTES
        self._limit_size()

    def on_buffers(self, buffers_bytes: Iterable[int]) -> None:
        """Take the receive buffers of all present listeners. Half of the smallest one may be under way.

        Those of listeners that have left must not count, or one of them could slow down the others for ever.
        """
        smallest = min(buffers_bytes, default=None)
        if smallest != self._buffer_bytes:
            self._buffer_bytes = smallest
            self._limit_size()

    def _limit_size(self) -> None:
        self._limit = float(WINDOW_BURSTS_MAX)
        if self._buffer_bytes is not None:
            bursts = self._buffer_bytes / 2 / self._page_truesize
            self._limit = max(float(WINDOW_BURSTS_MIN), min(float(WINDOW_BURSTS_MAX), bursts))
        self.size = min(self.size, self._limit + self._on_the_way)

    def on_progress(self, tx_done: int, delay: Delay, now: float) -> None:
        """Grow or shrink once per window. tx_done, delay: how far the monitor is, and how long packets take there."""
        self._now = now
        if tx_done - self._grown_tx < self.size:
            return
        if now > self._grown_at:
            self._on_the_way = delay.floor_s * (tx_done - self._grown_tx) / (now - self._grown_at)
        self._grown_tx, self._grown_at = tx_done, now
        if delay.queue_s > QUEUE_S_MAX:
            self._is_probing = False
            self.size = max(float(WINDOW_BURSTS_MIN), self.size * (delay.floor_s + QUEUE_S_MAX) / delay.rtt_s)
        else:
            growth = (1.0 if self._is_probing else GROWTH) if delay.is_quiet else 0.0
            limit = self._limit + (1 + growth) * self._on_the_way
            self.size = min(limit, self.size + self._step(delay, now))

    def _step(self, delay: Delay, now: float) -> float:
        if self._is_probing:
            return self.size
        is_free = self.size < NEAR * self._cut_size or now - self._cut_at > CUT_SPAN_S
        return max(1.0, GROWTH * self.size) if is_free and delay.is_quiet else 1.0

    def on_congestion(self, tx: int, tx_seen: int) -> None:
        """Halve the window because of drops or losses, only once for all that was under way."""
        if tx_seen <= self._cut_tx:
            return
        self._cut_tx, self._cut_at, self._cut_size = tx, self._now, self.size
        self._is_cut_final = False
        self._is_probing = False
        self.cuts += 1
        self.size = max(float(WINDOW_BURSTS_MIN), self.size / 2)

    def keep_cut(self) -> None:
        """Note that the last cut was right."""
        self._is_cut_final = True

    def take_back_cut(self) -> None:
        """Take back the last cut, which did not help, unless another target has confirmed it."""
        if not self._is_cut_final:
            self._is_cut_final = True
            self.size = max(self.size, min(self._limit + self._on_the_way, self._cut_size))
            self._cut_at = self._now - CUT_SPAN_S

    def on_sent(self, payload_bytes: int, now: float) -> None:
        """Note that so many bytes of sealed pages were sent, for the rate cap."""
        if self._rate_bytes_s:
            self._next_at = max(now - RATE_CREDIT_S, self._next_at) + payload_bytes / self._rate_bytes_s

    def opens_at(self, now: float) -> float | None:
        """Return when the rate cap allows the next burst. None: now."""
        return self._next_at if self._next_at > now else None

    def room(self, tx: int, tx_done: int) -> int:
        """Return how many bursts may follow tx while the monitor is at tx_done. Without a monitor, many."""
        if not self.is_bounded:
            return WINDOW_BURSTS_MAX
        return max(0, int(self.size) - (tx - tx_done))
