"""What becomes of received packets: the core judges them, slots hold them, seals are opened, coded packets decoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from mrsync.transport.bursts import xor_slices
from mrsync.transport.slots import PartKey, Slot, Slots
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import BytesLike, Header
from mrsync.wire.limits import TAG_BYTES, TERM_BYTES
from mrsync.wire.messages import ObjectKind
from mrsync.wire.sealing import PageSealer
from mrsync.wire.terms import decode_terms

_IGNORE, _STORE, _COMPLETE = range(3)  # protocol's Verdict
TRIALS_MAX = 32  # of the seal of one page that is complete, when packets contradict each other
TRIALS_AGAIN_MAX = 4  # of one that was complete and wrong, when one more packet comes
_OBJECTS = len(ObjectKind)


class PageSink(Protocol):
    """The catcher's core as far as pages concern it; see protocol.catcher.Catcher."""

    def receive_page(self, object: int, page: int, generation: int, count: int, tx: int, now: float) -> bool:
        """A whole burst arrived; True: open it and say page_opened or page_rejected."""

    def receive_packet(
        self, object: int, page: int, generation: int, index: int, count: int, tx: int, now: float
    ) -> int:
        """One packet arrived; what to do with it is a Verdict."""

    def receive_coded(self, object: int, generation: int, terms: list[tuple[int, int]], tx: int, now: float) -> int:
        """A coded packet arrived; the position of its only term that is missing here, or -1."""

    def coded_useless(self) -> None:
        """The bytes of a term that is here are no longer at hand."""

    def page_opened(self, object: int, page: int, generation: int) -> bool:
        """Its seal was good; True: it is to be written, False: it is only passed on."""

    def page_rejected(self, object: int, page: int, generation: int, suspects: int) -> None: ...

    def packets_dropped(self, object: int, page: int, generation: int) -> None: ...


@dataclass
class OpenerStatistics:
    """strange: packets that make no sense; crowded: partial pages dropped for lack of room."""

    packets: int = 0
    strange: int = 0
    crowded: int = 0
    rejected: int = 0
    decoded: int = 0


