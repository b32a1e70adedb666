"""Window: how much may be under way, and the rate cap.

After PGMCC (Rizzo, SIGCOMM 2000): the slowest receiver's acknowledgements clock the sender. Additive increase and
multiplicative decrease after Jacobson (SIGCOMM 1988), with two additions.

Invariants: no burst leaves beyond the window, whoever asks; and what the slowest one has before it, in queues of the
network, its socket and its disk, is at most QUEUE_S_MAX of its own time. The second holds because a window that fills a
longer queue is cut down to that share of it once per round trip: the rate stays, for the queue is not empty. The limit
that receive buffers set counts for what queues, not for what is on the way.

Where nothing queues, nobody is in the way, and the window grows by a quarter per round trip, up to nine tenths of where
it was cut last, or at all when that is long ago: at 300 ms that is 90 % of the link within two seconds of a cut, where
a page per round trip takes minutes. Near that, and where something queues, it grows by a page. What would break this: a
floor of the round trips that is wrong (a standing queue from the beginning looks like a longer way, until it empties).

A cut for a suspicion may be taken back (losses.py); one for drops at a host is not.
"""

from __future__ import annotations

from mrsync.protocol.sending.delay import Delay
from mrsync.wire.geometry import Geometry

PACKET_TRUESIZE_BYTES = 2304  # what the kernel charges a socket buffer for one packet of 1500 B MTU
WINDOW_PAGES_START = 32
WINDOW_PAGES_MAX = 320  # scheduling delays of a busy host at 1 GB/s
WINDOW_PAGES_MIN = 2
QUEUE_S_MAX = 0.2  # before the slowest one; more only makes repairs and the end late
GROWTH = 0.25  # per window, where nothing queues
NEAR = 0.9  # of the size that was too much
CUT_SPAN_S = 2.0  # for so long that size is remembered
RATE_CREDIT_S = 0.01  # what was not sent for so long may follow at once: timers are late


class Window:
    """Bursts that may be sent and not yet processed by the monitor, and the rate cap.

    is_bounded: False where only the rate cap holds the caster back; whatever is lost for that is repaired.
    """

    def __init__(self, *, rate_bytes_s: float | None, geometry: Geometry, is_bounded: bool = True) -> None:
        self.size = float(WINDOW_PAGES_START)
        self.cuts = 0
        self.is_bounded = is_bounded
        self._limit = float(WINDOW_PAGES_MAX)
        self._buffer_bytes: int | None = None  # the smallest of all targets
        self._rate_bytes_s = rate_bytes_s
        self._is_probing = True  # doubling until the first cut (slow start)
        self._cut_tx = 0
        self._cut_at = -CUT_SPAN_S
        self._cut_size = 0.0  # where it was cut last
        self._is_cut_final = True
        self._now = 0.0
        self._grown_tx = 0
        self._grown_at = 0.0
        self._on_the_way = 0.0  # pages that fill a way without queues, at the present rate; no buffer holds them
        self._next_at = 0.0
        self.fit(geometry)

    def fit(self, geometry: Geometry) -> None:
        """Pages are cut so from now on."""
        rate = self._rate_bytes_s
        self._seconds_per_packet = geometry.page_bytes / geometry.packets / rate if rate else 0.0
        self._page_truesize = geometry.packets * PACKET_TRUESIZE_BYTES
        self._limit_size()

    def on_buffer(self, buffer_bytes: int) -> None:
        """A target told its receive buffer: half of it may be under way."""
        self._buffer_bytes = min(self._buffer_bytes or buffer_bytes, buffer_bytes)
        self._limit_size()

    def _limit_size(self) -> None:
        if self._buffer_bytes is not None:
            pages = self._buffer_bytes / 2 / self._page_truesize
            self._limit = max(float(WINDOW_PAGES_MIN), min(float(WINDOW_PAGES_MAX), pages))
        self.size = min(self.size, self._limit + self._on_the_way)

    def on_progress(self, tx_done: int, delay: Delay, now: float) -> None:
        """The monitor, which shows this delay, processed up to here: grow or shrink once per window."""
        self._now = now
        if tx_done - self._grown_tx < self.size:
            return
        if now > self._grown_at:
            self._on_the_way = delay.floor_s * (tx_done - self._grown_tx) / (now - self._grown_at)
        self._grown_tx, self._grown_at = tx_done, now
        if delay.queue_s > QUEUE_S_MAX:
            self._is_probing = False
            self.size = max(float(WINDOW_PAGES_MIN), self.size * (delay.floor_s + QUEUE_S_MAX) / delay.rtt_s)
        else:
            self.size = min(self._limit + self._on_the_way, self.size + self._step(delay, now))

    def _step(self, delay: Delay, now: float) -> float:
        if self._is_probing:
            return self.size
        is_free = self.size < NEAR * self._cut_size or now - self._cut_at > CUT_SPAN_S
        return max(1.0, GROWTH * self.size) if is_free and delay.is_quiet else 1.0

    def on_congestion(self, tx: int, tx_seen: int) -> None:
        """Drops at a host, or more loss than was known: halve, once for all that was under way."""
        if tx_seen <= self._cut_tx:
            return
        self._cut_tx, self._cut_at, self._cut_size = tx, self._now, self.size
        self._is_cut_final = False
        self._is_probing = False
        self.cuts += 1
        self.size = max(float(WINDOW_PAGES_MIN), self.size / 2)

    def keep_cut(self) -> None:
        """The last cut was right."""
        self._is_cut_final = True

    def take_back_cut(self) -> None:
        """The last cut did not help, unless somebody else found that it did."""
        if not self._is_cut_final:
            self._is_cut_final = True
            self.size = max(self.size, min(self._limit + self._on_the_way, self._cut_size))
            self._cut_at = self._now - CUT_SPAN_S

    def on_sent(self, packets: int, now: float) -> None:
        """A burst left: move the rate cap on."""
        if self._seconds_per_packet:
            self._next_at = max(now - RATE_CREDIT_S, self._next_at) + self._seconds_per_packet * packets

    def opens_at(self, now: float) -> float | None:
        """When the rate cap allows the next burst; None: now."""
        return self._next_at if self._next_at > now else None

    def room(self, tx: int, tx_done: int) -> int:
        """Bursts that may follow tx while the monitor stands at tx_done; any number if nobody clocks us."""
        if not self.is_bounded:
            return WINDOW_PAGES_MAX
        return max(0, int(self.size) - (tx - tx_done))
