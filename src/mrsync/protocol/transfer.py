"""One object being cast: what was sent when, who misses what, what to send next."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from mrsync.protocol.coding import Loss, combine
from mrsync.protocol.sends import Send, SendCoded, SendPage, Term
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import TERM_DISTANCE_MAX
from mrsync.wire.messages import ObjectKind

CLAIM_PAGES_MAX = 2048  # of one report; the rest is claimed again when these are repaired
CODED_ATTEMPTS_MAX = 2  # then plain: a target that lost a term's bytes cannot decode


class Transfer:
    """Pages of one object: first sends in order, then repairs from the loss map of the claims."""

    def __init__(
        self, kind: ObjectKind, size_bytes: int, geometry: Geometry, *, terms_max: int, retained_pages: int
    ) -> None:
        self.kind = kind
        self.size_bytes = size_bytes
        self.page_count = geometry.page_count(size_bytes)
        self.next_page = 0
        self.packets_repaired = 0
        self.packets_coded = 0
        self._geometry = geometry
        self._terms_max = terms_max
        self._retained_pages = retained_pages
        self._last_tx = array("I", bytes(4 * self.page_count))
        self._missing: dict[int, dict[int, int]] = {}  # page -> target -> missing packets
        self._claimed: dict[int, set[int]] = {}  # target -> pages it is known to miss
        self._attempts: dict[int, int] = {}  # page -> coded repairs so far

    @property
    def is_sent(self) -> bool:
        """Every page was sent at least once."""
        return self.next_page == self.page_count

    @property
    def missing_pages(self) -> int:
        return len(self._missing)

    @property
    def oldest_missing(self) -> int:
        return min(self._missing, default=self.next_page)

    def first_send(self, tx: int) -> SendPage:
        """The next page that was never sent."""
        page = self.next_page
        self.next_page = page + 1
        self._last_tx[page] = tx
        return SendPage(self.kind, page, 0, tx)

    def packet_count(self, page: int) -> int:
        return self._geometry.packet_count(self.size_bytes, page)

    def receive_claim(self, target: int, tx_seen: int, end: int, entries: Iterable[tuple[int, int, int]]) -> int:
        """Take a target's needs below page `end`; returns how many packets it newly misses.

        A page is believed missing only if the target saw a later tx than the page's last: else its packets may be under way.
        """
        old = self._claimed.get(target, set())
        new: set[int] = set()
        lost = 0
        for page, mask in self._claimed_pages(entries):
            if self._last_tx[page] >= tx_seen:
                if page in old:
                    new.add(page)
                continue
            holes = self._missing.setdefault(page, {})
            mask &= (1 << self.packet_count(page)) - 1
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

    def _claimed_pages(self, entries: Iterable[tuple[int, int, int]]) -> Iterable[tuple[int, int]]:
        """(page, mask) of each page of a claim that was sent already, a bounded number."""
        room = CLAIM_PAGES_MAX
        for first, run, mask in entries:
            end = min(first + run, self.next_page, first + room)
            room -= max(0, end - first)
            for page in range(first, end):
                yield page, mask or (1 << self.packet_count(page)) - 1

    def forget_target(self, target: int) -> None:
        """Nobody repairs for a target that is lost."""
        for page in self._claimed.pop(target, set()):
            self._forget(page, target)

    def _forget(self, page: int, target: int) -> None:
        holes = self._missing.get(page)
        if holes is not None:
            holes.pop(target, None)
            if not holes:
                del self._missing[page]

    def ripe_pages(self, tx_seen: int, spoken_for: int) -> list[int]:
        """Missing pages of which every live target has said what it lacks: seen by all, spoken of by all."""
        last_tx = self._last_tx
        return sorted(page for page in self._missing if last_tx[page] < tx_seen and page < spoken_for)

    def all_missing(self) -> list[int]:
        return sorted(self._missing)

    def repair(self, pages: Iterable[int], tx: int, bursts_max: int) -> list[Send]:
        """Plan repairs of these pages with tx numbers from `tx` on, at most `bursts_max` bursts."""
        sends: list[Send] = []
        losses: list[Loss] = []
        coded_pages: list[int] = []
        slices_max = self._geometry.packets
        for page in pages:
            if len(sends) + len(losses) // slices_max >= bursts_max:
                break
            holes = self._missing[page]
            if self._is_plain(page, holes):
                sends.append(self._plain(page, holes, tx + len(sends)))
            else:
                losses += _losses(page, holes)
                coded_pages.append(page)
        combinations = combine(
            losses, terms_max=self._terms_max, distance_max=min(TERM_DISTANCE_MAX, self._retained_pages // 2)
        )
        sends += self._coded(combinations, tx + len(sends))
        for page in coded_pages:
            self._attempts[page] = self._attempts.get(page, 0) + 1
            self._repaired(page, tx + len(sends) - 1)
        return sends

    def _is_plain(self, page: int, holes: dict[int, int]) -> bool:
        """Coding gains nothing when most of a page is lost, and fails when its packets are no longer at hand."""
        half = self.packet_count(page) / 2
        return (
            page < self.next_page - self._retained_pages * 3 // 4
            or self._attempts.get(page, 0) >= CODED_ATTEMPTS_MAX
            or any(bin(mask).count("1") > half for mask in holes.values())
        )

    def _plain(self, page: int, holes: dict[int, int], tx: int) -> SendPage:
        union = 0
        for mask in holes.values():
            union |= mask
        packets = bin(union).count("1")
        self.packets_repaired += packets
        self._repaired(page, tx)
        return SendPage(self.kind, page, 0 if packets == self.packet_count(page) else union, tx)

    def _coded(self, combinations: list[tuple[Term, ...]], tx: int) -> list[Send]:
        """Bursts of coded packets; combinations of one term go as plain packets, those of one page together."""
        singles: dict[int, int] = {}
        coded: list[tuple[Term, ...]] = []
        for terms in combinations:
            if len(terms) > 1:
                coded.append(terms)
            else:
                page, index = terms[0]
                singles[page] = singles.get(page, 0) | 1 << index
        self.packets_repaired += len(combinations)
        self.packets_coded += len(coded)
        sends: list[Send] = [
            SendPage(self.kind, page, mask, tx + at) for at, (page, mask) in enumerate(singles.items())
        ]
        step = self._geometry.packets
        for first in range(0, len(coded), step):
            sends.append(SendCoded(self.kind, tuple(coded[first : first + step]), tx + len(sends)))
        return sends

    def _repaired(self, page: int, tx: int) -> None:
        """Claims older than this tx no longer count."""
        self._last_tx[page] = tx
        for target in self._missing.pop(page):
            self._claimed[target].discard(page)


def _losses(page: int, holes: dict[int, int]) -> list[Loss]:
    """The lost packets of one page with the bit sets of targets that miss them."""
    by_index: dict[int, int] = {}
    for target, mask in holes.items():
        bit = 1 << target
        while mask:
            index = (mask & -mask).bit_length() - 1
            mask &= mask - 1
            by_index[index] = by_index.get(index, 0) | bit
    return [Loss(page, index, by_index[index]) for index in sorted(by_index)]