class PageOpener:
    """Turns packets into opened pages; they gather in `opened`, as (object, page, generation, data), to be taken."""

    def __init__(self, geometry: Geometry, sealer: PageSealer, sink: PageSink, slots: Slots) -> None:
        self.opened: list[tuple[int, int, int, bytes]] = []
        self._lengths = [(-1, 0)] * _OBJECTS  # last page of each object, its sealed bytes
        self.statistics = OpenerStatistics()
        self._geometry = geometry
        self._full_length = geometry.sealed_bytes
        self._sealer = sealer
        self._sink = sink
        self._slots = slots

    def expect(self, sizes: Iterable[int]) -> None:
        """Bytes of each object, as the last genuine status said; pages behind that size are strange."""
        geometry = self._geometry
        for object, size in enumerate(sizes):
            last = geometry.page_count(size) - 1
            self._lengths[object] = (last, geometry.page_length(size, last) + TAG_BYTES)

    def sealed_length(self, object: int, page: int) -> int:
        """Bytes of a sealed page, 0 when there is no such page."""
        last, last_length = self._lengths[object] if object < _OBJECTS else (-1, 0)
        if page < last:
            return self._full_length
        return last_length if page == last else 0

    def take_page(self, header: Header, slot: Slot, now: float) -> bool:
        """All packets of a page are in the slot; True when the slot was kept and the caller needs another one."""
        _, _, count, object, _, _, generation, _, page, tx = header
        if not self._sink.receive_page(object, page, generation, count, tx, now):
            self.statistics.packets += count
            return False
        if self._open(object, page, generation, count, slot):
            self.statistics.packets += count
            return True
        is_kept = False
        for index in range(count):  # some of it may be right
            payload = slot.slices[index][: self._slice_length(object, page, index)]
            is_kept = self.take_packet(header, index, payload, slot, now)
        return is_kept

    def take_packet(
        self, header: Header, index: int, payload: BytesLike, slot: Slot, now: float, *, is_doubtful: bool = False
    ) -> bool:
        """One packet of a page, its bytes anywhere; slot: where to keep them when nothing of the page is here yet.
        is_doubtful: it came by itself or out of a coded packet, not in a row with others of its page.

        True when that slot is kept now and the caller needs another one.
        """
        _, _, count, object, _, _, generation, _, page, tx = header
        self.statistics.packets += 1
        key = (object, page, generation)
        kept = self._slots.partial(key)
        verdict = self._sink.receive_packet(object, page, generation, index, count, tx, now)
        if kept is None:
            if verdict == _IGNORE:
                return False
            self._make_room(key)
            self._slots.keep_partial(key, slot)
            kept = slot
        is_contradicted = kept.store(index, payload)
        if is_doubtful:
            kept.doubtful |= 1 << index
        if verdict == _COMPLETE:
            self._complete(key, count, kept)
        elif is_contradicted and kept.stored + 1 == 1 << count:
            self._open(*key, count, kept, TRIALS_AGAIN_MAX)
        return kept is slot

    def _make_room(self, key: PartKey) -> None:
        crowded = self._slots.crowded(key)
        if crowded is not None:
            self.statistics.crowded += 1
            self._slots.drop_partial(crowded)
            self._sink.packets_dropped(*crowded)

    def _complete(self, key: PartKey, count: int, kept: Slot) -> None:
        """All packets of a page are here. If no choice of them is right, ask for those in doubt; next time for all."""
        if self._open(*key, count, kept, TRIALS_MAX):
            return
        self.statistics.rejected += 1
        self._sink.page_rejected(*key, kept.suspects)
        kept.is_wrong = True
        kept.doubtful = 0
        kept.others.clear()

    def take_coded(self, header: Header, payload: BytesLike, slot: Slot, now: float) -> bool:
        """A coded packet; slot and result as of take_packet."""
        terms = decode_terms(header, payload)
        body = payload[TERM_BYTES * (header.packet_count - 1) :]
        if terms is None or header.object >= _OBJECTS or len(body) != self._geometry.slice_bytes:
            self.statistics.strange += 1
            return False
        missing = self._sink.receive_coded(header.object, header.generation, terms, header.tx, now)
        if missing < 0:
            return False
        page, index = terms.pop(missing)
        slices = [self._held_slice(header, *term) for term in terms]
        known = [data for data in slices if data is not None]
        length = self._slice_length(header.object, page, index)
        if len(known) < len(slices) or not length:
            self._sink.coded_useless()
            return False
        self.statistics.decoded += 1
        count = -(-self.sealed_length(header.object, page) // self._geometry.slice_bytes)
        decoded = xor_slices([*known, body], self._geometry.slice_bytes)[:length]
        header = header._replace(page=page, packet_count=count)
        return self.take_packet(header, index, decoded, slot, now, is_doubtful=True)

    def _held_slice(self, header: Header, page: int, index: int) -> BytesLike | None:
        held = self._slots.held((header.object, page, header.generation))
        return None if held is None else held.slices[index][: self._slice_length(header.object, page, index)]

    def _slice_length(self, object: int, page: int, index: int) -> int:
        size = self._geometry.slice_bytes
        return max(0, min(size, self.sealed_length(object, page) - index * size))

    def _open(self, object: int, page: int, generation: int, count: int, slot: Slot, trials: int = 1) -> bool:
        """Whether the seal is good, of one of the choices between packets that contradict each other."""
        sealed = slot.view[: self.sealed_length(object, page)]
        data = self._sealer.open(sealed, object=object, page=page, generation=generation, count=count)
        if data is None and slot.others:
            for _ in slot.choices(trials):
                data = self._sealer.open(sealed, object=object, page=page, generation=generation, count=count)
                if data is not None:
                    break
        if data is None:
            return False
        slot.generation = generation
        slot.others.clear()
        self._slots.keep_whole((object, page), slot)
        if self._sink.page_opened(object, page, generation):
            self.opened.append((object, page, generation, data))
        return True
