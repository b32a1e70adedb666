"""Packet runs: consecutive packets of one page, and the memory in which the next ones are expected.

A run's state is _first and `next` (indices in the page), `header` (of its first packet; None if there is no run) and
`expected` (the packed header that would continue it). Invariants:

  * Slices _first to next - 1 of the slot contain packets of the run, with the payload sizes that the page implies.
  * The state machine hears of a run only at its end: in one call for a whole page, else packet by packet. This delay
    is safe, because a packet counts as lost only after a later tx was heard. Everything with a later tx (a packet of
    another page, a coded packet, a control message) ends the run first. A timeout of the driver ends it otherwise.
  * What the kernel merged after the end of a page lies in the spare slot. So after each run the spare slot becomes
    the current one, even if the old slot could be reused.
"""

from __future__ import annotations

from mrsync.transport.network.stamps import LastArrival
from mrsync.transport.pages.opener import PageOpener
from mrsync.transport.pages.senders import Senders
from mrsync.transport.pages.slots import Slots
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import BytesLike, Header, unpack_header
from mrsync.wire.limits import HEADER_BYTES, PACKETS_PER_PAGE_MAX
from mrsync.wire.messages import Kind

INDEX_AT = 3  # where a packed header has the packet's index
_TAIL_BYTES = 65536  # buffer after the predicted packets, so that recvmsg never truncates a merged datagram
_INDICES = bytes(range(PACKETS_PER_PAGE_MAX))


