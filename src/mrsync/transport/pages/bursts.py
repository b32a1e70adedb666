"""Send a page, or the coded packets of one plan, as one kernel burst (UDP_SEGMENT) without copying payload.

A BurstSender makes bursts for all paths. An Outlet sends those of one socket, and queues what that cannot take yet.
"""

from __future__ import annotations

import enum
import errno
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Callable

from mrsync.errors import SocketError
from mrsync.transport.network.multicast import UDP_SEGMENT
from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.pages.coded_packets import Slice, coded_packet
from mrsync.wire.header import BytesLike, page_headers
from mrsync.wire.limits import BURST_BYTES_MAX, CASTER_ID, HEADER_BYTES, PACKETS_PER_PAGE_MAX


class Purpose(enum.Enum):
    """The purpose by which a burst is counted."""

    FIRST = "first"  # a first send, or a message
    REPAIR = "repair"  # packets that are sent again as they are
    CODED = "coded"  # each repairs several packets


# Pieces: header, payload, header, payload, ...; the size of all packets but the last, which may be shorter; purpose.
Part = tuple[list[BytesLike], int, Purpose]
Burst = tuple[Part, Path]

PART_S = 0.0005  # packets that are spread leave in parts of about this time
SINGLE_PACKETS = 4096  # sent one by one after the kernel refused segmentation, before it is asked again
AT_ONCE_MIN = 8  # packets that may follow at once within a page; a busy host would send one each time that it wakes up

_INDICES = bytes(range(PACKETS_PER_PAGE_MAX))
_SEGMENT_SIZE = struct.Struct("=H")
_NO_SEGMENTATION = frozenset((errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT))
_LOST_HERE = (errno.ENOBUFS, errno.ENOMEM, errno.EPERM)
_LOST_ON_THE_WAY = frozenset(  # errors that are treated as packet loss, as other paths may still work
    (*_LOST_HERE, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENODEV)
)


