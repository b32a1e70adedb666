"""One object being received: which pages and packets are here; plain numbers, no bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum

from mrsync.protocol.sends import Term
from mrsync.wire.geometry import Geometry

ABSENT, PARTIAL, OPENED, HELD = range(4)  # life of a page; HELD: written, or never wanted here
_NEEDED = re.compile(rb"\x00+|\x01")
ENTRIES_MAX = 512  # of needs in one report; far more than fit a datagram


class Verdict(IntEnum):
    """What to do with the bytes of a packet."""

    IGNORE = 0
    STORE = 1
    RESTART = 2  # drop what is held of an older generation of the page, store this
    COMPLETE = 3  # store; the page is whole now
    RESTART_COMPLETE = 4


class Assembly:
    """Reception of one object of `size_bytes`; `wanted` are the ranges of pages that matter here (None: all)."""

    def __init__(self, size_bytes: int, geometry: Geometry, wanted: Iterable[tuple[int, int]] | None = None) -> None:
        self.page_count = geometry.page_count(size_bytes)
        self._full_count = geometry.packets
        self._last_count = geometry.packet_count(size_bytes, self.page_count - 1) if self.page_count else 0
        self._pages = bytearray(self.page_count)
        if wanted is not None:
            self._pages = bytearray(bytes((HELD,)) * self.page_count)
            for first, end in wanted:
                self._pages[first:end] = bytes(end - first)
        self._partial: dict[int, tuple[int, int]] = {}  # page -> (generation, missing packets)
        self._frontier = 0
        self.horizon = 0  # pages below were sent, as far as is known here

    @property
    def frontier(self) -> int:
        """Every page below is held."""
        pages, at, end = self._pages, self._frontier, self.page_count
        while at < end and pages[at] == HELD:
            at += 1
        self._frontier = at
        return at

    @property
    def is_whole(self) -> bool:
        return self.frontier == self.page_count

    def extend_horizon(self, pages_sent: int) -> None:
        self.horizon = max(self.horizon, min(pages_sent, self.page_count))

    def receive_page(self, page: int, count: int) -> bool:
        """A whole burst arrived; True when the page is wanted: open it and call `opened` or `rejected`."""
        if page >= self.page_count or self._pages[page] > PARTIAL:
            return False
        if count != self._packet_count(page):
            return False
        if page >= self.horizon:
            self.horizon = page + 1
        return True

    def receive_packet(self, page: int, generation: int, index: int, count: int) -> Verdict:
        """One packet of a page arrived."""
        if page >= self.page_count or self._pages[page] > PARTIAL:
            return Verdict.IGNORE
        if page >= self.horizon:
            self.horizon = page + 1
        known = self._partial.get(page)
        if known is not None and known[0] == generation:
            bit = 1 << index
            missing = known[1]
            if not missing & bit:
                return Verdict.IGNORE
            missing ^= bit
            self._partial[page] = (generation, missing)
            return Verdict.STORE if missing else Verdict.COMPLETE
        return self._start(page, generation, index, count, known)

    def _start(self, page: int, generation: int, index: int, count: int, known: tuple[int, int] | None) -> Verdict:
        """First packet of a page, or of a newer generation of it."""
        if count != self._packet_count(page) or index >= count or (known is not None and generation < known[0]):
            return Verdict.IGNORE
        missing = ((1 << count) - 1) ^ (1 << index)
        self._partial[page] = (generation, missing)
        self._pages[page] = PARTIAL
        if known is not None:
            return Verdict.RESTART if missing else Verdict.RESTART_COMPLETE
        return Verdict.STORE if missing else Verdict.COMPLETE

    def receive_coded(self, generation: int, terms: Sequence[Term]) -> int:
        """Position of the one term that is missing here; -1 when none or several are."""
        position = -1
        for at, (page, index) in enumerate(terms):
            if self._has(page, generation, index):
                continue
            if position >= 0:
                return -1
            position = at
        return position

    def _has(self, page: int, generation: int, index: int) -> bool:
        if page >= self.page_count or self._pages[page] > PARTIAL:
            return True
        known = self._partial.get(page)
        return known is not None and known[0] == generation and not known[1] >> index & 1

    def opened(self, page: int) -> None:
        """The seal of the page was good; it waits to be written."""
        self._pages[page] = OPENED
        self._partial.pop(page, None)

    def rejected(self, page: int) -> None:
        """The seal was bad: some packet was forged or spoilt; all of the page is needed again."""
        self._pages[page] = ABSENT
        self._partial.pop(page, None)

    def held(self, pages: Iterable[int]) -> None:
        """These pages are written."""
        state = self._pages
        for page in pages:
            state[page] = HELD

    def needs(self) -> tuple[int, int, list[tuple[int, int, int]]]:
        """(first, end, entries): what is missing of the pages [first, end), as in Report.needs."""
        first = self.frontier
        end = self.horizon
        entries: list[tuple[int, int, int]] = []
        for found in _NEEDED.finditer(self._pages, first, max(first, end)):
            page = found.start()
            if len(entries) == ENTRIES_MAX:
                return first, page, entries
            if self._pages[page] == PARTIAL:
                entries.append((page, 1, self._partial[page][1]))
            else:
                entries.append((page, found.end() - page, 0))
        return first, max(first, end), entries

    def lost_packets(self) -> int:
        """Packets missing of pages sent so far."""
        return sum(bin(mask).count("1") if mask else run * self._full_count for _, run, mask in self.needs()[2])

    def _packet_count(self, page: int) -> int:
        return self._full_count if page < self.page_count - 1 else self._last_count
