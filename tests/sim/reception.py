"""Reception: what a target's memory truly holds, as the driver's slots would; the core is only asked and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.receiving.assembly import Verdict
from mrsync.wire.geometry import generation_of, reading_of
from mrsync.wire.header import Header
from mrsync.wire.limits import CASTER_ID
from mrsync.wire.messages import Kind
from mrsync.wire.terms import Term
from tests.sim.network import Burst, CodedBurst

Key = tuple[int, int]  # object, page


class Violation(AssertionError):
    """A property that must hold does not."""


@dataclass
class Arriving:
    """One reading of a page of which some packets are here; bit sets of packets."""

    stored: int = 0
    bad: int = 0
    decoded: int = 0
    asked: int = 0  # for again, since the seal of the whole was bad


def header_of(burst: Burst) -> Header:
    """The header of the first packet of a page."""
    object, page, generation, count, _, tx, _ = burst
    return Header(Kind.PAGE, 0, count, object, 0, 0, generation, CASTER_ID, page, tx)


def bits(mask: int) -> Iterator[int]:
    """Positions of the set bits, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Reception:
    """Feeds bursts to a core's data path and keeps the record that the oracle believes."""

    def __init__(self, catcher: Catcher, retained_pages: int) -> None:
        self.opened: list[tuple[Key, int]] = []  # (page, tx) since the last hand-over to the disk
        self.true_pages: dict[Key, int] = {}  # every byte of them came, whatever the core says; their generation
        self.passes_on = False  # to a child: pages that are here may be needed again
        self.packets_in_vain = 0  # that came, and had to be thrown away
        self._catcher = catcher
        self._retained_pages = retained_pages
        self._arriving: dict[Key, dict[int, Arriving]] = {}  # by reading
        self._whole: dict[Key, int] = {}  # retained pages and their generation, oldest first

    def misses(self, key: Key, index: int) -> bool:
        """Whether this packet has not come, in one generation at least, or has come in vain."""
        if key in self.true_pages:
            return False
        parts = self._arriving.get(key, {}).values()
        return not parts or any(part.asked >> index & 1 or not part.stored >> index & 1 for part in parts)

    def take_burst(self, burst: Burst, arrived: int, bad: int, now: float) -> None:
        """The packets `arrived` of a page, those in `bad` spoilt."""
        whole = (1 << burst.packets) - 1
        if arrived == whole:
            key = (burst.object, burst.page)
            wanted = self._catcher.reception.receive_page(header_of(burst), now)
            if not wanted and key not in self.true_pages:
                self.packets_in_vain += burst.packets
            if not wanted or not bad:
                if wanted:
                    self._open(key, burst.generation, burst.tx)
                return
        for index in bits(arrived):
            self._take_packet(burst, index, bad >> index & 1 == 1, now)

    def _take_packet(self, burst: Burst, index: int, is_bad: bool, now: float, *, is_decoded: bool = False) -> None:
        object, page, generation, count, _, tx, _ = burst
        verdict = self._catcher.reception.receive_packets(header_of(burst), 1 << index, now)
        key, bit = (object, page), 1 << index
        reading = reading_of(generation, count)
        arriving = self._arriving.get(key, {}).get(reading)
        if verdict == Verdict.IGNORE and arriving is None:
            self.packets_in_vain += self.misses(key, index)
            return
        if key in self.true_pages and not self.passes_on:
            raise Violation(f"packet {index} of {key} is wanted again, though the page is here")
        if arriving is None:
            arriving = self._arriving.setdefault(key, {})[reading] = Arriving()
        first_time = not arriving.stored & bit
        arriving.stored |= bit
        arriving.asked &= ~bit
        arriving.decoded |= bit * is_decoded
        if first_time:
            arriving.bad |= bit * is_bad
        elif not is_bad:
            arriving.bad &= ~bit  # both are kept, and the seal decides
        everything = (1 << count) - 1
        if verdict == Verdict.COMPLETE:
            if arriving.stored != everything:
                raise Violation(f"page {key} is not complete: packets {arriving.stored:#x} of {count}")
            self._complete(key, reading, arriving, everything, tx)
        elif arriving.stored == everything and not arriving.bad:
            self._open(key, generation, tx)

    def _complete(self, key: Key, reading: int, arriving: Arriving, everything: int, tx: int) -> None:
        """Try the seal of a page whose packets are all here."""
        if not arriving.bad:
            self._open(key, generation_of(reading), tx)
            return
        arriving.asked = arriving.decoded or everything
        self.packets_in_vain += arriving.asked.bit_count()
        self._catcher.reception.page_rejected(*key, reading, arriving.decoded)
        arriving.decoded = 0

    def take_coded(
        self,
        burst: CodedBurst,
        combination: tuple[Term, ...],
        count_of: Callable[[int, int], int],
        is_bad: bool,
        now: float,
    ) -> None:
        """One coded packet; count_of: packets of a page of an object."""
        terms = list(combination)
        (page, index), count = terms[0], len(terms)
        header = Header(Kind.CODED, index, count, burst.object, 0, 0, burst.generation, CASTER_ID, page, burst.tx)
        missing = self._catcher.reception.receive_coded(header, terms, now)
        if missing < 0:
            return
        page, index = terms.pop(missing)
        for other, slice in terms:
            held = self._held((burst.object, other), slice, burst.generation)
            if held is None:
                self._catcher.reception.coded_useless()
                return
            is_bad |= held
        count = count_of(burst.object, page)
        burst_of_one = Burst(burst.object, page, burst.generation, count, 0, burst.tx)
        self._take_packet(burst_of_one, index, is_bad, now, is_decoded=True)

    def _held(self, key: Key, index: int, generation: int) -> bool | None:
        """Whether the bytes of this packet are spoilt; None if they are not at hand."""
        if self._whole.get(key) == generation:
            return False
        readings = self._arriving.get(key, {})
        arriving = next((part for reading, part in readings.items() if generation_of(reading) == generation), None)
        if arriving is None or not arriving.stored >> index & 1:
            return None
        return arriving.bad >> index & 1 == 1

    def _open(self, key: Key, generation: int, tx: int) -> None:
        """The seal of a page is good."""
        self._arriving.pop(key, None)
        is_wanted = self._catcher.reception.page_opened(*key, generation)
        if key in self.true_pages and is_wanted:
            raise Violation(f"page {key} is opened twice")
        self._whole.pop(key, None)
        self._whole[key] = generation
        if len(self._whole) > self._retained_pages:
            del self._whole[next(iter(self._whole))]
        if is_wanted:
            self.true_pages[key] = generation
            self.opened.append((key, tx))

    def retained(self, key: Key) -> int | None:
        """The generation of a page that is here, sealed."""
        return self._whole.get(key)
