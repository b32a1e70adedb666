"""Transfer: one object that is being cast: when each page was sent, and which targets claim which packets.

This is the way from a lost packet to its repair. A target claims the packets that it misses, and names the last tx that
it has seen (its report). A claim is kept as the ranges that were reported, with that tx. Each page has one number: the
tx of its last transmission.

Invariant: a page is repaired for a target if and only if the last report that covers the page claims it, and the target
had seen a later tx than the page's last one. Otherwise the packets may still be under way. When a repair leaves, the
page's tx grows, so that the page drops out of all claims at once; no claim has to be updated.

Why nothing stays lost: a target repeats its claim until it holds the page, and each claim is judged anew. Why nothing
is repaired twice: a claim made before the repair arrived has an older tx than the repair. What would break this: a tx
that is assigned before its page leaves (see schedule.py), or a forged claim (reports are sealed). A path that reorders
packets costs one superfluous repair.

Cost: a report costs its entries, at most 512; a batch costs its pages and the entries of all targets. No cost grows
with the number of claimed pages.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set

from mrsync.protocol.core.sends import SendPage
from mrsync.ranges import RangeSet
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import TAG_BYTES, TX_MAX
from mrsync.wire.messages import ObjectKind

CLAIM_ENTRIES_MAX = 2048  # of one target; it repeats claims beyond them later
STEPS_MIN, STEPS_MAX = 64, 8192  # pages looked at for one target, and for all, when repairs are chosen
LOOKS_MAX = 8192  # claimed pages weighed for one batch
DEPTH_MIN = 8  # pages of each target that may be chosen, however many targets there are
OUTAGE_PAGES = 8
PLANNED = TX_MAX  # tx of a page whose repair waits for its turn: nobody has seen a later one


_ClaimedRange = tuple[int, int, int, int]  # pages [first, end), mask of one page's packets (0: all), tx seen then


IsRipe = Callable[[int, int], bool]  # page, the tx that it was sent with last


class Transfer:
    """The first sends of one object in page order, and the claims of targets as the ranges that they reported.

    Pages that were repaired, or are about to be, drop out of all claims by their tx. Claims are expanded only for the
    few pages that are repaired next.

    size_bytes: of the object. next_page: all pages below were sent or are not wanted. pages_sent: the number of those
    that were sent.
    """

    def __init__(self, object: ObjectKind, size_bytes: int, geometry: Geometry) -> None:
        self.object = object
        self.page_count = geometry.page_count(size_bytes)
        self.next_page = self.pages_sent = 0
        self.packets_per_page = geometry.packets
        self._last_count = geometry.packet_count(size_bytes, self.page_count - 1) if self.page_count else 0
        self._slice_bytes = geometry.slice_bytes
        self._last_bytes = geometry.page_length(size_bytes, self.page_count - 1) + TAG_BYTES if self.page_count else 0
        self._fewer: dict[int, int] = {}  # page -> number of packets, for compressed pages
        self._ahead = deque([(0, self.page_count)])  # pages to send, from next_page on
        self._skips: list[int] = []  # where ranges of skipped pages end
        self._skipped: list[int] = []  # how many pages below each of these ends were skipped
        self._last_tx = array("I", bytes(4 * self.page_count))
        self._first_tx = array("I")  # of the pages below next_page; a page that was skipped has that of the one before
        self._claims: dict[int, list[_ClaimedRange]] = {}  # by target, sorted by page
        self._planned: dict[int, dict[int, int]] = {}  # page -> target -> mask of the packets of its repair
        self._repaired: dict[int, deque[tuple[int, int, int]]] = {}  # target -> tx, page, packets: not reported on yet
        self._served: dict[int, int] = {}  # target -> tx of the last repair for it

    @property
    def is_sent(self) -> bool:
        """Whether every wanted page was sent at least once."""
        return self.is_at_end

    @property
    def is_at_end(self) -> bool:
        """Whether the last page was reached: at most late ones are left to be sent for the first time."""
        return self.next_page == self.page_count

    @property
    def is_missed(self) -> bool:
        """Whether any target claims anything. Repairs may be under way."""
        return any(self._claims.values())

    def is_missed_by(self, is_meant: Callable[[int], bool]) -> bool:
        """Return whether any of these targets claims anything. Repairs may be under way."""
        return any(claims for target, claims in self._claims.items() if is_meant(target))

    def packet_count(self, page: int) -> int:
        """Return the number of packets of a page; before it was read, the largest it can have."""
        if page in self._fewer:
            return self._fewer[page]
        return self.packets_per_page if page < self.page_count - 1 else self._last_count

    def payload_bytes(self, page: int, packets: int) -> int:
        """Return the bytes of this many packets of a page; of the last page, which may be short, at most all."""
        size = packets * self._slice_bytes
        return size if page < self.page_count - 1 else min(size, self._last_bytes)

    def packets_between(self, first: int, end: int) -> int:
        """Return the number of packets of the pages [first, end)."""
        if not self._fewer:
            return (end - first) * self.packets_per_page
        return sum(map(self.packet_count, range(first, end)))

    def on_compressed(self, page: int, packets: int) -> int:
        """Set the number of packets of a page as it was read last. Return by how many it is smaller than before."""
        known = self.packet_count(page)
        if packets != known:
            self._fewer[page] = packets
        return known - packets

    @property
    def pages_left(self) -> int:
        """Number of pages that still have to be sent for the first time."""
        return sum(end - max(first, self.next_page) for first, end in self._ahead)

    def skip_unwanted(self, wanted: RangeSet) -> None:
        """Skip unsent pages that are not wanted. Targets that lack one of them get it as a repair."""
        self._ahead = deque(wanted.clipped(self.next_page, self.page_count))
        self._skip()

    def first_send(self, tx: int) -> SendPage:
        """Return the next wanted page that was not sent yet."""
        page = self.next_page
        skipped = page - len(self._first_tx)
        self._first_tx.extend([self._first_tx[-1] if self._first_tx else 0] * skipped + [tx])
        self.next_page = page + 1
        self.pages_sent += 1
        if self.next_page == self._ahead[0][1]:
            self._ahead.popleft()
            self._skip()
        self._last_tx[page] = tx
        return SendPage(self.object, page, 0, tx)

    def _skip(self) -> None:
        page = self._ahead[0][0] if self._ahead else self.page_count
        if page > self.next_page:
            self._skips.append(page)
            self._skipped.append(page - self.pages_sent)
        self.next_page = page

    def sent_below(self, page: int) -> int:
        """Return how many of the pages below this one were sent, and not skipped."""
        page = min(page, self.next_page)
        at = bisect_left(self._skips, page)
        skipped = self._skipped[at - 1] if at else 0
        if at < len(self._skips):
            first = self._skips[at] - (self._skipped[at] - skipped)
            skipped += max(0, page - first)
        return page - skipped

    def first_tx(self, page: int) -> int:
        """Return the tx with which a page was first sent, or the one before it if it was skipped."""
        return self._first_tx[page]

    def sent_before(self, tx: int) -> int:
        """Return how many pages, from the first one on, were sent before this tx, or skipped."""
        return bisect_left(self._first_tx, tx)

    def sent_up_to(self, tx: int) -> int:
        """Return how many pages, from the first one on, were sent with this tx or an earlier one, or skipped."""
        if not self._first_tx or self._first_tx[-1] <= tx:
            return self.next_page
        return bisect_right(self._first_tx, tx)

    # claims

    def receive_claim(
        self,
        target: int,
        tx_seen: int,
        end: int,
        needs: Iterable[tuple[int, int, int]],
        *,
        first: int = 0,
        frontier: int = 0,
    ) -> None:
        """Take what a target needs of the pages [first, end). Its claims of other pages stay from its frontier on.

        tx_seen: the last tx that it had seen then. needs: (page, run, mask) each, as in REPORT, sorted.
        """
        limit, known = self.next_page, self._claims.get(target, ())
        entries = [
            (max(start, frontier), min(stop, first), mask, seen)
            for start, stop, mask, seen in known
            if max(start, frontier) < min(stop, first)
        ]
        entries += [(page, min(page + run, limit), mask, tx_seen) for page, run, mask in needs if page < limit]
        entries += [(max(start, end), stop, mask, seen) for start, stop, mask, seen in known if stop > end]
        self._claims[target] = entries[:CLAIM_ENTRIES_MAX]

    def claimed_packets(self, target: int, first: int, end: int) -> tuple[int, int, int]:
        """Return how many packets of the pages [first, end) this target claims, how many of them in an outage, and in
        how many runs the others were lost.

        If at least OUTAGE_PAGES pages in a row are lost whole, it is an outage: no full queue does that.
        """
        packets = outage = runs = 0
        for start, stop, mask, _ in self._claims.get(target, ()):
            pages = min(stop, end) - max(start, first)
            if pages > 0:
                claimed = pages * self._weigh(mask)
                if not mask and min(stop, end) == self.page_count:
                    claimed -= self.packets_per_page - self._last_count
                packets += claimed
                if stop - start >= OUTAGE_PAGES:
                    outage += claimed
                else:
                    runs += runs_of(mask)
        return packets, outage, runs

    def _weigh(self, mask: int) -> int:
        return bin(mask).count("1") if mask else self.packets_per_page

    def heard_repairs(self, target: int, tx_seen: int, from_tx: int) -> tuple[int, int, int, int]:
        """Return the fate of the repairs that this target should have received since the last call.

        tx_seen: the last tx that it has received. Four numbers: packets that left after from_tx; those of them that
        the target claims again; the runs of these; all packets that it claims again. A claim of a part of a page may
        concern another part, so at most the packets sent are counted.
        """
        waiting, sent = self._repaired.get(target, deque()), 0
        pages: dict[int, tuple[int, int]] = {}
        while waiting and waiting[0][0] < tx_seen:
            tx, page, count = waiting.popleft()
            sent += count * (tx > from_tx)
            pages[page] = tx, count
        lost = missed = runs = 0
        for page, mask in self._claimed_of(self._claims.get(target, []), sorted(pages)):
            tx, count = pages[page]
            missed += min(count, self._weigh(mask))
            if tx > from_tx:
                lost += min(count, self._weigh(mask))
                runs += min(count, runs_of(mask))
        return sent, lost, runs, missed

    def owes(self, target: int, since_tx: int) -> bool:
        """Return whether a target claims packets, and no repair for it was sent after this tx."""
        if self._served.get(target, 0) > since_tx:
            return False
        last_tx = self._last_tx
        for first, end, _, tx_seen in self._claims.get(target, ()):
            for page in range(first, min(end, first + STEPS_MIN)):
                if last_tx[page] < tx_seen or last_tx[page] == PLANNED:
                    return True
        return False

    def forget_target(self, target: int) -> None:
        """Forget the claims of a lost target."""
        self._claims.pop(target, None)
        self._repaired.pop(target, None)
        for targets in self._planned.values():
            targets.pop(target, None)

    def is_wanted(self, page: int, but: Set[int] = frozenset()) -> bool:
        """Return whether a planned repair of this page is wanted by others than these targets."""
        return any(target not in but for target in self._planned.get(page, ()))

    # repairs

    def choose_pages(self, limit: int, is_ripe: IsRipe, *, but: Set[int] = frozenset()) -> list[int]:
        """Return at most `limit` claimed pages that are ripe for repair, sorted; not those that only `but` claim.

        The first pages that each target claims come before later ones of any, so that a target that claims much does
        not delay repairs for the others.
        """
        claims = [entries for target, entries in self._claims.items() if entries and target not in but]
        depth = min(limit, max(DEPTH_MIN, LOOKS_MAX // max(1, len(claims))))
        steps = max(STEPS_MIN, STEPS_MAX // max(1, len(claims)))
        ranks: dict[int, int] = {}
        for entries in claims:
            for rank, page in zip(range(depth), self._ripe_of(entries, steps, is_ripe)):
                ranks[page] = min(rank, ranks.get(page, rank))
        return sorted(sorted(ranks, key=lambda page: (ranks[page], page))[:limit])

    def _ripe_of(self, entries: list[_ClaimedRange], steps: int, is_ripe: IsRipe) -> Iterator[int]:
        """Yield the ripe pages among the first ones that a target claims."""
        last_tx = self._last_tx
        for first, end, _, tx_seen in entries:
            for page in range(first, min(end, first + steps)):
                sent = last_tx[page]
                if sent < tx_seen and is_ripe(page, sent):
                    yield page
            steps -= min(end - first, steps)

    def take(self, pages: list[int]) -> list[dict[int, int]]:
        """Plan the repair of these sorted pages. Return for each a mask of the packets that each target claims."""
        claimed: dict[int, dict[int, int]] = {page: {} for page in pages}
        for target, entries in self._claims.items():
            for page, mask in self._claimed_of(entries, pages):
                everything = (1 << self.packet_count(page)) - 1
                claimed[page][target] = mask & everything or everything
        for page in pages:
            self._last_tx[page] = PLANNED
            self._planned[page] = {target: bin(mask).count("1") for target, mask in claimed[page].items()}
        return [claimed[page] for page in pages]

    def _claimed_of(self, entries: list[_ClaimedRange], pages: list[int]) -> Iterator[tuple[int, int]]:
        """Yield (page, mask) of those of these sorted pages that a target claims. mask: its packets, 0 for all."""
        at, last_tx = 0, self._last_tx
        for first, end, mask, tx_seen in entries:
            at = bisect_left(pages, first, at)
            while at < len(pages) and pages[at] < end:
                if last_tx[pages[at]] < tx_seen:
                    yield pages[at], mask
                at += 1

    def on_repaired(self, page: int, tx: int, *, is_plain: bool = True) -> None:
        """Note that the last packet of a planned repair leaves now. From then on, claims with a later tx count again.

        is_plain: a packet that does not arrive is lost. A coded one may have arrived where another term was lacking.
        """
        self._last_tx[page] = tx
        for target, packets in self._planned.pop(page, {}).items():
            self._served[target] = tx
            if is_plain:
                self._repaired.setdefault(target, deque()).append((tx, page, packets))


def runs_of(mask: int) -> int:
    """Return in how many runs these packets of a page lie; 0 stands for all packets, as in claims."""
    return bin(mask & ~(mask << 1)).count("1") if mask else 1
