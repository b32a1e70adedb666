"""Receive the datagrams of a catcher's socket with as little work per packet as possible.

Packets of a page usually arrive in order, either one by one or merged by the kernel (UDP_GRO). So we predict where the
next ones belong and let the kernel write them there: recvmsg gets a vector of header buffers and slices of a slot. If
the headers turn out as predicted, the payload is in place without a copy. Merged packets then need no Python each.
Where the kernel merges none, many are received with one call instead (`BatchReceiver`), and examined as if merged.

A run is a sequence of consecutive packets of one page in the current slot. Its state is _first and _next (indices in
the page), _header (of its first packet; None if there is no run) and _expected (the packed header that would continue
it). Invariants:

  * Slices _first to _next - 1 of the slot contain packets of the run, with the payload sizes that the page implies.
  * The state machine hears of a run only at its end: in one call for a whole page, else packet by packet. This delay
    is safe, because a packet counts as lost only after a later tx was heard. Everything with a later tx (a packet of
    another page, a coded packet, a control message) ends the run first. A timeout of the driver ends it otherwise.
  * What the kernel merged after the end of a page lies in the spare slot. So after each run the spare slot becomes
    the current one, even if the old slot could be reused.
  * A datagram that does not continue the run is copied out of the vector before its packets are stored, because
    storing one of them may overwrite the next.

Nothing here is authenticated: seals are checked for whole pages only. So packets count only if they come from the
address of authentic statuses (or of the assigned parent), and if their tx is at most TX_AHEAD_MAX above authentic
ones. Otherwise a forged tx could make all current pages look lost.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from typing import Callable

from mrsync.transport.network.batches import Ancillary, BatchReceiver
from mrsync.transport.network.mailbox import ANCILLARY_BYTES, read_ancillary
from mrsync.transport.network.paths import Address
from mrsync.transport.network.stamps import LastArrival
from mrsync.transport.pages.opener import PageOpener
from mrsync.transport.pages.slots import Slots
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import BytesLike, Header, unpack_header
from mrsync.wire.limits import HEADER_BYTES, PACKETS_PER_PAGE_MAX, TX_AHEAD_MAX
from mrsync.wire.messages import Kind

TakeControl = Callable[[bytes, Address], None]

BYTES_PER_DRAIN = 512 << 10  # little enough that pages are still in the processor's cache when they are written
DATAGRAM_COUNTS_AS = 1024  # minimum per datagram, so that many small ones do not keep the loop busy
FOREIGN_STATUSES_PER_DRAIN = 16  # limit for opening statuses from other addresses, which costs a seal each

SINGLES_MIN = 8  # unmerged packets in a row, after which many are received at once

_TAIL_BYTES = 65536  # buffer after the predicted packets, so that recvmsg never truncates a merged datagram
_INDICES = bytes(range(PACKETS_PER_PAGE_MAX))
_INDEX_AT = 3
_KIND_AT = 2
_TAG = slice(8, 12)


class IntakeStatistics:
    """Counters. strange: packets of another session, or malformed. foreign: packets not from the caster's address.

    marked: packets with a mark of a router whose queue is long.
    """

    bytes: int = 0
    strange: int = 0
    foreign: int = 0
    kernel_drops: int = 0
    marked: int = 0


class Intake:
    """Receive until the socket is empty. Put pages into the opener, and control messages into `take_control`.

    Pages count only from the address of authentic statuses, and with a tx not far above theirs; see `believe`.
    is_timed: ask the kernel when each page arrived. Only a session that leaves others their share needs that.
    """

    def __init__(
        self,
        opened: socket.socket,
        geometry: Geometry,
        session_tag: int,
        opener: PageOpener,
        slots: Slots,
        take_control: TakeControl,
        *,
        is_timed: bool = True,
    ) -> None:
        self.statistics = IntakeStatistics()
        self.tx_seen = 0
        self._tx_limit = TX_AHEAD_MAX
        self._source: Address | None = None  # where pages come from whose tx numbers count
        self._caster: Address | None = None
        self._parent: Address | None = None  # the relay that pages come from, if any
        self._peers: Collection[Address] = ()
        self._is_aside = False  # the last datagram is from another known address, whose tx numbers have another meaning
        self._socket = opened
        self._arrival = LastArrival(opened) if is_timed else None
        self._ancillary: Sequence[tuple[int, int, bytes]] = ()  # of the last datagram, and what it says
        self._segment, self._is_marked = 0, False
        self._session_tag = session_tag
        self._packed_tag = session_tag.to_bytes(4, "big")
        self._opener = opener
        self._slots = slots
        self._take_control = take_control
        self._slice_bytes = geometry.slice_bytes
        self._page_packets = geometry.packets
        self._packet_bytes = HEADER_BYTES + geometry.slice_bytes
        self._headers = bytearray(HEADER_BYTES * geometry.packets)
        self._tail = memoryview(bytearray(_TAIL_BYTES))
        view = memoryview(self._headers)
        self._vector: list[BytesLike] = [self._tail] * (2 * geometry.packets + 1)
        self._vector[0:-1:2] = [view[at : at + HEADER_BYTES] for at in range(0, len(view), HEADER_BYTES)]
        self._is_merging = True  # the kernel merged the last datagrams
        self._singles = 0  # packets since the last merged ones
        self._batch: BatchReceiver | None = None
        self._slot = slots.take()  # of the current run
        self._spare = slots.take()  # of the next run
        self._first = 0
        self._next = 0
        self._count = 0
        self._last_bytes = 0  # payload of the page's last packet
        self._foreign_left = 0
        self._header: Header | None = None  # of the run's first packet; None: there is no run
        self._expected = bytearray(HEADER_BYTES)  # packed header of the packet that would continue the run

    @property
    def is_midway(self) -> bool:
        """Whether a run has packets that the state machine has not heard of. Call `end_run` to report them."""
        return self._header is not None

    def believe(self, tx: int, source: Address | None) -> None:
        """Note an authentic status with this tx from the caster's address, which is where pages must come from."""
        self._caster = source
        if self._parent is None:
            self._tx_limit = max(self._tx_limit, tx + TX_AHEAD_MAX)
            self._source = source

    def believe_parent(self, tx: int) -> None:
        """Note an authentic message of the parent with this tx."""
        if self._parent is not None:
            self._tx_limit = max(self._tx_limit, tx + TX_AHEAD_MAX)

    def set_peers(self, peers: Collection[Address]) -> None:
        """Set the addresses of the parent and the child."""
        self._peers = peers

    def follow(self, parent: Address | None) -> None:
        """Take pages from this parent, which has tx numbers of its own. None: from the caster again."""
        self._parent = parent
        self._source = self._caster if parent is None else parent
        self._tx_limit = TX_AHEAD_MAX
        self.tx_seen = 0

    def drain(self, now: float) -> bool:
        """Receive until the socket is empty (return False) or BYTES_PER_DRAIN were taken (return True)."""
        receive = self._socket.recvmsg_into
        if self._arrival is not None:
            self._arrival.set_clock(now)
        headers, packet_bytes = self._headers, self._packet_bytes
        taken = 0
        self._foreign_left = FOREIGN_STATUSES_PER_DRAIN
        while taken < BYTES_PER_DRAIN:
            if self._singles >= SINGLES_MIN and (batch := self._batch_receiver()) is not None:
                number, size = self._take_batch(batch, now)
                taken += size
                if number < batch.most:
                    self.statistics.bytes += taken
                    return False
                continue
            vector = self._receive_vector()
            try:
                length, ancillary, _, source = receive(vector, ANCILLARY_BYTES)
            except BlockingIOError:
                self.statistics.bytes += taken
                return False
            taken += max(length, DATAGRAM_COUNTS_AS)
            segment = self._read_ancillary(ancillary, length) if ancillary else length
            if self._is_stranger(source):
                self._take_foreign(vector, length, segment, source)
                continue
            is_single = length == segment == packet_bytes
            self._singles += is_single
            if is_single and self._header is not None and headers.startswith(self._expected):
                self._go_on(1, now)
            else:
                self._take(vector, length, segment, source, now)
        self.statistics.bytes += taken
        return True

    def end_run(self, now: float) -> None:
        """Report all packets of the current run to the state machine."""
        header = self._header
        if header is None:
            return
        self.tx_seen = max(self.tx_seen, header.tx)
        if self._arrival is not None:
            now = min(now, self._arrival.read())
        if self._first == 0 and self._next == self._count:
            is_kept = self._opener.take_page(header, self._slot, now)
        else:
            is_kept = self._tell(header, now)
        self._header = None
        self._first = self._next = 0
        self._renew_slot(is_kept)

    def _receive_vector(self) -> list[BytesLike]:
        """Return the buffers for the next datagram: header, slice, header, slice, ..., tail.

        If the last datagrams were merged, the predicted packets fill the rest of this slot, and then the spare slot.
        """
        if not self._is_merging:
            return [self._vector[0], self._slot.slices[self._next], self._tail]
        return self._predicted_vector()

    def _predicted_vector(self) -> list[BytesLike]:
        slices, index = self._slot.slices, self._next
        vector = self._vector
        vector[1::2] = slices[index:] + self._spare.slices[:index] if index else slices
        return vector

    def _batch_receiver(self) -> BatchReceiver | None:
        """Return what receives many datagrams at once. None: it does not work here, and is not tried again soon."""
        if self._batch is None:
            self._batch = BatchReceiver.of(self._socket, self._headers, self._slice_bytes, self._page_packets)
            self._singles = 0 if self._batch is None else self._singles
        return self._batch

    def _take_batch(self, batch: BatchReceiver, now: float) -> tuple[int, int]:
        """Receive many datagrams. Return their number, which is less than most if no more are there, and a size."""
        try:
            number = batch.receive(self._slot.view, self._spare.view, self._next)
        except BlockingIOError:
            return 0, 0
        runs = batch.runs(number)
        alike = runs[0][1] if batch.is_full(0) else 0
        if self._is_stranger(batch.source(0)) or (self._header is None and self._headers[_INDEX_AT]):
            alike = 0  # not where they belong
        rest = [self._copy(batch, *run) for run in runs if run[0] >= alike]
        size = alike * self._packet_bytes
        if alike:
            self._read_ancillary(batch.ancillary(0), self._packet_bytes)
            self.statistics.marked += (alike - 1) * self._is_marked
            self._take_packets(self._predicted_vector(), size, self._packet_bytes, batch.source(0), now)
        for copied in rest:  # copied before, as taking packets may overwrite others
            size += self._take_run(*copied, now)
        return number, size

    def _copy(self, batch: BatchReceiver, first: int, end: int) -> tuple[list[bytes], bytes, Ancillary, Address]:
        """Return copies of datagrams [first, end) of a batch: one by one, or else their headers, and their slices."""
        ancillary, source = batch.ancillary(first), batch.source(first)
        if end == first + 1 or self._is_stranger(source):
            return [batch.datagram(at) for at in range(first, end)], b"", ancillary, source
        headers, slices = batch.copy(first, end)
        return [headers], slices, ancillary, source

    def _take_run(self, copies: list[bytes], slices: bytes, ancillary: Ancillary, source: Address, now: float) -> int:
        """Take copied datagrams. Slices are put where they would have been received. Return a size."""
        if not slices:
            for datagram in copies:
                self._take_copied(datagram, ancillary, source, now)
            return sum(max(len(datagram), DATAGRAM_COUNTS_AS) for datagram in copies)
        self._is_stranger(source)
        header = unpack_header(copies[0][:HEADER_BYTES])
        if self._header is None and header is not None:
            self._start_run(header, copies[0][:HEADER_BYTES])  # in the middle of a page, after a control message
        number, here = len(slices) // self._slice_bytes, (self._page_packets - self._next) * self._slice_bytes
        start = self._next * self._slice_bytes
        self._slot.view[start : start + min(here, len(slices))] = slices[:here]
        self._spare.view[: max(0, len(slices) - here)] = slices[here:]
        self._headers[: len(copies[0])] = copies[0]
        self._read_ancillary(ancillary, self._packet_bytes)
        self.statistics.marked += (number - 1) * self._is_marked
        size = number * self._packet_bytes
        self._take_packets(self._predicted_vector(), size, self._packet_bytes, source, now)
        return size

    def _take_copied(
        self, datagram: bytes, ancillary: Sequence[tuple[int, int, bytes]], source: Address, now: float
    ) -> None:
        """Take a datagram of one or more packets that is not in a slot."""
        segment = self._read_ancillary(ancillary, len(datagram))
        if self._is_stranger(source):
            self._headers[:HEADER_BYTES] = datagram[:HEADER_BYTES].ljust(HEADER_BYTES, b"\0")
            self._take_foreign([datagram], len(datagram), segment, source)
            return
        if len(datagram) > segment:
            self._note_merged()
        for start in range(0, len(datagram), segment or 1):
            self._take_packet(memoryview(datagram)[start : start + segment], source, now)

    def _is_stranger(self, source: Address) -> bool:
        """Note where a datagram came from. Return whether it is no known address."""
        self._is_aside = source != self._source
        return self._is_aside and source != self._caster and source not in self._peers

    def _note_merged(self) -> None:
        self._is_merging, self._singles = True, 0

    def _read_ancillary(self, ancillary: Sequence[tuple[int, int, bytes]], length: int) -> int:
        """Note the drop counter. Return the size of the packets that the kernel merged into this datagram."""
        if ancillary != self._ancillary:
            self._ancillary = ancillary
            self._segment, drops, self._is_marked = read_ancillary(ancillary)
            self.statistics.kernel_drops = drops or self.statistics.kernel_drops
        segment = self._segment or length
        if self._is_marked:
            self.statistics.marked += -(-length // segment) if segment else 0
        return segment

    def _take(self, vector: list[BytesLike], length: int, segment: int, source: Address, now: float) -> None:
        """Take a datagram of one or more packets. Those that do not continue a run are examined one by one."""
        if length > segment:
            self._note_merged()
        elif length == self._packet_bytes:
            self._is_merging = False
        if length > segment and self._headers[_TAG] != self._packed_tag:
            self.statistics.strange += -(-length // segment)  # merged packets have one sender and one session
        else:
            self._take_packets(vector, length, segment, source, now)

    def _take_packets(self, vector: list[BytesLike], length: int, segment: int, source: Address, now: float) -> None:
        """Take packets that arrived together."""
        packets = -(-length // segment) if segment else 0
        at = 0
        if segment == self._packet_bytes or (packets == 1 and length <= self._packet_bytes):
            at = self._take_in_order(packets, length - (packets - 1) * segment - HEADER_BYTES, now)
        if at < packets:
            pieces = 2 * -(-length // self._packet_bytes)
            data = memoryview(b"".join(vector[:pieces]))[:length]  # a copy, as storing may overwrite packets
            for start in range(at * segment, length, segment):
                self._take_packet(data[start : start + segment], source, now)

    def _take_foreign(self, vector: list[BytesLike], length: int, segment: int, source: Address) -> None:
        """Take a datagram that is not from our caster's address.

        Only a status can be authentic then: it was forwarded, or the caster has moved. All other packets are dropped.
        """
        packets = -(-length // segment) if segment else 1
        kind = self._headers[_KIND_AT]
        if packets > 1 or kind != Kind.STATUS or self._headers[_TAG] != self._packed_tag or not self._foreign_left:
            self.statistics.foreign += packets
            return
        self._foreign_left -= 1
        pieces = 2 * -(-length // self._packet_bytes)
        self._take_control(b"".join(vector[:pieces])[:length], source)

    def _take_in_order(self, packets: int, last_bytes: int, now: float) -> int:
        """Return how many of the packets just received are where they belong. They become part of runs.

        last_bytes: payload of the last packet; all others are full.
        """
        landing, at = self._next, 0
        while at < packets:
            is_page_place = at == landing == 0 or (landing > 0 and at + landing == self._page_packets)
            if self._header is None and not (is_page_place and self._begin(at)):
                break
            number = min(packets - at, self._count - self._next)
            expected = self._expected * number
            expected[_INDEX_AT::HEADER_BYTES] = _INDICES[self._next : self._next + number]
            if not self._headers.startswith(expected, at * HEADER_BYTES):
                break
            payload = last_bytes if at + number == packets else self._slice_bytes
            if payload != self._payload_bytes(self._next + number - 1):
                break
            self._go_on(number, now)
            at += number
        return at

    def _begin(self, at: int) -> bool:
        """Start a run with the packet at header `at`, if it is the first of a page. Return whether it is."""
        packed = self._headers[at * HEADER_BYTES : (at + 1) * HEADER_BYTES]
        header = unpack_header(packed)
        return header is not None and header.packet_index == 0 and self._start_run(header, packed)

    def _start_run(self, header: Header, packed: BytesLike) -> bool:
        """Start an empty run before this packet. Return False if it is not a possible packet of a page."""
        if self._is_aside:
            header = header._replace(tx=0)
        count = header.packet_count
        length = self._opener.sealed_length(header.object, header.page, count)
        if (
            header.kind != Kind.PAGE
            or header.session_tag != self._session_tag
            or header.tx > self._tx_limit
            or not length
            or header.packet_index >= count
        ):
            return False
        self._header = header
        self._expected[:] = packed
        self._first = self._next = header.packet_index
        self._count = count
        self._last_bytes = length - (count - 1) * self._slice_bytes
        return True

    def _payload_bytes(self, index: int) -> int:
        """Return the payload size of packet `index` of the run's page."""
        return self._last_bytes if index == self._count - 1 else self._slice_bytes

    def _go_on(self, number: int, now: float) -> None:
        """Extend the run by `number` packets that are in the slot already."""
        self._next += number
        if self._next == self._count:
            self.end_run(now)
        else:
            self._expected[_INDEX_AT] = self._next

    def _tell(self, header: Header, now: float) -> bool:
        """Report the run packet by packet. Return whether its slot was kept."""
        is_kept, is_alone = False, self._next == self._first + 1
        for index in range(self._first, self._next):
            payload = self._slot.slices[index][: self._payload_bytes(index)]
            is_kept = self._opener.take_packet(header, index, payload, self._slot, now, is_doubtful=is_alone)
        return is_kept

    def _renew_slot(self, is_kept: bool) -> None:
        """Continue in the spare slot, because the kernel may already have put packets there."""
        self._slot, self._spare = self._spare, self._slots.take() if is_kept else self._slot

    def _take_packet(self, packet: memoryview, source: Address, now: float) -> None:
        header = unpack_header(packet)
        if header is None or header.session_tag != self._session_tag:
            self.statistics.strange += 1
        elif header.kind == Kind.PAGE:
            self._take_page_packet(header, packet, now)
        elif header.kind == Kind.CODED:
            self._take_coded(header, packet[HEADER_BYTES:], now)
        else:
            self._take_control(bytes(packet), source)

    def _take_page_packet(self, header: Header, packet: memoryview, now: float) -> None:
        """Take a page's packet from anywhere in memory. It may continue the run after a gap."""
        index, payload = header.packet_index, packet[HEADER_BYTES:]
        run = self._header
        self._expected[_INDEX_AT] = index
        if run is not None and index >= self._next and packet[:HEADER_BYTES] == self._expected:
            if index > self._next:
                self._renew_slot(self._tell(run, now))
                self._first = self._next = index
        else:
            self.end_run(now)
            if not self._start_run(header, packet[:HEADER_BYTES]):
                self.statistics.strange += 1
                return
        if len(payload) != self._payload_bytes(index):
            self.statistics.strange += 1
            self.end_run(now)
            return
        self._slot.slices[index][: len(payload)] = payload
        self._go_on(1, now)

    def _take_coded(self, header: Header, payload: memoryview, now: float) -> None:
        self.end_run(now)
        if self._is_aside:
            header = header._replace(tx=0)
        if header.tx > self._tx_limit:
            self.statistics.strange += 1
            return
        self.tx_seen = max(self.tx_seen, header.tx)
        self._renew_slot(self._opener.take_coded(header, payload, self._slot, now))