class PacketRun:
    """The current run. slot, spare: memory of this page, and of the next one. headers: where headers are received.

    session_tag: of the headers of packets that count. arrival: tells when the last datagram arrived, if the session
    needs that.
    """

    def __init__(
        self,
        geometry: Geometry,
        session_tag: int,
        opener: PageOpener,
        slots: Slots,
        senders: Senders,
        arrival: LastArrival | None,
    ) -> None:
        self.slot = slots.take()
        self.spare = slots.take()
        self.headers = bytearray(HEADER_BYTES * geometry.packets)
        self.header: Header | None = None
        self.expected = bytearray(HEADER_BYTES)
        self.next = 0
        self._first = 0
        self._count = 0
        self._last_bytes = 0  # payload of the page's last packet
        self._session_tag = session_tag
        self._opener = opener
        self._slots = slots
        self._senders = senders
        self._arrival = arrival
        self._slice_bytes = geometry.slice_bytes
        self._page_packets = geometry.packets
        self._tail = memoryview(bytearray(_TAIL_BYTES))
        view = memoryview(self.headers)
        self._vector: list[BytesLike] = [self._tail] * (2 * geometry.packets + 1)
        self._vector[0:-1:2] = [view[at : at + HEADER_BYTES] for at in range(0, len(view), HEADER_BYTES)]

    def vector_of_one(self) -> list[BytesLike]:
        """Return the buffers for a datagram of one packet: header, slice, and a tail, should it be larger."""
        return [self._vector[0], self.slot.slices[self.next], self._tail]

    def vector(self) -> list[BytesLike]:
        """Return the buffers for merged packets: header, slice, header, slice, ..., tail.

        They fill the rest of this slot, and then the spare slot.
        """
        slices, index = self.slot.slices, self.next
        vector = self._vector
        vector[1::2] = slices[index:] + self.spare.slices[:index] if index else slices
        return vector

    def place(self, headers: bytes, slices: bytes) -> None:
        """Put copied packets where they would have been received."""
        start = self.next * self._slice_bytes
        here = (self._page_packets - self.next) * self._slice_bytes
        self.slot.view[start : start + min(here, len(slices))] = slices[:here]
        self.spare.view[: max(0, len(slices) - here)] = slices[here:]
        self.headers[: len(headers)] = headers

    def take_in_order(self, packets: int, last_bytes: int, now: float) -> int:
        """Return how many of the packets just received are where they belong. They become part of runs.

        last_bytes: payload of the last packet; all others are full.
        """
        landing, at = self.next, 0
        while at < packets:
            is_page_place = at == landing == 0 or (landing > 0 and at + landing == self._page_packets)
            if self.header is None and not (is_page_place and self._begin(at)):
                break
            number = min(packets - at, self._count - self.next)
            expected = self.expected * number
            expected[INDEX_AT::HEADER_BYTES] = _INDICES[self.next : self.next + number]
            if not self.headers.startswith(expected, at * HEADER_BYTES):
                break
            payload = last_bytes if at + number == packets else self._slice_bytes
            if payload != self._payload_bytes(self.next + number - 1):
                break
            self.go_on(number, now)
            at += number
        return at

    def take(self, header: Header, packet: memoryview, now: float) -> bool:
        """Take a page's packet from anywhere in memory. It may continue the run after a gap.

        Return False if it is not a possible packet of a page.
        """
        index, payload = header.packet_index, packet[HEADER_BYTES:]
        run = self.header
        self.expected[INDEX_AT] = index
        if run is not None and index >= self.next and packet[:HEADER_BYTES] == self.expected:
            if index > self.next:
                self.renew_slot(self._tell(run, now))
                self._first = self.next = index
        else:
            self.end(now)
            if not self.start(header, packet[:HEADER_BYTES]):
                return False
        if len(payload) != self._payload_bytes(index):
            self.end(now)
            return False
        self.slot.slices[index][: len(payload)] = payload
        self.go_on(1, now)
        return True

    def start(self, header: Header, packed: BytesLike) -> bool:
        """Start an empty run before this packet. Return False if it is not a possible packet of a page."""
        if self._senders.is_aside:
            header = header._replace(tx=0)
        count = header.packet_count
        length = self._opener.sealed_length(header.object, header.page, count)
        if (
            header.kind != Kind.PAGE
            or header.session_tag != self._session_tag
            or header.tx > self._senders.tx_limit
            or not length
            or header.packet_index >= count
        ):
            return False
        self.header = header
        self.expected[:] = packed
        self._first = self.next = header.packet_index
        self._count = count
        self._last_bytes = length - (count - 1) * self._slice_bytes
        return True

    def go_on(self, number: int, now: float) -> None:
        """Extend the run by `number` packets that are in the slot already."""
        self.next += number
        if self.next == self._count:
            self.end(now)
        else:
            self.expected[INDEX_AT] = self.next

    def end(self, now: float) -> None:
        """Report all packets of the run to the state machine."""
        header = self.header
        if header is None:
            return
        self._senders.tx_seen = max(self._senders.tx_seen, header.tx)
        if self._arrival is not None:
            now = self._arrival.read()  # may be later than the time when we began to read
        if self._first == 0 and self.next == self._count:
            is_kept = self._opener.take_page(header, self.slot, now)
        else:
            is_kept = self._tell(header, now)
        self.header = None
        self._first = self.next = 0
        self.renew_slot(is_kept)

    def renew_slot(self, is_kept: bool) -> None:
        """Continue in the spare slot, because the kernel may already have put packets there."""
        self.slot, self.spare = self.spare, self._slots.take() if is_kept else self.slot

    def _begin(self, at: int) -> bool:
        """Start a run with the packet at header `at`, if it is the first of a page. Return whether it is."""
        packed = self.headers[at * HEADER_BYTES : (at + 1) * HEADER_BYTES]
        header = unpack_header(packed)
        return header is not None and header.packet_index == 0 and self.start(header, packed)

    def _payload_bytes(self, index: int) -> int:
        """Return the payload size of packet `index` of the run's page."""
        return self._last_bytes if index == self._count - 1 else self._slice_bytes

    def _tell(self, header: Header, now: float) -> bool:
        """Report a run that is not a whole page. Return whether its slot was kept."""
        first, end = self._first, self.next
        if end != first + 1:
            return first < end and self._opener.take_row(header, first, end, self.slot, now)
        payload = self.slot.slices[first][: self._payload_bytes(first)]
        return self._opener.take_packet(header, first, payload, self.slot, now, is_doubtful=True)
