"""Plan repairs in batches, so that one packet repairs losses of many targets.

A repair is a packet that is sent again, plain or as the XOR of several.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from typing import Union

from mrsync.protocol.core.sends import SendCoded, SendPage
from mrsync.protocol.sending.coding import Loss, combine
from mrsync.protocol.sending.transfer import Transfer
from mrsync.tuples import NamedTuple
from mrsync.wire.limits import PACKETS_PER_PAGE_MAX, TERM_DISTANCE_MAX
from mrsync.wire.terms import Term

PAGES_MAX = 128  # of one batch; they should still be in the cache if a repair is lost, too
RETAINED_SHARE = 0.75  # of the pages that targets retain; older ones may be gone when the repair arrives
PRESSING_SHARE = 0.375
WHOLE_SHARE = 0.75  # of a page's packets; if a target lost more, the page is combined as a whole
CODED_IN_VAIN_MAX = 4  # then plain, because a target without the bytes of a term cannot decode

Repair = Union[SendPage, SendCoded]


class Planned(NamedTuple):
    """A burst that waits for its tx. pages: those whose repair is complete with it."""

    send: Repair
    packets: int
    pages: list[int]


class Repairs:
    """The repairs of one transfer, as bursts that are handed out one by one.

    terms_max: packets that one coded packet may combine. retained_pages: whole pages that every target has in memory.
    """

    def __init__(self, transfer: Transfer, *, terms_max: int, retained_pages: int) -> None:
        self.packets_sent = 0
        self._transfer = transfer
        self._terms_max = terms_max
        self._retained_pages = retained_pages
        # page -> how many coded repairs were no gain to the target that misses most, and how many packets that misses
        self._in_vain: dict[int, tuple[int, int]] = {}
        self._queue: deque[Planned] = deque()
        self._passed_over: Set[int] | None = None  # all waiting repairs are only for these

    @property
    def is_waiting(self) -> bool:
        """Whether there are planned bursts."""
        return bool(self._queue)

    def is_pressing(self, page: int) -> bool:
        """Return whether a page must be repaired now to be coded, because targets retain only a number of pages."""
        return page < self._transfer.next_page - self._retained_pages * PRESSING_SHARE

    def next_repair(self, tx: int) -> tuple[Repair, int]:
        """Return the next planned burst, and its number of packets."""
        send, packets, pages = self._queue.popleft()
        for page in pages:
            self._transfer.on_repaired(page, tx, is_plain=isinstance(send, SendPage))
        self.packets_sent += packets
        return send._replace(tx=tx), packets

    def bring_forward(self, slow: Set[int]) -> bool:
        """Move the first burst that is not only for these targets to the front. Return False if there is none."""
        if slow == self._passed_over:
            return False
        for at, planned in enumerate(self._queue):
            if any(self._transfer.is_wanted(page, slow) for page in _pages_of(planned.send)):
                del self._queue[at]
                self._queue.appendleft(planned)
                return True
        self._passed_over = set(slow)
        return False

    def drop_unwanted(self, tx: int) -> None:
        """Drop repairs that were planned only for forgotten targets. tx: of the last burst."""
        waiting, self._queue = self._queue, deque()
        for planned in waiting:
            if any(map(self._transfer.is_wanted, _pages_of(planned.send))):
                self._queue.append(planned)
            else:
                for page in planned.pages:
                    self._transfer.on_repaired(page, tx)

    def plan(self, pages: list[int]) -> None:
        """Plan the repair of claimed pages, which are sorted."""
        losses: list[Loss] = []
        wholes: dict[int, int] = {}  # page -> mask of what anyone lost
        lost_wholes: list[Loss] = []
        self._passed_over = None
        for page, claims in zip(pages, self._transfer.take(pages)):
            if self._is_plain(page, claims):
                self._queue.append(self._plain(page, _union(claims)))
                continue
            if self._is_whole(page, claims):
                wholes[page] = _union(claims)
                lost_wholes.append(Loss(page, 0, sum(1 << target for target in claims)))
            else:
                losses += _losses(page, claims)
        combinations = self._combine(losses)
        for terms in self._combine(lost_wholes):
            combinations += _by_index([(page, wholes[page]) for page, _ in terms])
        self._queue_combinations(combinations)

    def _combine(self, losses: list[Loss]) -> list[tuple[Term, ...]]:
        distance_max = min(TERM_DISTANCE_MAX, self._retained_pages // 2)
        return combine(losses, terms_max=self._terms_max, distance_max=distance_max)

    def _is_plain(self, page: int, claims: dict[int, int]) -> bool:
        """Return whether not to code, because some target may lack the packets that it needs to decode.

        Either they may no longer be retained, or coded repairs do not help. If much is lost, it takes many of them, but
        each helps.
        """
        in_vain, missed = self._in_vain.get(page, (0, PACKETS_PER_PAGE_MAX + 1))
        misses = max(bin(mask).count("1") for mask in claims.values())
        self._in_vain[page] = in_vain + (misses >= missed), misses
        is_old = page < self._transfer.next_page - self._retained_pages * RETAINED_SHARE
        return is_old or self._in_vain[page][0] >= CODED_IN_VAIN_MAX

    def _is_whole(self, page: int, claims: dict[int, int]) -> bool:
        """Return whether a target lost so much of this page that its packets are not worth being combined singly."""
        most = self._transfer.packet_count(page) * WHOLE_SHARE
        return any(bin(mask).count("1") > most for mask in claims.values())

    def _plain(self, page: int, mask: int) -> Planned:
        packets = bin(mask).count("1")
        is_whole = packets == self._transfer.packet_count(page)
        send = SendPage(self._transfer.object, page, 0 if is_whole else mask, 0, is_repair=True)
        return Planned(send, packets, [page])

    def _queue_combinations(self, combinations: list[tuple[Term, ...]]) -> None:
        """Queue combinations. Coded packets share bursts; those of one term go as plain packets, one burst per page."""
        singles: dict[int, int] = {}
        coded: list[tuple[Term, ...]] = []
        for terms in combinations:
            if len(terms) > 1:
                coded.append(terms)
            else:
                page, index = terms[0]
                singles[page] = singles.get(page, 0) | 1 << index
        waiting = {page for terms in coded for page, _ in terms}  # their repair is complete only with a later burst
        for page, mask in singles.items():
            planned = self._plain(page, mask)
            self._queue.append(planned._replace(pages=[]) if page in waiting else planned)
        bursts: list[Planned] = []
        size = self._transfer.packets_per_page
        # From the last burst back, because the repair of a page is complete with the last burst that has it.
        for first in reversed(range(0, len(coded), size)):
            burst = tuple(coded[first : first + size])
            pages = {page for terms in burst for page, _ in terms} & waiting
            waiting -= pages
            bursts.append(Planned(SendCoded(self._transfer.object, burst, 0), len(burst), sorted(pages)))
        self._queue.extend(reversed(bursts))


def _pages_of(send: Repair) -> set[int]:
    if isinstance(send, SendPage):
        return {send.page}
    return {page for terms in send.combinations for page, _ in terms}


def _union(claims: dict[int, int]) -> int:
    union = 0
    for mask in claims.values():
        union |= mask
    return union


def _by_index(pages: list[tuple[int, int]]) -> list[tuple[Term, ...]]:
    """Return the combinations of the packets of these pages that have the same index. Each page has a mask of them."""
    end = max(mask.bit_length() for _, mask in pages)
    by_index = (tuple((page, index) for page, mask in pages if mask >> index & 1) for index in range(end))
    return [terms for terms in by_index if terms]


def _losses(page: int, claims: dict[int, int]) -> list[Loss]:
    """Return the lost packets of a page, each with the bit set of targets that miss it."""
    by_index: dict[int, int] = {}
    for target, mask in claims.items():
        bit = 1 << target
        while mask:
            low = mask & -mask
            index = low.bit_length() - 1
            mask ^= low
            by_index[index] = by_index.get(index, 0) | bit
    return [Loss(page, index, by_index[index]) for index in sorted(by_index)]
