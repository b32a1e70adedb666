"""Assembly: one object being received: which pages and packets are here; plain numbers, no bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum

from mrsync.protocol.sends import Term
from mrsync.wire.geometry import Geometry

ABSENT, PARTIAL, OPENED, HELD = range(4)  # life of a page; HELD: written, or never wanted here
_NEEDED = re.compile(rb"\x00+|\x01")
ENTRIES_MAX = 512  # of needs in one report; about what fits a datagram at two bytes each

Need = tuple[int, int, int]  # as in Report.needs


class Verdict(IntEnum):
    """What to do with the bytes of a packet."""

    IGNORE = 0
    STORE = 1
    RESTART = 2  # drop what is held of another generation of the page, store this
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
                end = min(end, self.page_count)
                self._pages[first:end] = bytes(max(0, end - first))
        self.has_rereads = False  # something came of a page that was read a second time
        self._partial: dict[int, tuple[int, int]] = {}  # page -> (generation, missing packets)
        self._frontier = 0
        self._horizon = 0  # pages below were sent, as far as is known here

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
        """So many pages were sent: what is not here of them is missing."""
        self._horizon = max(self._horizon, min(pages_sent, self.page_count))

    def receive_page(self, page: int, generation: int, count: int) -> bool:
        """A whole burst arrived; True when the page is wanted: open it and call `opened` or `rejected`."""
        if page >= self.page_count or self._pages[page] > PARTIAL or count != self._packet_count(page):
            return False
        if page >= self._horizon:
            self._horizon = page + 1
        if generation:
            self.has_rereads = True
        return True

    def receive_packet(self, page: int, generation: int, index: int, count: int) -> Verdict:
        """One packet of a page arrived."""
        known = self._partial.get(page)
        if known is None or known[0] != generation:
            return self._start(page, generation, index, count, known is not None)
        missing = known[1]
        left = missing & ~(1 << index)
        if left == missing:
            return Verdict.IGNORE
        self._partial[page] = (generation, left)
        return Verdict.STORE if left else Verdict.COMPLETE

    def _start(self, page: int, generation: int, index: int, count: int, is_restart: bool) -> Verdict:
        """The first packet of a page, or of another generation of it.

        The last generation heard wins, not the highest: one invented packet must not keep the true ones out.
        """
        if (
            page >= self.page_count
            or self._pages[page] > PARTIAL
            or count != self._packet_count(page)
            or index >= count
        ):
            return Verdict.IGNORE
        if page >= self._horizon:
            self._horizon = page + 1
        if generation:
            self.has_rereads = True
        missing = ((1 << count) - 1) ^ (1 << index)
        self._partial[page] = (generation, missing)
        self._pages[page] = PARTIAL
        if is_restart:
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

    def written(self, pages: Iterable[int]) -> None:
        """These pages are where they belong."""
        state = self._pages
        for page in pages:
            state[page] = HELD

    def needs(self) -> tuple[int, int, list[Need]]:
        """(first, end, needs): what is missing of the pages [first, end), as in Report.needs."""
        first = self.frontier
        end = max(first, self._horizon)
        needs: list[Need] = []
        for found in _NEEDED.finditer(self._pages, first, end):
            page = found.start()
            if len(needs) == ENTRIES_MAX:
                return first, page, needs
            if self._pages[page] == PARTIAL:
                needs.append((page, 1, self._partial[page][1]))
            else:
                needs.append((page, found.end() - page, 0))
        return first, end, needs

    def missing_packets(self, needs: Iterable[Need]) -> int:
        """How many packets such needs are."""
        return sum(bin(mask).count("1") if mask else run * self._full_count for _, run, mask in needs)

    def _packet_count(self, page: int) -> int:
        return self._full_count if page < self.page_count - 1 else self._last_count
