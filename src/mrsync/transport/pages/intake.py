"""Receive the datagrams of a catcher's socket with as little work per packet as possible.

Packets of a page usually arrive in order, either one by one or merged by the kernel (UDP_GRO). So we predict where the
next ones belong and let the kernel write them there: recvmsg gets a vector of header buffers and slices of a slot. If
the headers turn out as predicted, the payload is in place without a copy, as part of a `PacketRun`. Merged packets then
need no Python each. Where the kernel merges none, many are received with one call instead (`BatchReceiver`), and
examined as if merged.

A datagram that does not continue the run is copied out of the vector before its packets are stored, because storing one
of them may overwrite the next.

Nothing here is authenticated: seals are checked for whole pages only. So packets count only if they come from the
address of authentic statuses (or of the assigned parent), and if their tx is at most TX_AHEAD_MAX above authentic
ones. Otherwise a forged tx could make all current pages look lost. See `Senders`.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from typing import Callable

from mrsync.transport.network.batches import Ancillary, BatchReceiver
from mrsync.transport.network.mailbox import ANCILLARY_BYTES, read_ancillary
from mrsync.transport.network.paths import Address
from mrsync.transport.network.stamps import LastArrival
from mrsync.transport.pages.opener import PageOpener
from mrsync.transport.pages.packet_run import INDEX_AT, PacketRun
from mrsync.transport.pages.senders import Senders
from mrsync.transport.pages.slots import Slots
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import BytesLike, Header, unpack_header
from mrsync.wire.limits import HEADER_BYTES
from mrsync.wire.messages import Kind

TakeControl = Callable[[bytes, Address], None]

BYTES_PER_DRAIN = 512 << 10  # little enough that pages are still in the processor's cache when they are written
DATAGRAM_COUNTS_AS = 1024  # minimum per datagram, so that many small ones do not keep the loop busy
FOREIGN_MESSAGES_PER_DRAIN = 16  # of each kind; limit for opening messages from other addresses, a seal each

SINGLES_MIN = 8  # unmerged packets in a row, after which many are received at once

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

    session_tag: of the headers of packets that count. senders: the addresses whose datagrams count. clock: on
    which the kernel is asked when each page arrived; None: it is not. Only a session that leaves others their share
    needs that.
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
        clock: Callable[[], float] | None,
    ) -> None:
        self.statistics = IntakeStatistics()
        self.senders = Senders()
        self._socket = opened
        self._arrival = LastArrival(opened, clock) if clock is not None else None
        self._run = PacketRun(geometry, session_tag, opener, slots, self.senders, self._arrival)
        self._ancillary: Sequence[tuple[int, int, bytes]] = ()  # of the last datagram, and what it says
        self._segment, self._is_marked = 0, False
        self._session_tag = session_tag
        self._packed_tag = session_tag.to_bytes(4, "big")
        self._opener = opener
        self._take_control = take_control
        self._geometry = geometry
        self._packet_bytes = HEADER_BYTES + geometry.slice_bytes
        self._is_merging = True  # the kernel merged the last datagrams
        self._singles = 0  # packets since the last merged ones
        self._batch: BatchReceiver | None = None
        self._foreign_taken: Counter[int] = Counter()  # in this drain, by kind

    @property
    def is_midway(self) -> bool:
        """Whether a run has packets that the state machine has not heard of. Call `end_run` to report them."""
        return self._run.header is not None

    def arrived_at(self, now: float) -> float:
        """Return when the last datagram arrived, or the present time if the kernel was not asked."""
        return min(now, self._arrival.read()) if self._arrival is not None else now

    def end_run(self, now: float) -> None:
        """Report all packets of the current run to the state machine."""
        self._run.end(now)

    def drain(self, now: float) -> bool:
        """Receive until the socket is empty (return False) or BYTES_PER_DRAIN were taken (return True)."""
        receive = self._socket.recvmsg_into
        if self._arrival is not None:
            self._arrival.set_clock()
        run, packet_bytes, is_stranger = self._run, self._packet_bytes, self.senders.is_stranger
        headers = run.headers
        taken = 0
        self._foreign_taken.clear()
        while taken < BYTES_PER_DRAIN:
            if self._singles >= SINGLES_MIN and (batch := self._batch_receiver()) is not None:
                number, size = self._take_batch(batch, now)
                taken += size
                if number < batch.most:
                    self.statistics.bytes += taken
                    return False
                continue
            vector = run.vector() if self._is_merging else run.vector_of_one()
            try:
                length, ancillary, _, source = receive(vector, ANCILLARY_BYTES)
            except BlockingIOError:
                self.statistics.bytes += taken
                return False
            taken += max(length, DATAGRAM_COUNTS_AS)
            segment = self._read_ancillary(ancillary, length) if ancillary else length
            if is_stranger(source):
                self._take_foreign(vector, length, segment, source)
                continue
            is_single = length == segment == packet_bytes
            self._singles += is_single
            if is_single and run.header is not None and headers.startswith(run.expected):
                run.go_on(1, now)
            else:
                self._take(vector, length, segment, source, now)
        self.statistics.bytes += taken
        return True

    def _batch_receiver(self) -> BatchReceiver | None:
        """Return what receives many datagrams at once. None: it does not work here, and is not tried again soon."""
        if self._batch is None:
            self._batch = BatchReceiver.of(
                self._socket, self._run.headers, self._geometry.slice_bytes, self._geometry.packets
            )
            self._singles = 0 if self._batch is None else self._singles
        return self._batch

    def _take_batch(self, batch: BatchReceiver, now: float) -> tuple[int, int]:
        """Receive many datagrams. Return their number, which is less than most if no more are there, and a size."""
        run = self._run
        try:
            number = batch.receive(run.slot.view, run.spare.view, run.next)
        except BlockingIOError:
            return 0, 0
        runs = batch.runs(number)
        alike = runs[0][1] if batch.is_full(0) else 0
        if self.senders.is_stranger(batch.source(0)) or (run.header is None and run.headers[INDEX_AT]):
            alike = 0  # not where they belong
        rest = [self._copy(batch, first, end) for first, end in runs if first >= alike]
        size = alike * self._packet_bytes
        if alike:
            self._read_ancillary(batch.ancillary(0), self._packet_bytes)
            self.statistics.marked += (alike - 1) * self._is_marked
            self._take_packets(run.vector(), size, self._packet_bytes, batch.source(0), now)
        for copied in rest:  # copied before, as taking packets may overwrite others
            size += self._take_run(*copied, now)
        return number, size

    def _copy(self, batch: BatchReceiver, first: int, end: int) -> tuple[list[bytes], bytes, Ancillary, Address]:
        """Return copies of datagrams [first, end) of a batch: one by one, or else their headers, and their slices."""
        ancillary, source = batch.ancillary(first), batch.source(first)
        if end == first + 1 or self.senders.is_stranger(source):
            return [batch.datagram(at) for at in range(first, end)], b"", ancillary, source
        headers, slices = batch.copy(first, end)
        return [headers], slices, ancillary, source

    def _take_run(self, copies: list[bytes], slices: bytes, ancillary: Ancillary, source: Address, now: float) -> int:
        """Take copied datagrams. Slices are put where they would have been received. Return a size."""
        if not slices:
            for datagram in copies:
                self._take_copied(datagram, ancillary, source, now)
            return sum(max(len(datagram), DATAGRAM_COUNTS_AS) for datagram in copies)
        run, packed = self._run, copies[0]
        self.senders.is_stranger(source)
        header = unpack_header(packed[:HEADER_BYTES])
        if run.header is None and header is not None:
            run.start(header, packed[:HEADER_BYTES])  # in the middle of a page, after a control message
        run.place(packed, slices)
        self._read_ancillary(ancillary, self._packet_bytes)
        number = len(slices) // self._geometry.slice_bytes
        self.statistics.marked += (number - 1) * self._is_marked
        size = number * self._packet_bytes
        self._take_packets(run.vector(), size, self._packet_bytes, source, now)
        return size

    def _take_copied(
        self, datagram: bytes, ancillary: Sequence[tuple[int, int, bytes]], source: Address, now: float
    ) -> None:
        """Take a datagram of one or more packets that is not in a slot."""
        segment = self._read_ancillary(ancillary, len(datagram))
        if self.senders.is_stranger(source):
            self._run.headers[:HEADER_BYTES] = datagram[:HEADER_BYTES].ljust(HEADER_BYTES, b"\0")
            self._take_foreign([datagram], len(datagram), segment, source)
            return
        if len(datagram) > segment:
            self._note_merged()
        for start in range(0, len(datagram), segment or 1):
            self._take_packet(memoryview(datagram)[start : start + segment], source, now)

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
        if length > segment and self._run.headers[_TAG] != self._packed_tag:
            self.statistics.strange += -(-length // segment)  # merged packets have one sender and one session
        else:
            self._take_packets(vector, length, segment, source, now)

    def _take_packets(self, vector: list[BytesLike], length: int, segment: int, source: Address, now: float) -> None:
        """Take packets that arrived together."""
        packets = -(-length // segment) if segment else 0
        at = 0
        if segment == self._packet_bytes or (packets == 1 and length <= self._packet_bytes):
            at = self._run.take_in_order(packets, length - (packets - 1) * segment - HEADER_BYTES, now)
        if at < packets:
            pieces = 2 * -(-length // self._packet_bytes)
            data = memoryview(b"".join(vector[:pieces]))[:length]  # a copy, as storing may overwrite packets
            for start in range(at * segment, length, segment):
                self._take_packet(data[start : start + segment], source, now)

    def _take_foreign(self, vector: list[BytesLike], length: int, segment: int, source: Address) -> None:
        """Take a datagram that is from no known address.

        Only a status can be authentic then, which was forwarded or comes from a caster that has moved, or a claim of a
        child in our island. All other packets are dropped.
        """
        packets = -(-length // segment) if segment else 1
        kind = self._run.headers[_KIND_AT]
        is_message = packets == 1 and self.senders.may_speak(kind) and self._run.headers[_TAG] == self._packed_tag
        if not is_message or self._foreign_taken[kind] >= FOREIGN_MESSAGES_PER_DRAIN:
            self.statistics.foreign += packets
            return
        self._foreign_taken[kind] += 1
        pieces = 2 * -(-length // self._packet_bytes)
        self._take_control(b"".join(vector[:pieces])[:length], source)

    def _take_packet(self, packet: memoryview, source: Address, now: float) -> None:
        header = unpack_header(packet)
        if header is None or header.session_tag != self._session_tag:
            self.statistics.strange += 1
        elif header.kind == Kind.PAGE:
            self.statistics.strange += not self._run.take(header, packet, now)
        elif header.kind == Kind.CODED:
            self._take_coded(header, packet[HEADER_BYTES:], now)
        else:
            self._take_control(bytes(packet), source)

    def _take_coded(self, header: Header, payload: memoryview, now: float) -> None:
        run, senders = self._run, self.senders
        run.end(now)
        if senders.is_aside:
            header = header._replace(tx=0)
        if header.tx > senders.tx_limit:
            self.statistics.strange += 1
            return
        senders.tx_seen = max(senders.tx_seen, header.tx)
        run.renew_slot(self._opener.take_coded(header, payload, run.slot, now))
