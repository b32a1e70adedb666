"""Transfer: one object being cast: what was sent when, and who misses what of it."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable

from mrsync.protocol.ranges import RangeSet
from mrsync.protocol.sends import SendPage
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import TX_MAX
from mrsync.wire.messages import ObjectKind

CLAIM_PAGES_MAX = 2048  # of one report; the rest is claimed again when these are repaired
PLANNED = TX_MAX  # tx of a page whose repair waits for its turn: nobody has seen a later one


class Transfer:
    """Pages of one object: first sends in order, and the loss map made of the targets' claims.

    next_page: all pages below were sent, or nobody wants them. pages_sent: those that were sent.
    """

    def __init__(self, kind: ObjectKind, size_bytes: int, geometry: Geometry) -> None:
        self.kind = kind
        self.page_count = geometry.page_count(size_bytes)
        self.next_page = self.pages_sent = 0
        self.packets_per_page = geometry.packets
        self._last_count = geometry.packet_count(size_bytes, self.page_count - 1) if self.page_count else 0
        self._ahead = deque([(0, self.page_count)])  # pages to send, from next_page on
        self._last_tx = array("I", bytes(4 * self.page_count))
        self._missing: dict[int, dict[int, int]] = {}  # page -> target -> missing packets
        self._claimed: dict[int, set[int]] = {}  # target -> pages it is known to miss

    @property
    def is_sent(self) -> bool:
        """Every page was sent at least once, as far as somebody wants it."""
        return self.next_page == self.page_count

    @property
    def missing_pages(self) -> int:
        """How many pages somebody misses and no repair is planned for."""
        return len(self._missing)

    def packet_count(self, page: int) -> int:
        return self.packets_per_page if page < self.page_count - 1 else self._last_count

    @property
    def pages_left(self) -> int:
        """How many pages are still to be sent for the first time."""
        return sum(end - max(first, self.next_page) for first, end in self._ahead)

    def skip_unwanted(self, wanted: RangeSet) -> None:
        """Of what was not sent yet send only these pages; who misses another one all the same has it repaired."""
        self._ahead = deque(wanted.clipped(self.next_page, self.page_count))
        self._skip()

    def first_send(self, tx: int) -> SendPage:
        """The next page that was never sent, and somebody wants."""
        page = self.next_page
        self.next_page = page + 1
        self.pages_sent += 1
        if self.next_page == self._ahead[0][1]:
            self._ahead.popleft()
            self._skip()
        self._last_tx[page] = tx
        return SendPage(self.kind, page, 0, tx)

    def _skip(self) -> None:
        self.next_page = self._ahead[0][0] if self._ahead else self.page_count

    def receive_claim(self, target: int, tx_seen: int, end: int, needs: Iterable[tuple[int, int, int]]) -> int:
        """Take what a target needs of the pages below `end`; returns how many packets it newly misses.

        A page is believed missing only if the target saw a later tx than the page's last: else its packets may be
        under way.
        """
        old = self._claimed.get(target, set())
        new: set[int] = set()
        lost = 0
        for page, mask in self._claimed_pages(needs):
            if self._last_tx[page] >= tx_seen:
                continue
            holes = self._missing.setdefault(page, {})
            if target not in holes:
                lost += bin(mask).count("1")
            holes[target] = mask
            new.add(page)
        for page in old - new:
            if page < end:
                self._forget(page, target)
            else:
                new.add(page)
        self._claimed[target] = new
        return lost

    def _claimed_pages(self, needs: Iterable[tuple[int, int, int]]) -> Iterable[tuple[int, int]]:
        """(page, mask) of each page of a claim that was sent already, a bounded number."""
        room = CLAIM_PAGES_MAX
        for first, run, mask in needs:
            end = min(first + run, self.next_page, first + room)
            room -= max(0, end - first)
            for page in range(first, end):
                everything = (1 << self.packet_count(page)) - 1
                yield page, mask & everything or everything

    def forget_target(self, target: int) -> None:
        """Nobody repairs for a target that is lost."""
        for page in self._claimed.pop(target, set()):
            self._forget(page, target)

    def _forget(self, page: int, target: int) -> None:
        holes = self._missing[page]
        del holes[target]
        if not holes:
            del self._missing[page]

    def ripe_pages(self, tx_seen: int, spoken_for: int) -> list[int]:
        """Missing pages whose losses are all known, if everyone has seen this tx and spoken of so many pages."""
        last_tx = self._last_tx
        return sorted(page for page in self._missing if last_tx[page] < tx_seen and page < spoken_for)

    def all_missing(self) -> list[int]:
        return sorted(self._missing)

    def take(self, page: int) -> dict[int, int]:
        """Who misses which packets of a page whose repair is planned now; claims do not count until it is sent."""
        holes = self._missing.pop(page)
        self._last_tx[page] = PLANNED
        for target in holes:
            self._claimed[target].discard(page)
        return holes

    def on_repaired(self, page: int, tx: int) -> None:
        """The last packet of a planned repair leaves now: claims of who has seen more than this tx count again."""
        self._last_tx[page] = tx
