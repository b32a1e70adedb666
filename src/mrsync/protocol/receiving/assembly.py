"""Assembly: which pages and packets of one object have arrived. It contains numbers only, no bytes.

A page is absent, partial (some of its packets are here), opened (its seal is valid), or held (written, or not wanted).
Only a seal can tell whether packets are authentic. So everything that a header claims about a page is kept side by side
until a seal has opened: packets of different readings (generation and number of packets) never mix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum

from mrsync.wire.formats.needs import Need
from mrsync.wire.geometry import Geometry, count_of, generation_of, reading_of
from mrsync.wire.terms import Term

ABSENT, PARTIAL, OPENED, HELD = range(4)  # states of a page; HELD: written, or not wanted
_READING_BITS = 24
_NOT_HELD = re.compile(rb"[^\x03]")
_NEEDED = re.compile(rb"\x00+|\x01")
ENTRIES_MAX = 512  # needs in one report; about as many as fit into a datagram


class Verdict(IntEnum):
    """What to do with the bytes of a packet."""

    IGNORE = 0
    STORE = 1
    COMPLETE = 2  # store; the page is complete now


class Assembly:
    """The reception of one object of size_bytes. wanted: ranges of pages that are to be written; None: all."""

    def __init__(self, size_bytes: int, geometry: Geometry, wanted: Iterable[tuple[int, int]] | None = None) -> None:
        self.size_bytes = size_bytes
        self.page_count = geometry.page_count(size_bytes)
        self._full_count = geometry.packets
        self._last_count = geometry.packet_count(size_bytes, self.page_count - 1) if self.page_count else 0
        self._pages = bytearray(self.page_count)
        if wanted is not None:
            self._pages = bytearray(bytes((HELD,)) * self.page_count)
            for first, end in wanted:
                end = min(end, self.page_count)
                self._pages[first:end] = bytes(max(0, end - first))
        self.has_rereads = False  # a page was opened that had been read a second time
        self._partial: dict[int, int] = {}  # page and reading in one number -> missing packets
        self._readings: dict[int, list[int]] = {}  # page -> readings with packets here, the most recent last
        self._passing: set[int] = set()  # held pages that are needed again to be forwarded
        self._frontier = 0
        self._horizon = 0  # pages below are known to have been sent

    @property
    def frontier(self) -> int:
        """The number of pages, from the first on, that are held."""
        found = _NOT_HELD.search(self._pages, self._frontier)
        self._frontier = at = found.start() if found else self.page_count
        return at

    @property
    def is_whole(self) -> bool:
        return self.frontier == self.page_count

    @property
    def horizon(self) -> int:
        """The number of pages, from the first on, that are known to have been sent."""
        return self._horizon

    @property
    def is_passing(self) -> bool:
        """Whether held pages are needed again to be forwarded."""
        return bool(self._passing)

    def let_pass(self, page: int) -> bool:
        """Request a held page again, to forward it. Return False if it is not held, already requested, or no page."""
        if page >= self.page_count or self._pages[page] != HELD or page in self._passing:
            return False
        self._passing.add(page)
        return True

    def next_held(self, first: int, end: int) -> int:
        """Return the first of the pages [first, end) that is held, and not requested again; -1: there is none."""
        page = self._pages.find(HELD, first, end)
        while page in self._passing:
            page = self._pages.find(HELD, page + 1, end)
        return page

    def extend_horizon(self, pages_sent: int) -> None:
        """Note that this many pages were sent, so that those of them that are not here are missing."""
        self._horizon = max(self._horizon, min(pages_sent, self.page_count))

    def receive_page(self, page: int, generation: int, count: int) -> bool:
        """Take a complete burst. Return whether to open the page, and then to call `opened` or `rejected`.

        generation, count: of the page, by a header that is not authentic yet.
        """
        if page >= self.page_count or not self._is_missing(page) or not 0 < count <= self._packet_count(page):
            return False
        if page >= self._horizon:
            self._horizon = page + 1
        return True

    def receive_packets(self, page: int, generation: int, mask: int, count: int) -> Verdict:
        """Take packets of a page. Return what to do with all of them; IGNORE: they were here, or are not needed.

        generation, count: as of `receive_page`. mask: bit set of the packets' indices.

        Readings gather side by side, so that a forged one keeps no authentic one out.
        """
        reading = reading_of(generation, count)
        key = page << _READING_BITS | reading
        missing = self._partial.get(key)
        if missing is None:
            return self._start(page, reading, mask, count)
        readings = self._readings[page]
        if readings[-1] != reading:
            readings.remove(reading)
            readings.append(reading)
        left = missing & ~mask
        if left == missing:
            return Verdict.IGNORE
        self._partial[key] = left
        return Verdict.STORE if left else Verdict.COMPLETE

    def _start(self, page: int, reading: int, mask: int, count: int) -> Verdict:
        """Take the first packets of one reading of a page."""
        if page >= self.page_count or not self._is_missing(page) or not count <= self._packet_count(page):
            return Verdict.IGNORE
        if mask >> count:
            return Verdict.IGNORE
        if page >= self._horizon:
            self._horizon = page + 1
        missing = ((1 << count) - 1) ^ mask
        self._partial[page << _READING_BITS | reading] = missing
        self._readings.setdefault(page, []).append(reading)
        if page not in self._passing:
            self._pages[page] = PARTIAL
        return Verdict.STORE if missing else Verdict.COMPLETE

    def receive_coded(self, generation: int, terms: Sequence[Term]) -> int:
        """Return the index of the only term that is missing here, or -1 if none or several are."""
        position = -1
        for at, (page, index) in enumerate(terms):
            if self._has(page, generation, index):
                continue
            if position >= 0:
                return -1
            position = at
        return position

    def _has(self, page: int, generation: int, index: int) -> bool:
        if page >= self.page_count or not self._is_missing(page):
            return True
        return any(
            generation_of(reading) == generation and not self._partial[page << _READING_BITS | reading] >> index & 1
            for reading in self._readings.get(page, ())
        )

    def _is_missing(self, page: int) -> bool:
        return self._pages[page] <= PARTIAL or page in self._passing

    def opened(self, page: int, generation: int) -> bool:
        """Note that the seal of a page is valid. Return True if it is to be written, False if only forwarded."""
        for reading in self._readings.pop(page, ()):
            del self._partial[page << _READING_BITS | reading]
        if page in self._passing:
            self._passing.discard(page)
            return False
        self._pages[page] = OPENED
        self.has_rereads |= generation > 0
        return True

    def rejected(self, page: int, reading: int, suspects: int) -> None:
        """Note that the seal of a reading is invalid: a packet was forged or damaged.

        suspects: bit set of packets to request again; 0: all.
        """
        key = page << _READING_BITS | reading
        if key in self._partial:
            self._partial[key] = suspects or (1 << count_of(reading)) - 1

    def disowned(self, page: int) -> None:
        """Request an opened page again, because its digest is not the caster's."""
        self._pages[page] = ABSENT

    def forget(self, page: int, reading: int) -> None:
        """Drop the packets of this reading of a page for lack of room."""
        if self._partial.pop(page << _READING_BITS | reading, None) is None:
            return
        readings = self._readings[page]
        readings.remove(reading)
        if not readings:
            del self._readings[page]
            if page not in self._passing:
                self._pages[page] = ABSENT

    def written(self, pages: Iterable[int]) -> None:
        """Note that these pages are written."""
        state = self._pages
        for page in pages:
            state[page] = HELD

    def needs(self) -> tuple[int, int, list[Need]]:
        """Return (first, end, needs): the missing packets of the pages [first, end), as in Report.needs."""
        if self._passing:
            return self._all_needs()
        return self.needs_behind(self.frontier)

    def needs_behind(self, first: int) -> tuple[int, int, list[Need]]:
        """Return the needs of pages from `first` on, as `needs` does."""
        return self._own_needs(first, max(first, self._horizon))

    def _own_needs(self, first: int, end: int) -> tuple[int, int, list[Need]]:
        needs: list[Need] = []
        for found in _NEEDED.finditer(self._pages, first, end):
            page = found.start()
            if len(needs) == ENTRIES_MAX:
                return first, page, needs
            if self._pages[page] == PARTIAL:
                needs.append((page, 1, self._missing(page)))
            else:
                needs.append((page, found.end() - page, 0))
        return first, end, needs

    def _all_needs(self) -> tuple[int, int, list[Need]]:
        """Return the needs of this target together with the pages to forward."""
        passing = sorted(self._passing)[:ENTRIES_MAX]
        first = min(self.frontier, passing[0])
        _, end, needs = self._own_needs(first, max(first, self._horizon, passing[-1] + 1))
        needs += [(page, 1, self._missing(page) if page in self._readings else 0) for page in passing if page < end]
        return first, end, sorted(needs)

    def _missing(self, page: int) -> int:
        """Return the packets that the last reading of a partial page lacks (0: all). Repairs are of that one."""
        reading = self._readings[page][-1]
        mask = self._partial[page << _READING_BITS | reading]
        return mask if mask != (1 << count_of(reading)) - 1 else 0

    def missing_packets(self, needs: Iterable[Need]) -> int:
        """Return how many packets these needs are."""
        return sum(bin(mask).count("1") if mask else run * self._full_count for _, run, mask in needs)

    def _packet_count(self, page: int) -> int:
        return self._full_count if page < self.page_count - 1 else self._last_count
