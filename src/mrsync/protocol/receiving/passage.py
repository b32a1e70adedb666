"""Passage: one object on its way through a relay to its child: what came here, in the order in which it came."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator

from mrsync.protocol.core.sends import SendPage
from mrsync.protocol.sending.transfer import PLANNED, Transfer
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind

ASKED_MAX = 128  # pages of one claim that are looked for


class Passage(Transfer):
    """A transfer whose pages are first sent as they are offered; nobody can miss one that was not sent yet.

    pages_sent: as many as were sent; next_page: behind the highest of them.
    """

    def __init__(self, kind: ObjectKind, size_bytes: int, geometry: Geometry) -> None:
        super().__init__(kind, size_bytes, geometry)
        self._last_tx = array("I", [PLANNED]) * self.page_count
        self._known = bytearray(self.page_count)  # 1: waits, or was sent
        self._waiting: deque[int] = deque()

    @property
    def is_sent(self) -> bool:
        """Whether all that came was sent at least once."""
        return not self._waiting

    @property
    def waiting(self) -> int:
        """How many pages are still to be sent for the first time."""
        return len(self._waiting)

    def knows(self, page: int) -> bool:
        """Whether this page waits, or was sent; True for one that does not exist."""
        return page >= self.page_count or self._known[page] == 1

    def offer(self, page: int) -> None:
        """This page is here."""
        if not self.knows(page):
            self._known[page] = 1
            self._waiting.append(page)

    def first_send(self, tx: int) -> SendPage:
        """The next page that waits."""
        page = self._waiting.popleft()
        if page >= self.next_page:  # those left out count as sent with the one before them
            skipped = page - len(self._first_tx)
            self._first_tx.extend([self._first_tx[-1] if self._first_tx else 0] * skipped + [tx])
            self.next_page = page + 1
        self.pages_sent += 1
        self._last_tx[page] = tx
        return SendPage(self.kind, page, 0, tx)

    def forget_page(self, page: int) -> None:
        """This page is no longer at hand: it is to be offered again."""
        if page < self.page_count:
            self._known[page] = 0
            self._last_tx[page] = PLANNED

    def forget_waiting(self) -> None:
        """The child is silent: what it lacks it will claim when it is back."""
        for page in self._waiting:
            self._known[page] = 0
        self._waiting.clear()

    def asked(self, needs: Iterable[tuple[int, int, int]]) -> Iterator[int]:
        """Pages of these needs that neither wait nor were sent, a bounded number of them."""
        room = ASKED_MAX
        for first, run, _ in needs:
            page, end = first, min(first + run, self.page_count)
            while room and page < end:
                page = self._known.find(0, page, end)
                if page < 0:
                    break
                yield page
                room -= 1
                page += 1
