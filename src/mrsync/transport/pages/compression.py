"""Compress pages before they are sealed, where that pays, and expand them after they were opened.

A page is compressed if it then needs fewer packets. A catcher knows it by nothing else: a page that arrives in fewer
packets than its bytes need is compressed. It is a zstd frame, recognised by its magic number, or raw deflate data (RFC
1951), padded with zeros so that all its packets are full. The seal and the signed digest cover it as they cover a plain
page, and `expand` returns no byte more than the page has.

Compressing takes processor time, and saves time on the network. `Compressor` measures both, and pauses while it loses
time. The time on the network is the time for which this thread waits; if it never waits, the processor is the
bottleneck. Two kinds of trials lose. Data that does not shrink may be followed by data that does, so the next trial
comes soon. On a network that is faster than the compression, no data makes it pay, so pauses grow long.
"""

from __future__ import annotations

import zlib
from time import monotonic, thread_time
from typing import Callable

from mrsync.transport.pages.zstd import MAGIC, expand_frame, has_zstd, zstd_compressor
from mrsync.wire.limits import TAG_BYTES
from mrsync.wire.messages import Compression

LEVEL = 1  # of both: the fastest; higher ones take twice the time for a tenth less data
DEFLATE_LEVEL_MAX = 9
_RAW = -15  # window of 32 KB, no header, no checksum
TRIAL_PAGES = 4  # from one judgement to the next
PAUSE_PAGES_MIN = 16  # not compressed, after a trial that did not pay; doubled each time
PAUSE_PAGES_MAX = 64  # if the data does not shrink
PAUSE_PAGES_MAX_FAST = 4096  # if the network is fast
RATE_PAGES = 64  # the rate of the network is measured over about this many pages


class Compressor:
    """Compress the pages of one session, as long as it pays.

    It pays if the bytes saved would have taken longer than compressing took, at the rate that the network shows: bytes
    sent per second of waiting. slice_bytes: compressed pages are whole packets of this size. level: 1 to 22; DEFLATE
    has 9 at most. clock: passes in seconds; processor_clock: only while this thread works.
    """

    def __init__(
        self,
        slice_bytes: int,
        compression: Compression = Compression.DEFLATE,
        *,
        level: int = LEVEL,
        clock: Callable[[], float] = monotonic,
        processor_clock: Callable[[], float] = thread_time,
    ) -> None:
        self.bytes_saved = 0
        self._slice_bytes = slice_bytes
        self._pack = zstd_compressor(level) if compression is Compression.ZSTD else _deflater(level)
        self._clock = clock
        self._processor_clock = processor_clock
        self._waited_s = self._idle_s()  # up to the last call
        self._network_s = self._network_bytes = 0.0  # of the last pages, fading
        self._pause = PAUSE_PAGES_MIN
        self._paused = 0  # pages still to be left alone
        self._begin_trial()

    def _begin_trial(self) -> None:
        self._pages = self._saved = self._sent = 0
        self._own_s = 0.0

    def compress(self, data: bytes) -> bytes:
        """Return the page compressed and padded, or as it is if that saves no packet or does not pay."""
        waited_s, self._waited_s = self._waited_s, self._idle_s()
        self._network_s += self._waited_s - waited_s - self._network_s / RATE_PAGES
        if self._paused:
            self._paused -= 1
            compressed = data
        else:
            entered_at = self._clock()
            compressed = self._shrink(data)
            self._try(len(data), len(compressed), self._clock() - entered_at)
        self._network_bytes += len(compressed) - self._network_bytes / RATE_PAGES
        return compressed

    def _idle_s(self) -> float:
        return self._clock() - self._processor_clock()

    def _shrink(self, data: bytes) -> bytes:
        packed = self._pack(data)
        packets = -(-(len(packed) + TAG_BYTES) // self._slice_bytes)
        if packets >= -(-(len(data) + TAG_BYTES) // self._slice_bytes):
            return data
        return packed.ljust(packets * self._slice_bytes - TAG_BYTES, b"\0")

    def _try(self, plain: int, compressed: int, seconds: float) -> None:
        """Note what compressing a page has brought. At the end of a trial, decide whether to go on."""
        self.bytes_saved += plain - compressed
        self._saved += plain - compressed
        self._sent += compressed
        self._own_s += seconds
        self._pages += 1
        if self._pages < TRIAL_PAGES or not self._network_bytes:
            return
        seconds_per_byte = self._network_s / self._network_bytes
        if self._saved * seconds_per_byte > self._own_s:
            self._pause = PAUSE_PAGES_MIN
        else:
            is_fast = (self._saved + self._sent) * seconds_per_byte < self._own_s
            self._pause = min(self._pause, PAUSE_PAGES_MAX_FAST if is_fast else PAUSE_PAGES_MAX)
            self._paused, self._pause = self._pause, 2 * self._pause
        self._begin_trial()


def compressions_here() -> int:
    """Return what this host can expand as a bit set (1 << Compression), as in HELLO."""
    return 1 << Compression.DEFLATE | has_zstd() << Compression.ZSTD


def _deflater(level: int) -> Callable[[bytes], bytes]:
    def deflated(data: bytes) -> bytes:
        deflater = zlib.compressobj(min(level, DEFLATE_LEVEL_MAX), zlib.DEFLATED, _RAW)
        return deflater.compress(data) + deflater.flush()

    return deflated


def expand(data: bytes, length: int) -> bytes | None:
    """Return the plain page of this length in bytes, or None if the data is not such a page compressed."""
    if data.startswith(MAGIC):
        return expand_frame(data, length)
    inflater = zlib.decompressobj(_RAW)
    try:
        plain = inflater.decompress(data, length)
        rest = b"" if inflater.eof else inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error:
        return None
    return plain if len(plain) == length and not rest and inflater.eof else None
