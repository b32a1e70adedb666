"""Sending: one page, or the coded packets of one send, as one kernel burst (UDP_SEGMENT); no payload is copied."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby

from mrsync.transport.paths import BurstStatistics, Outlet, Path, PathKind
from mrsync.wire.header import BytesLike, Header, pack_header, page_headers
from mrsync.wire.limits import BURST_BYTES_MAX, CASTER_ID, HEADER_BYTES, PACKETS_PER_PAGE_MAX
from mrsync.wire.messages import Kind
from mrsync.wire.terms import encode_terms

Slice = tuple[int, int, BytesLike]  # page, packet index, bytes of the packet behind its header

_INDICES = bytes(range(PACKETS_PER_PAGE_MAX))


class BurstSender:
    """Puts pages, coded packets and messages on the wire, what is for the group on every path.

    When a socket's queue is full, what it cannot take waits inside and False is returned: call `flush` when one of
    `blocked` is writable. sockets: all that anything goes out of; paths: in the beginning.
    """

    def __init__(
        self,
        sockets: Iterable[socket.socket],
        paths: Iterable[Path],
        session_tag: int,
        *,
        slice_bytes: int = 0,
        sender: int = CASTER_ID,
    ) -> None:
        self.outlets = {opened: Outlet(opened) for opened in sockets}
        self._paths = deque(paths)
        self.is_group_heard = True  # by somebody who is to get pages
        self.slice_bytes = slice_bytes  # to be set before the first coded packet
        self._session_tag = session_tag
        self._id = sender
        self._renew_headers()

    @property
    def statistics(self) -> BurstStatistics:
        """What went out, on all paths."""
        return BurstStatistics.total(
            statistics for outlet in self.outlets.values() for statistics in outlet.statistics.values()
        )

    def statistics_of(self, kind: PathKind) -> BurstStatistics:
        """What went out on paths of this kind."""
        return BurstStatistics.total(outlet.statistics[kind] for outlet in self.outlets.values())

    def add_path(self, path: Path) -> None:
        """From the next send on what is for the group goes this way, too; its socket is one of ours."""
        if path not in self._paths:
            self._paths.append(path)

    def remove_path(self, path: Path) -> None:
        """Nothing for the group goes this way any more, not even what waits."""
        self._paths.remove(path)
        self.outlets[path.socket].forget(path)

    def send_page(
        self, slices: Sequence[BytesLike], *, object: int, page: int, generation: int, tx: int, mask: int = 0
    ) -> bool:
        """Send the packets of a page whose bits are set in mask (0: all); False when they wait.

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
            sender=self._id,
        )
        self._headers[: len(headers)] = headers
        pieces: list[BytesLike] = [b""] * (2 * len(indices))
        pieces[0::2] = self._header_views[: len(indices)]
        pieces[1::2] = [slices[index] for index in indices] if mask else slices
        if self._cast(pieces, HEADER_BYTES + len(slices[0]), is_page=True):
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
        is_sent = True
        for _, alike in groupby(sorted(combinations, key=len), key=len):  # a burst's packets have one size
            pieces: list[BytesLike] = []
            for slices in alike:
                pieces += self._coded_packet(sorted(slices, key=_term), object, generation, tx)
            packet_bytes = HEADER_BYTES + len(pieces[1])
            pieces_max = 2 * min(PACKETS_PER_PAGE_MAX, BURST_BYTES_MAX // packet_bytes)
            for first in range(0, len(pieces), pieces_max):
                is_sent &= self._cast(pieces[first : first + pieces_max], packet_bytes, is_page=True)
        return is_sent

    def send_message(self, datagram: bytes, path: Path | None = None) -> bool:
        """Send one control datagram to a target, or to the group; False when it waits."""
        pieces: list[BytesLike] = [datagram[:HEADER_BYTES], datagram[HEADER_BYTES:]]
        if path is None:
            return self._cast(pieces, len(datagram), is_page=False)
        return self.outlets[path.socket].send((pieces, len(datagram), path))

    def flush(self) -> bool:
        """Send what waits; True when nothing waits any more. Raises SocketError."""
        return all([outlet.flush() for outlet in self.outlets.values()])

    @property
    def blocked(self) -> set[socket.socket]:
        """Sockets that something waits for."""
        return {opened for opened, outlet in self.outlets.items() if outlet.is_blocked}

    def _cast(self, pieces: list[BytesLike], packet_bytes: int, *, is_page: bool) -> bool:
        """Send on every path; pages go to the group only while somebody hears it."""
        is_sent = True
        self._paths.rotate()  # so that a short queue on the way does not always drop the same copy
        for path in self._paths:
            if is_page and (path.kind is PathKind.RELAYED or self._is_unheard(path)):
                continue
            is_sent &= self.outlets[path.socket].send((pieces, packet_bytes, path))
        return is_sent

    def _is_unheard(self, path: Path) -> bool:
        return path.kind is PathKind.MULTICAST and not self.is_group_heard

    def keep_waiting(self) -> None:
        """What waits must not change with the memory that it was sent from."""
        for outlet in self.outlets.values():
            outlet.copy_waiting()

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
        return pack_header(header), encode_terms(terms) + xor_slices([data for _, _, data in slices], self.slice_bytes)


def xor_slices(slices: Sequence[BytesLike], slice_bytes: int) -> bytes:
    """XOR of slices, shorter ones padded with zeros to slice_bytes."""
    total = 0
    for data in slices:
        total ^= int.from_bytes(data, "little")  # little-endian: padding changes nothing
    return total.to_bytes(slice_bytes, "little")


def _term(part: Slice) -> tuple[int, int]:
    return part[0], part[1]
