"""A caster's sender and a catcher's intake joined by real sockets on the loopback interface."""

from __future__ import annotations

import select
import socket
import time
from contextlib import closing
from typing import Self

from mrsync.protocol.receiving.assembly import Assembly
from mrsync.transport.network.multicast import UDP_SEGMENT
from mrsync.transport.network.paths import Path
from mrsync.transport.network.socket_options import SO_RXQ_OVFL, UDP_GRO
from mrsync.transport.pages.bursts import BurstSender
from mrsync.transport.pages.intake import Intake
from mrsync.transport.pages.opener import PageOpener
from mrsync.transport.pages.slots import Slots
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import Header, page_headers, session_tag
from mrsync.wire.limits import HEADER_BYTES
from mrsync.wire.messages import SealKind
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer

SESSION = 0x0123456789ABCDEF
SECRET = bytes(range(32))
KEYS = SessionKeys.derive(SECRET, SESSION)
GEOMETRY = Geometry.from_mtu(1500, is_ipv6=False, target_count=8)
CONTENTS = 2


class AssemblySink:
    """The part of the catcher's core that judges packets, for one object; every call of interest is noted."""

    def __init__(self, size_bytes: int, geometry: Geometry = GEOMETRY) -> None:
        self.assembly = Assembly(size_bytes, geometry)
        self.packets_told: list[tuple[int, int]] = []
        self.rows_told = 0  # times at which packets were told
        self.pages_told: list[int] = []
        self.told_at: list[float] = []  # when these pages arrived
        self.rejected: list[int] = []
        self.useless = 0

    def receive_page(self, header: Header, now: float) -> bool:
        self.pages_told.append(header.page)
        self.told_at.append(now)
        return self.assembly.receive_page(header.page, header.generation, header.packet_count)

    def receive_packets(self, header: Header, mask: int, now: float) -> int:
        count = header.packet_count
        self.rows_told += 1
        self.packets_told += ((header.page, index) for index in range(count) if mask >> index & 1)
        return self.assembly.receive_packets(header.page, header.generation, mask, count)

    def receive_coded(self, header: Header, terms: list[tuple[int, int]], now: float) -> int:
        return self.assembly.receive_coded(header.generation, terms)

    def coded_useless(self) -> None:
        self.useless += 1

    def page_opened(self, object: int, page: int, generation: int) -> bool:
        return self.assembly.opened(page, generation)

    def page_rejected(self, object: int, page: int, generation: int, suspects: int) -> None:
        self.rejected.append(page)
        self.assembly.rejected(page, generation, suspects)

    def packets_dropped(self, object: int, page: int, generation: int) -> None:
        self.assembly.forget(page, generation)


class Link:
    """Unicast over loopback; `send` puts packets on it merged as the test likes."""

    def __init__(self, data: bytes, *, geometry: Geometry = GEOMETRY, slots: int = 16, is_merging: bool = True) -> None:
        self.data = data
        self.geometry = geometry
        self.sealer = PageSealer(KEYS, SealKind.HMAC_SHA256)
        self.sink = AssemblySink(len(data), geometry)
        self.controls: list[bytes] = []
        self.receiver = _loopback_socket()
        self.receiver.setsockopt(socket.IPPROTO_UDP, UDP_GRO, int(is_merging))
        self.receiver.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        self.caster = _loopback_socket()
        self.address: tuple[str, int] = self.receiver.getsockname()
        self.path = Path(self.caster, self.address)
        self.sender = BurstSender([self.caster], [self.path], session_tag(SESSION), slice_bytes=geometry.slice_bytes)
        self.outlet = self.sender.outlets[self.caster]
        self.outlet.is_segmenting = is_merging
        held = Slots(geometry, slots)
        self.opener = PageOpener(geometry, self.sealer, self.sink, held)
        self.opener.expect((0, 0, len(data)))
        self.intake = Intake(
            self.receiver,
            geometry,
            session_tag(SESSION),
            self.opener,
            held,
            self.take_control,
            clock=time.monotonic,
        )
        self.intake.senders.believe(0, self.caster.getsockname())

    def take_control(self, datagram: bytes, source: object) -> None:
        """As a driver would, of what it finds authentic."""
        self.intake.end_run(0.0)
        self.controls.append(datagram)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with closing(self.caster), closing(self.receiver):
            pass

    def plain(self, page: int) -> bytes:
        return self.data[page * self.geometry.page_bytes :][: self.geometry.page_bytes]

    def sealed(self, page: int, generation: int = 0) -> bytes:
        count = self.geometry.packet_count(len(self.data), page)
        return self.sealer.seal(self.plain(page), object=CONTENTS, page=page, generation=generation, count=count)

    def slices(self, page: int, generation: int = 0) -> list[bytes]:
        sealed, size = self.sealed(page, generation), self.geometry.slice_bytes
        return [sealed[at : at + size] for at in range(0, len(sealed), size)]

    def slice(self, page: int, index: int) -> bytes:
        size = self.geometry.slice_bytes
        return self.sealed(page)[index * size : (index + 1) * size]

    def packets(self, page: int, tx: int = 1, generation: int = 0) -> list[bytes]:
        """Return the datagrams of a page."""
        slices = self.slices(page, generation)
        headers = page_headers(
            session_tag=session_tag(SESSION),
            object=CONTENTS,
            page=page,
            generation=generation,
            count=len(slices),
            tx=tx,
        )
        return [bytes(headers[HEADER_BYTES * at :][:HEADER_BYTES]) + piece for at, piece in enumerate(slices)]

    def forged(self, page: int, index: int, generation: int = 0) -> bytes:
        """Return a packet with the labels that it must have, and other bytes."""
        real = self.packets(page, generation=generation)[index]
        return real[:HEADER_BYTES] + bytes(byte ^ 0xFF for byte in real[HEADER_BYTES:])

    def send_page(self, page: int, tx: int = 1, mask: int = 0, generation: int = 0) -> None:
        assert self.sender.send_page(
            self.slices(page, generation), object=CONTENTS, page=page, generation=generation, tx=tx, mask=mask
        )

    def send_merged(self, packets: list[bytes]) -> None:
        """Send packets so that they arrive as one datagram; all but the last must have one size."""
        segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, len(packets[0]).to_bytes(2, "little"))]
        self.caster.sendmsg(packets, segment if len(packets) > 1 else [], 0, self.address)

    def receive(self) -> None:
        """Take in all that was sent; loopback delivers before the send returns."""
        assert select.select([self.receiver], [], [], 1)[0]
        while self.intake.drain(0.0):
            continue

    def opened(self) -> dict[int, bytes]:
        return {page: data for _, page, _, data, _ in self.opener.opened}


def _loopback_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    made.bind(("127.0.0.1", 0))
    return made


def sample(page_count: float, geometry: Geometry = GEOMETRY) -> bytes:
    """Return the bytes of this many pages, no two pages alike."""
    size = int(page_count * geometry.page_bytes)
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]