class BurstSender:
    """Send pages, coded packets and messages. Those for the group go out on every path.

    Packets that do not fit into a socket's queue wait inside, and the method returns False. Call `flush` when one of
    `blocked` is writable. While gap_s is set, the packets of pages leave that many seconds apart, copies counted, in
    small parts. Parts that are not due yet wait inside, too; call `release` at the time that it returned last.

    sockets: all sockets to send from. paths: the initial paths. session_tag, sender: for the headers of packets.
    slice_bytes: bytes of a page in one packet. clock: for `left_at`.
    """

    def __init__(
        self,
        sockets: Iterable[socket.socket],
        paths: Iterable[Path],
        session_tag: int,
        *,
        slice_bytes: int = 0,
        sender: int = CASTER_ID,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.outlets = {opened: Outlet(opened, clock) for opened in sockets}
        self._paths = deque(paths)
        self.is_group_heard = True  # whether some target receives pages from the group
        self.slice_bytes = slice_bytes  # must be set before the first coded packet
        self.gap_s = 0.0
        self._is_first = True  # whether the next part begins a page
        self.late_s = 0.0  # for so long, packets may follow at once when a timer was late
        self._spread: deque[Part] = deque()  # parts of pages that are not due yet
        self._due_at = 0.0  # the next part
        self._session_tag = session_tag
        self._id = sender
        self._renew_headers()

    @property
    def statistics(self) -> BurstStatistics:
        """Counters of everything sent, on all paths."""
        return BurstStatistics.total(
            statistics for outlet in self.outlets.values() for statistics in outlet.statistics.values()
        )

    def statistics_of(self, kind: PathKind) -> BurstStatistics:
        """Return the counters of paths of this kind."""
        return BurstStatistics.total(outlet.statistics[kind] for outlet in self.outlets.values())

    @property
    def left_at(self) -> float:
        """When the kernel got the last packets. They left then or later, never before."""
        return max((outlet.left_at for outlet in self.outlets.values()), default=0.0)

    def add_path(self, path: Path) -> None:
        """Also send packets for the group on this path, from the next one on. Its socket must be one of ours."""
        if path not in self._paths:
            self._paths.append(path)

    def remove_path(self, path: Path) -> None:
        """Stop sending packets for the group on this path, and drop those that wait for it."""
        self._paths.remove(path)
        self.outlets[path.socket].forget(path)
        if not self._paths:
            self._spread.clear()

    def send_page(
        self,
        slices: Sequence[BytesLike],
        *,
        object: int,
        page: int,
        generation: int,
        tx: int,
        mask: int = 0,
        purpose: Purpose = Purpose.FIRST,
    ) -> bool:
        """Send packets of a page. Return False if some wait. Raise SocketError.

        mask: bit set of their indices; 0: all.
        slices: the sealed page, cut into the payloads of its packets, all of one size but the last.
        object, page, generation, tx: for their headers.
        """
        count = len(slices)
        indices = bytes(index for index in range(count) if mask >> index & 1) if mask else _INDICES[:count]
        headers = page_headers(
            session_tag=self._session_tag,
            object=object,
            page=page,
            generation=generation,
            count=count,
            tx=tx,
            indices=indices,
            sender=self._id,
        )
        self._headers[: len(headers)] = headers
        pieces: list[BytesLike] = [b""] * (2 * len(indices))
        pieces[0::2] = self._header_views[: len(indices)]
        pieces[1::2] = [slices[index] for index in indices] if mask else slices
        if self._cast((pieces, HEADER_BYTES + len(slices[0]), purpose), is_page=True):
            return True
        self._renew_headers()  # the waiting burst still refers to the old buffer
        return False

    def _renew_headers(self) -> None:
        """Make a buffer for the headers of a burst, cut into views.

        The views are kept, because making 44 of them takes as long as sealing half a page.
        """
        self._headers = memoryview(bytearray(PACKETS_PER_PAGE_MAX * HEADER_BYTES))
        starts = range(0, len(self._headers), HEADER_BYTES)
        self._header_views = [self._headers[at : at + HEADER_BYTES] for at in starts]

    def send_coded(self, combinations: Sequence[Sequence[Slice]], *, object: int, generation: int, tx: int) -> bool:
        """Send one packet for each combination: the XOR of its slices. Return False if some wait. Raise SocketError.

        combinations: two or more (page, index, payload) each, of pages of this object that were sealed with this
        generation. tx: of the burst of all of them.
        """
        is_sent = True
        for _, alike in groupby(sorted(combinations, key=len), key=len):  # all packets of a burst have the same size
            pieces: list[BytesLike] = []
            for slices in alike:
                pieces += coded_packet(
                    slices, self.slice_bytes, session_tag=self._session_tag, object=object, generation=generation, tx=tx
                )
            packet_bytes = HEADER_BYTES + len(pieces[1])
            pieces_max = 2 * min(PACKETS_PER_PAGE_MAX, BURST_BYTES_MAX // packet_bytes)
            for first in range(0, len(pieces), pieces_max):
                is_sent &= self._cast((pieces[first : first + pieces_max], packet_bytes, Purpose.CODED), is_page=True)
        return is_sent

    def send_message(self, datagram: bytes, path: Path | None = None) -> bool:
        """Send a control datagram on one path, or to the group. Return False if it waits."""
        part: Part = ([datagram[:HEADER_BYTES], datagram[HEADER_BYTES:]], len(datagram), Purpose.FIRST)
        if path is None:
            return self._cast(part, is_page=False)
        return self.outlets[path.socket].send((part, path))

    def flush(self) -> bool:
        """Send waiting packets. Return True if none are left. Raise SocketError."""
        return all([outlet.flush() for outlet in self.outlets.values()])

    @property
    def blocked(self) -> set[socket.socket]:
        """The sockets for which packets wait."""
        return {opened for opened, outlet in self.outlets.items() if outlet.is_blocked}

    def _cast(self, part: Part, *, is_page: bool) -> bool:
        """Send a burst on every path, or keep it for `release`."""
        if is_page and self.gap_s:
            self._spread.extend(_split(part, self._part_packets))
            return False
        return self._send_on_paths(part, is_page=is_page)

    @property
    def is_spreading(self) -> bool:
        """Whether parts of pages wait for their time."""
        return bool(self._spread)

    @property
    def _part_packets(self) -> int:
        """Number of packets of a page that leave at once."""
        return max(1, int(PART_S / self.gap_s / self._copies))

    @property
    def _copies(self) -> int:
        return max(1, sum(path.kind is not PathKind.RELAYED for path in self._paths))

    def release(self, now: float) -> float | None:
        """Send the parts that are due. Return when the next one is; None if none waits."""
        while self._spread and now >= self._due_at and not self.blocked:
            part = self._spread.popleft()
            before = self.statistics.packets
            self._send_on_paths(part, is_page=True)
            part_s = (self.statistics.packets - before) * self.gap_s
            at_once_s = 0.0 if self._is_first else AT_ONCE_MIN * self._copies * self.gap_s
            self._due_at = max(self._due_at, now - max(self.late_s, at_once_s)) + part_s
            self._is_first = not self._spread
        return self._due_at if self._spread else None

    def _send_on_paths(self, part: Part, *, is_page: bool) -> bool:
        """Send a burst on every path. Pages go to the group only while some target receives it."""
        is_sent = True
        self._paths.rotate()  # so that a short queue on the way does not always drop the copy of the same path
        for path in self._paths:
            if is_page and (path.kind is PathKind.RELAYED or self._is_unheard(path)):
                continue
            is_sent &= self.outlets[path.socket].send((part, path))
        return is_sent

    def _is_unheard(self, path: Path) -> bool:
        return path.kind is PathKind.MULTICAST and not self.is_group_heard

    def keep_waiting(self) -> None:
        """Copy waiting packets, because the memory that they refer to may be reused."""
        for outlet in self.outlets.values():
            outlet.copy_waiting()
        self._spread = deque(map(_copied, self._spread))


class BurstStatistics:
    """Counts of what was sent, and of sends that failed on this host, with the last reason."""

    packets: int = 0
    bytes: int = 0
    packets_repaired: int = 0  # part of packets; in bytes: bytes_repaired
    bytes_repaired: int = 0
    packets_coded: int = 0  # part of packets_repaired
    packet_bytes_max: int = 0  # of the largest packet that was sent
    would_blocks: int = 0
    failures: int = 0
    last_failure: str = ""

    @classmethod
    def total(cls, parts: Iterable[BurstStatistics]) -> BurstStatistics:
        whole = cls()
        for part in parts:
            whole.packets += part.packets
            whole.bytes += part.bytes
            whole.packets_repaired += part.packets_repaired
            whole.bytes_repaired += part.bytes_repaired
            whole.packets_coded += part.packets_coded
            whole.packet_bytes_max = max(whole.packet_bytes_max, part.packet_bytes_max)
            whole.would_blocks += part.would_blocks
            whole.failures += part.failures
            whole.last_failure = part.last_failure or whole.last_failure
        return whole


class Outlet:
    """The bursts of one socket in order. They are sent at once, or when the socket has room again.

    left_at: the clock's time right before the last call of the kernel. Another program may get the processor during
    this call. A later time would make round trips shorter than the path.
    """

    def __init__(self, opened: socket.socket, clock: Callable[[], float]) -> None:
        self.is_segmenting = True
        self.left_at = 0.0
        self._clock = clock
        self.statistics = {kind: BurstStatistics() for kind in PathKind}
        self._socket = opened
        self._singles = 0  # packets sent one by one since the kernel refused segmentation
        self._waiting: deque[Burst] = deque()

    @property
    def is_blocked(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    def send(self, burst: Burst) -> bool:
        """Send a burst after what waits. Return False if it waits too; then call `flush` when the socket is writable.

        Raise SocketError as `flush` does.
        """
        packets = len(burst[0][0]) // 2
        if packets > 1 and not self.is_segmenting:
            self._waiting.extend(_single_packets(burst))
            self._singles += packets
            self.is_segmenting = self._singles >= SINGLE_PACKETS
        else:
            self._waiting.append(burst)
        return self.flush()

    def flush(self) -> bool:
        """Send what waits. Return True if nothing waits any longer.

        Raise SocketError if the kernel has never sent packets of this size to the group, and will not.
        """
        while self._waiting:
            part, path = self._waiting[0]
            pieces, packet_bytes, _ = part
            try:
                self._transmit(part, path)
            except BlockingIOError:
                self.statistics[path.kind].would_blocks += 1
                return False
            except OSError as error:
                if self.is_segmenting and len(pieces) > 2 and error.errno in _NO_SEGMENTATION:
                    self._stop_segmenting()
                    continue
                self._note_failure(error, packet_bytes, path)
            self._waiting.popleft()
        return True

    def copy_waiting(self) -> None:
        """Copy what waits into memory of its own."""
        self._waiting = deque((_copied(part), path) for part, path in self._waiting)

    def forget(self, path: Path) -> None:
        """Drop what waits for this path."""
        self._waiting = deque(burst for burst in self._waiting if burst[1] != path)

    def _transmit(self, part: Part, path: Path) -> None:
        pieces, packet_bytes, purpose = part
        segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, _SEGMENT_SIZE.pack(packet_bytes))] if len(pieces) > 2 else ()
        statistics = self.statistics[path.kind]
        self.left_at = self._clock()
        size = self._socket.sendmsg(pieces, segment, 0, path.address)
        packets = len(pieces) // 2
        statistics.bytes += size
        statistics.packets += packets
        if purpose is not Purpose.FIRST:
            statistics.bytes_repaired += size
            statistics.packets_repaired += packets
            statistics.packets_coded += packets if purpose is Purpose.CODED else 0
        if packet_bytes > statistics.packet_bytes_max:
            statistics.packet_bytes_max = packet_bytes

    def _stop_segmenting(self) -> None:
        """Send packets one by one for a while, because the kernel or the device does not support UDP_SEGMENT now."""
        self.is_segmenting = False
        self._singles = 0
        waiting, self._waiting = self._waiting, deque()
        for burst in waiting:
            self._waiting.extend(_single_packets(burst))

    def _note_failure(self, error: OSError, packet_bytes: int, path: Path) -> None:
        # Only the group's path can stop all. Other addresses come from targets, which may say what they like. What it
        # has sent before counts as lost: another path may still work, and this one may again (an MTU that changes).
        statistics = self.statistics[path.kind]
        is_new = packet_bytes > statistics.packet_bytes_max
        if path.kind is PathKind.MULTICAST and is_new and error.errno not in _LOST_ON_THE_WAY:
            raise SocketError(f"cannot send packets of {packet_bytes} bytes: {error.strerror}") from error
        statistics.failures += 1
        statistics.last_failure = error.strerror or str(error)


def _single_packets(burst: Burst) -> list[Burst]:
    part, path = burst
    return [(single, path) for single in _split(part, 1)]


def _split(part: Part, packets: int) -> list[Part]:
    """Return a burst as bursts of this many packets."""
    pieces, packet_bytes, purpose = part
    return [(pieces[at : at + 2 * packets], packet_bytes, purpose) for at in range(0, len(pieces), 2 * packets)]


def _copied(part: Part) -> Part:
    pieces, packet_bytes, purpose = part
    return [bytes(piece) for piece in pieces], packet_bytes, purpose
