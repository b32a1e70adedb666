"""Window: how much may be under way, narrowed by drops at hosts and by loss common to most; and the rate cap.

After PGMCC (Rizzo, SIGCOMM 2000): the slowest receiver's acknowledgements clock the sender. Additive increase and
multiplicative decrease after Jacobson (SIGCOMM 1988); which losses count as congestion is our own choice.
"""

from __future__ import annotations

from mrsync.wire.geometry import Geometry

PACKET_TRUESIZE_BYTES = 2304  # what the kernel charges a socket buffer for one packet of 1500 B MTU
WINDOW_PAGES_START = 32
WINDOW_PAGES_MAX = 320  # scheduling delays of a busy host at 1 GB/s
WINDOW_PAGES_MIN = 2
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
        self._grown_tx = 0
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
        self.size = min(self.size, self._limit)

    def on_progress(self, tx_done: int) -> None:
        """The monitor processed up to here: grow once per window."""
        if tx_done - self._grown_tx >= self.size:
            self._grown_tx = tx_done
            step = self.size if self._is_probing else 1.0
            self.size = min(self._limit, self.size + step)

    def on_congestion(self, tx: int, tx_seen: int) -> None:
        """Drops at a host, or loss common to most: halve, once for all that was under way."""
        if tx_seen <= self._cut_tx:
            return
        self._cut_tx = tx
        self._is_probing = False
        self.cuts += 1
        self.size = max(float(WINDOW_PAGES_MIN), self.size / 2)

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
