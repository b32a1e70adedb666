"""Passage: the transfer of one object from a relay to its child, of whatever pages have arrived at the relay."""

from __future__ import annotations

from array import array
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from mrsync.protocol.core.sends import SendPage
from mrsync.protocol.sending.transfer import OUTAGE_PAGES, PLANNED, Transfer, runs_of
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind

ASKED_MAX = 128  # pages of one claim to look for


class Passage(Transfer):
    """A transfer whose pages are sent as soon as they are offered; of those that wait, the first one is next.

    size_bytes: of the object. pages_sent: how many were sent. next_page: the page after the highest of them.
    """

    def __init__(self, object: ObjectKind, size_bytes: int, geometry: Geometry) -> None:
        super().__init__(object, size_bytes, geometry)
        self._last_tx = array("I", [PLANNED]) * self.page_count
        self._known = bytearray(self.page_count)  # 1: it waits, or was sent
        self._waiting: deque[int] = deque()  # sorted

    @property
    def is_sent(self) -> bool:
        """Whether all offered pages were sent at least once."""
        return not self._waiting

    @property
    def waiting(self) -> int:
        """Number of pages that still have to be sent for the first time."""
        return len(self._waiting)

    def knows(self, page: int) -> bool:
        """Return whether this page waits, was sent, or does not exist."""
        return page >= self.page_count or self._known[page] == 1

    def offer(self, page: int) -> None:
        """Add a page that has arrived. A late one overtakes those after it, because the child waits for it."""
        if not self.knows(page):
            self._known[page] = 1
            if not self._waiting or page > self._waiting[-1]:
                self._waiting.append(page)
            else:
                insort(self._waiting, page)

    def first_send(self, tx: int) -> SendPage:
        """Return the next page that waits."""
        page = self._waiting.popleft()
        if page >= self.next_page:  # skipped pages count as sent with the page before them
            skipped = page - len(self._first_tx)
            self._first_tx.extend([self._first_tx[-1] if self._first_tx else 0] * skipped + [tx])
            self.next_page = page + 1
        self.pages_sent += 1
        self._last_tx[page] = tx
        return SendPage(self.object, page, 0, tx)

    def claimed_packets(self, target: int, first: int, end: int) -> tuple[int, int, int]:
        """Return what a transfer does, but count only pages that were sent: one that came late is not lost."""
        packets = outage = runs = 0
        for start, stop, mask, tx_seen in self._claims.get(target, ()):
            pages = range(max(start, first), min(stop, end))
            claimed = sum(self._last_tx[page] < tx_seen for page in pages) * self._weigh(mask)
            packets += claimed
            if stop - start >= OUTAGE_PAGES:
                outage += claimed
            elif claimed:
                runs += runs_of(mask)
        return packets, outage, runs

    def forget_page(self, page: int) -> None:
        """Forget a page that is no longer in memory. It must be offered again."""
        if page < self.page_count:
            self._known[page] = 0
            self._last_tx[page] = PLANNED

    def forget_waiting(self) -> None:
        """Forget waiting pages, because the child is silent. It will claim them when it is back."""
        for page in self._waiting:
            self._known[page] = 0
        self._waiting.clear()

    def asked(self, needs: Iterable[tuple[int, int, int]], next_held: Callable[[int, int], int]) -> Iterator[int]:
        """Yield pages of these needs that neither wait nor were sent, at most ASKED_MAX.

        next_held: returns the first of the pages [first, end) that was received; those that were not are offered when
        they are.
        """
        room = ASKED_MAX
        for first, run, _ in needs:
            page, end = first, min(first + run, self.page_count)
            while room and 0 <= page < end:
                unknown = self._known.find(0, page, end)
                page = next_held(unknown, end) if unknown >= 0 else -1
                if page == unknown >= 0:
                    yield page
                    room -= 1
                    page += 1
