"""Turn received packets into opened pages: collect them in slots, decode coded packets, and open seals.

A seal covers a whole page, so a single forged packet is not recognised when it arrives, but only when the complete page
does not open. Anyone who can send to the group may forge packets. The rules that keep such an attacker from stopping
the session:

  * If two different packets claim the same index, both are kept, and the alternatives are tried in turn
    (`Slot.choices`), at most TRIALS_MAX times, because each trial costs a decryption.
  * If no choice is right, only suspect packets are requested again: those with alternatives, and those that came
    alone or out of a coded packet. If that fails too, the page is dropped, and all of it is requested again.
  * The number of partial pages, of their generations and of alternatives is limited. When room is needed, the page
    with the fewest packets is dropped, as a forger cannot complete pages (`Slots.crowded`).
  * A page that was complete but wrong is tried again when another packet contradicts one of its packets.

The state machine sees no payload. It decides for each packet whether it is needed; the bytes stay in slots.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mrsync.protocol.receiving.assembly import Verdict
from mrsync.transport.pages.coded_packets import xor_slices
from mrsync.transport.pages.compression import expand
from mrsync.transport.pages.slots import PartKey, Slot, Slots
from mrsync.wire.geometry import Geometry, count_of, generation_of, reading_of
from mrsync.wire.header import BytesLike, Header
from mrsync.wire.limits import TAG_BYTES, TERM_BYTES
from mrsync.wire.messages import CONTENTS_KINDS, ObjectKind
from mrsync.wire.seals.sealing import PageSealer
from mrsync.wire.terms import decode_terms

TRIALS_MAX = 32  # decryptions of a page that has just become complete, if packets contradict each other
TRIALS_AGAIN_MAX = 4  # decryptions of a page that was complete and wrong, for each further packet
_OBJECTS = len(ObjectKind)

# Object, page, generation, plaintext, and the tag of its seal, empty if the page was compressed.
OpenedPage = tuple[int, int, int, bytes, bytes]


class PageSink(Protocol):
    """The part of the state machine that packets of pages concern; see protocol.receiving.reception.Reception.

    header: of any of the packets; its packet_index has no meaning. reading: generation and count of a page in one
    number; see wire.geometry.reading_of.
    """

    def receive_page(self, header: Header, now: float) -> bool:
        """All packets of a page arrived. Return whether to open it; then page_opened or page_rejected must follow."""

    def receive_packets(self, header: Header, mask: int, now: float) -> int:
        """Packets of a page arrived: a bit set of their indices. Return a Verdict: what to do with their bytes."""

    def receive_coded(self, header: Header, terms: list[tuple[int, int]], now: float) -> int:
        """A coded packet arrived. Return the index of its only term that is missing here, or -1."""

    def coded_useless(self) -> None:
        """The bytes of a term that was received are no longer in memory."""

    def page_opened(self, object: int, page: int, generation: int) -> bool:
        """The seal was valid. Return True if the page is to be written, False if it is only to be forwarded."""

    def page_rejected(self, object: int, page: int, reading: int, suspects: int) -> None:
        """The seal of this reading was not valid. suspects: bit set of packets to request again; 0: all."""

    def packets_dropped(self, object: int, page: int, reading: int) -> None:
        """The packets of this reading were dropped for lack of room."""


class OpenerStatistics:
    """Counters. strange: malformed packets. crowded: partial pages that were dropped for lack of room."""

    packets: int = 0
    strange: int = 0
    crowded: int = 0
    rejected: int = 0
    decoded: int = 0


class PageOpener:
    """Turn packets into opened pages. They gather in `opened`."""

    def __init__(self, geometry: Geometry, sealer: PageSealer, sink: PageSink, slots: Slots) -> None:
        self.opened: list[OpenedPage] = []
        self._lengths = [(-1, 0)] * _OBJECTS  # (last page, its sealed size) of each object
        self.statistics = OpenerStatistics()
        self._geometry = geometry
        self._slice_bytes = geometry.slice_bytes
        self._full_length = geometry.sealed_bytes
        self._sealer = sealer
        self._sink = sink
        self._slots = slots

    def expect(self, sizes: Iterable[int]) -> None:
        """Set the size of each object in bytes, from the last authentic status. Pages beyond the size are rejected."""
        geometry = self._geometry
        for object, size in enumerate(sizes):
            last = geometry.page_count(size) - 1
            self._lengths[object] = (last, geometry.page_length(size, last) + TAG_BYTES)

    def sealed_length(self, object: int, page: int, count: int) -> int:
        """Return the size in bytes of a sealed page that comes in `count` packets, or 0 if there can be no such page.

        A page in fewer packets than its bytes need is compressed, and then padded: all its packets are full. Pages of
        lists never are: what they unpack to is bounded by their bytes.
        """
        plain = self._plain_length(object, page)
        packets = -(-plain // self._slice_bytes)
        if count == packets:
            return plain
        is_compressed = 0 < count < packets and object in CONTENTS_KINDS
        return count * self._slice_bytes if is_compressed else 0

    def _plain_length(self, object: int, page: int) -> int:
        """Return the size in bytes of a sealed page that is not compressed, or 0 if there is no such page."""
        last, last_length = self._lengths[object] if object < _OBJECTS else (-1, 0)
        if page < last:
            return self._full_length
        return last_length if page == last else 0

    def take_page(self, header: Header, slot: Slot, now: float) -> bool:
        """Take a page whose packets are all in the slot.

        Return True if the slot was kept, so the caller needs another one.
        """
        _, _, count, object, _, _, generation, _, page, _ = header
        if not self._sink.receive_page(header, now):
            self.statistics.packets += count
            return False
        if self._open(object, page, generation, count, slot):
            self.statistics.packets += count
            return True
        return self._take_each(header, range(count), slot, now)  # some of its packets may be right

    def take_packet(
        self, header: Header, index: int, payload: BytesLike, slot: Slot, now: float, *, is_doubtful: bool = False
    ) -> bool:
        """Take one packet of a page. Return True if `slot` was kept, so the caller needs another one.

        index: of the packet in its page. payload: its bytes, anywhere in memory. slot: used if nothing of the page is
        stored yet. is_doubtful: it came alone or out of a coded packet, and not in a row with others of its page.
        """
        _, _, count, object, _, _, generation, _, page, _ = header
        self.statistics.packets += 1
        key = (object, page, reading_of(generation, count))
        kept = self._slots.partial(key)
        verdict = self._sink.receive_packets(header, 1 << index, now)
        if kept is None and (kept := self._begin(key, verdict, slot)) is None:
            return False
        is_contradicted = kept.store(index, payload)
        if is_doubtful:
            kept.doubtful |= 1 << index
        if verdict == Verdict.COMPLETE:
            self._complete(key, kept)
        elif is_contradicted and kept.stored + 1 == 1 << count:
            self._open(object, page, generation, count, kept, TRIALS_AGAIN_MAX)
        return kept is slot

    def take_row(self, header: Header, first: int, end: int, slot: Slot, now: float) -> bool:
        """Take the packets [first, end) of a page, which are in their places in the slot. Return as take_packet does.

        Only packets that repeat or contradict others need to be looked at one by one.
        """
        _, _, count, object, _, _, generation, _, page, _ = header
        key, row = (object, page, reading_of(generation, count)), (1 << end) - (1 << first)
        kept = self._slots.partial(key)
        if kept is not None and kept.stored & row:
            return self._take_each(header, range(first, end), slot, now)
        self.statistics.packets += end - first
        verdict = self._sink.receive_packets(header, row, now)
        if kept is None and (kept := self._begin(key, verdict, slot)) is None:
            return False
        kept.adopt(first, end, slot)
        if verdict == Verdict.COMPLETE:
            self._complete(key, kept)
        return kept is slot

    def _take_each(self, header: Header, indices: Iterable[int], slot: Slot, now: float) -> bool:
        """Take packets of a page that are in their places in the slot, one by one. Return as take_packet does."""
        is_kept = False
        for index in indices:
            payload = slot.slices[index][: self._slice_length(header.object, header.page, header.packet_count, index)]
            is_kept = self.take_packet(header, index, payload, slot, now)
        return is_kept

    def _begin(self, key: PartKey, verdict: int, slot: Slot) -> Slot | None:
        """Keep `slot` for a page of which nothing is stored yet, and return it; None if its packets are not wanted."""
        if verdict == Verdict.IGNORE:
            return None
        self._make_room(key)
        self._slots.keep_partial(key, slot)
        return slot

    def _make_room(self, key: PartKey) -> None:
        for crowded in self._slots.crowded(key):
            self.statistics.crowded += 1
            self._slots.drop_partial(crowded)
            self._sink.packets_dropped(*crowded)

    def _complete(self, key: PartKey, kept: Slot) -> None:
        """Open a page whose packets are all here.

        If no choice of them is right, request the suspects. If that does not help, drop the page and request all of it:
        more of its packets are wrong than choices can be tried.
        """
        object, page, reading = key
        if self._open(object, page, generation_of(reading), count_of(reading), kept, TRIALS_MAX):
            return
        self.statistics.rejected += 1
        self._sink.page_rejected(*key, kept.suspects)
        if kept.is_wrong:
            self._slots.drop_partial(key)
            self._sink.packets_dropped(*key)
            return
        kept.is_wrong = True
        kept.doubtful = 0
        kept.others.clear()

    def take_coded(self, header: Header, payload: BytesLike, slot: Slot, now: float) -> bool:
        """Take a coded packet. slot and result are as in take_packet."""
        terms = decode_terms(header, payload)
        body = payload[TERM_BYTES * (header.packet_count - 1) :]
        if terms is None or header.object >= _OBJECTS or len(body) != self._slice_bytes:
            self.statistics.strange += 1
            return False
        missing = self._sink.receive_coded(header, terms, now)
        if missing < 0:
            return False
        page, index = terms.pop(missing)
        slices = [self._held_slice(header, *term) for term in terms]
        known = [data for data in slices if data is not None]
        count = self._known_count(header, page)
        length = self._slice_length(header.object, page, count, index)
        if len(known) < len(slices) or not length:
            self._sink.coded_useless()
            return False
        self.statistics.decoded += 1
        decoded = xor_slices([*known, body], self._slice_bytes)[:length]
        header = header._replace(page=page, packet_count=count)
        return self.take_packet(header, index, decoded, slot, now, is_doubtful=True)

    def _known_count(self, header: Header, page: int) -> int:
        """Return the number of packets of a page. It is a guess if nothing of the page is here."""
        held = self._slots.held((header.object, page), header.generation)
        if held is not None:
            return count_of(held.reading)
        return -(-self._plain_length(header.object, page) // self._slice_bytes)

    def _held_slice(self, header: Header, page: int, index: int) -> BytesLike | None:
        held = self._slots.held((header.object, page), header.generation)
        if held is None:
            return None
        length = self._slice_length(header.object, page, count_of(held.reading), index)
        if not length or index >= len(held.slices):  # no packet of this page: the coded packet is forged
            return None
        return held.slices[index][:length]

    def _slice_length(self, object: int, page: int, count: int, index: int) -> int:
        size = self._slice_bytes
        return max(0, min(size, self.sealed_length(object, page, count) - index * size))

    def _open(self, object: int, page: int, generation: int, count: int, slot: Slot, trials: int = 1) -> bool:
        """Open the page in a slot, trying at most `trials` choices of contradicting packets.

        Return whether one was right.
        """
        sealed = slot.view[: self.sealed_length(object, page, count)]
        data = self._sealer.open(sealed, object=object, page=page, generation=generation, count=count)
        if data is None and slot.others:
            for _ in slot.choices(trials):
                data = self._sealer.open(sealed, object=object, page=page, generation=generation, count=count)
                if data is not None:
                    break
        plain_bytes = self._plain_length(object, page) - TAG_BYTES
        tag = bytes(sealed[-TAG_BYTES:])
        if data is not None and len(data) != plain_bytes:
            data = expand(data, plain_bytes)
            tag = b""
        if data is None:
            return False
        slot.reading = reading_of(generation, count)
        slot.others.clear()
        self._slots.keep_whole((object, page), slot)
        if self._sink.page_opened(object, page, generation):
            self.opened.append((object, page, generation, data, tag))
        return True
