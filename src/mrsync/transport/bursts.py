"""Sending: one page, or the coded packets of one send, as one kernel burst (UDP_SEGMENT); no payload is copied."""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from mrsync.errors import SocketError
from mrsync.transport.multicast import UDP_SEGMENT
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import BytesLike, Header, pack_header, page_headers
from mrsync.wire.limits import BURST_BYTES_MAX, CASTER_ID, HEADER_BYTES, PACKETS_PER_PAGE_MAX
from mrsync.wire.messages import Kind
from mrsync.wire.terms import encode_terms

Address = tuple[str, int]
Burst = tuple[list[BytesLike], int, Address]  # header, payload, header ...; bytes of a packet; destination
Slice = tuple[int, int, BytesLike]  # page, packet index, bytes of the packet behind its header

_INDICES = bytes(range(PACKETS_PER_PAGE_MAX))
_SEGMENT_SIZE = struct.Struct("=H")
_NO_SEGMENTATION = frozenset((errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT))
_LOST_ON_THE_WAY = frozenset(
    (errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH)
)


@dataclass
class BurstStatistics:
    """What went out, and the sends whose packets were lost on this host already, with the last reason."""

    packets: int = 0
    bytes: int = 0
    would_blocks: int = 0
    failures: int = 0
    last_failure: str = ""


class BurstSender:
    """Puts pages, coded packets and messages on the wire.

    When the local queue is full, a send waits inside and False is returned: call `flush` when the socket is writable.
    """

    def __init__(self, opened: socket.socket, group: Address, geometry: Geometry, session_tag: int) -> None:
        self.statistics = BurstStatistics()
        self.is_segmenting = True
        self._socket = opened
        self._group = group
        self._slice_bytes = geometry.slice_bytes
        self._session_tag = session_tag
        self._waiting: deque[Burst] = deque()
        self._renew_headers()

    def send_page(
        self, slices: Sequence[BytesLike], *, object: int, page: int, generation: int, tx: int, mask: int = 0
    ) -> bool:
        """Cast the packets of a page whose bits are set in mask (0: all); False when they wait.

        slices: the sealed page, cut into packets.
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
        )
        self._headers[: len(headers)] = headers
        pieces: list[BytesLike] = [b""] * (2 * len(indices))
        pieces[0::2] = self._header_views[: len(indices)]
        pieces[1::2] = [slices[index] for index in indices] if mask else slices
        if self._send(pieces, HEADER_BYTES + self._slice_bytes, self._group):
            return True
        self._renew_headers()  # the burst that waits keeps the old ones
        return False

    def _renew_headers(self) -> None:
        """Room for the headers of a burst, cut into views once: 44 of them cost as much as sealing half a page."""
        self._headers = memoryview(bytearray(PACKETS_PER_PAGE_MAX * HEADER_BYTES))
        starts = range(0, len(self._headers), HEADER_BYTES)
        self._header_views = [self._headers[at : at + HEADER_BYTES] for at in starts]

    def send_coded(self, combinations: Sequence[Sequence[Slice]], *, object: int, generation: int, tx: int) -> bool:
        """Cast one packet for each combination, the XOR of its slices; False when some wait.

        All pages of the slices were sealed with this generation.
        """
        for _, alike in groupby(sorted(combinations, key=len), key=len):  # a burst's packets have one size
            pieces: list[BytesLike] = []
            for slices in alike:
                pieces += self._coded_packet(sorted(slices, key=_term), object, generation, tx)
            packet_bytes = HEADER_BYTES + len(pieces[1])
            pieces_max = 2 * min(PACKETS_PER_PAGE_MAX, BURST_BYTES_MAX // packet_bytes)
            for first in range(0, len(pieces), pieces_max):
                self._waiting.append((pieces[first : first + pieces_max], packet_bytes, self._group))
        return self.flush()

    def send_message(self, datagram: bytes, address: Address | None = None) -> bool:
        """Send one control datagram to a target, or to the group; False when it waits."""
        return self._send([datagram[:HEADER_BYTES], datagram[HEADER_BYTES:]], len(datagram), address or self._group)

    def flush(self) -> bool:
        """Send what waits; True when nothing waits any more.

        Raises SocketError when the kernel will never send such packets.
        """
        while self._waiting:
            pieces, packet_bytes, address = self._waiting[0]
            try:
                self._transmit(pieces, packet_bytes, address)
            except BlockingIOError:
                self.statistics.would_blocks += 1
                return False
            except OSError as error:
                if self.is_segmenting and len(pieces) > 2 and error.errno in _NO_SEGMENTATION:
                    self._stop_segmenting()
                    continue
                self._note_failure(error, packet_bytes)
            self._waiting.popleft()
        return True

    def _send(self, pieces: list[BytesLike], packet_bytes: int, address: Address) -> bool:
        if len(pieces) > 2 and not self.is_segmenting:
            self._waiting.extend(_single_packets((pieces, packet_bytes, address)))
        else:
            self._waiting.append((pieces, packet_bytes, address))
        return self.flush()

    def _transmit(self, pieces: list[BytesLike], packet_bytes: int, address: Address) -> None:
        segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, _SEGMENT_SIZE.pack(packet_bytes))] if len(pieces) > 2 else ()
        self.statistics.bytes += self._socket.sendmsg(pieces, segment, 0, address)
        self.statistics.packets += len(pieces) // 2

    def _stop_segmenting(self) -> None:
        """From now on packets go one by one, for the kernel or the device cannot cut bursts."""
        self.is_segmenting = False
        waiting, self._waiting = self._waiting, deque()
        for burst in waiting:
            self._waiting.extend(_single_packets(burst))

    def _note_failure(self, error: OSError, packet_bytes: int) -> None:
        if error.errno not in _LOST_ON_THE_WAY:
            raise SocketError(f"cannot send packets of {packet_bytes} bytes: {error.strerror}") from error
        self.statistics.failures += 1
        self.statistics.last_failure = error.strerror or str(error)

    def _coded_packet(
        self, slices: Sequence[Slice], object: int, generation: int, tx: int
    ) -> tuple[BytesLike, BytesLike]:
        terms = tuple((page, index) for page, index, _ in slices)
        header = Header(
            kind=Kind.CODED,
            packet_index=terms[0][1],
            packet_count=len(terms),
            object=object,
            segment=0,
            session_tag=self._session_tag,
            generation=generation,
            sender=CASTER_ID,
            page=terms[0][0],
            tx=tx,
        )
        return pack_header(header), encode_terms(terms) + xor_slices([data for _, _, data in slices], self._slice_bytes)


def xor_slices(slices: Sequence[BytesLike], slice_bytes: int) -> bytes:
    """XOR of slices, shorter ones padded with zeros to slice_bytes."""
    total = 0
    for data in slices:
        total ^= int.from_bytes(data, "little")  # little-endian: padding changes nothing
    return total.to_bytes(slice_bytes, "little")


def _term(part: Slice) -> tuple[int, int]:
    return part[0], part[1]


def _single_packets(burst: Burst) -> list[Burst]:
    pieces, packet_bytes, address = burst
    return [(pieces[at : at + 2], packet_bytes, address) for at in range(0, len(pieces), 2)]
