"""Echo pings and pages. This is the part of rtt and doctor on a target."""

from __future__ import annotations

import socket
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Callable

from mrsync.transport.network.paths import Address
from mrsync.transport.network.socket_options import SO_RXQ_OVFL, TTL_IPV4, TTL_IPV6, UDP_GRO, try_option
from mrsync.transport.network.stamps import STAMP_BYTES, arrived_at, ask_arrival_times
from mrsync.transport.pages.forwarding import peer_address
from mrsync.tuples import NamedTuple
from mrsync.wire.formats.session import ControlCodec, Rejection, open_ping
from mrsync.wire.header import Header, session_tag, unpack_header
from mrsync.wire.limits import CASTER_ID, HEADER_BYTES, PACKETS_PER_PAGE_MAX
from mrsync.wire.messages import Assign, Echo, Kind, Ping, SealKind, Way
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer

DATAGRAMS_PER_TURN = 64
PARTIAL_PAGES_MAX = 64
VOLUMES_MAX = 64
SESSIONS_MAX = 64
REMEMBERED_MAX = 16384  # pings and pages of one session
SOURCES_MAX = 4  # of one ping: the master sends it from each of its interfaces
HOLD_MAX_US = 0xFFFFFFFF

_ROOM_BYTES = 65536
_IPV6_HOPLIMIT = 52
_ANCILLARY_BYTES = STAMP_BYTES + 3 * socket.CMSG_SPACE(4)


class EchoSocket(NamedTuple):
    """A socket that receives pings and pages.

    way: what it means if they arrive. interface: if none should arrive there.
    """

    socket: socket.socket
    way: Way
    interface: str = ""


class Arrival(NamedTuple):
    """An authentic ping, or a whole page, that arrived. ttl: the remaining TTL, 0 if unknown."""

    echo_socket: EchoSocket
    kind: Kind
    number: int
    generation: int
    ttl: int


@dataclass
class Volume:
    """How many of the pages of one generation arrived. Times are of the first and the last packet."""

    packets: int = 0
    bytes: int = 0
    first_at: float = 0.0
    last_at: float = 0.0


class _Session:
    """A session, and what arrived of it. requested: counter of the last request. volumes: by generation."""

    def __init__(self, keys: SessionKeys) -> None:
        self.id = keys.session
        self.codec = ControlCodec(keys)
        self.pages = PageSealer(keys, SealKind.HMAC_SHA256)
        self.requested = 0
        self.volumes: dict[int, Volume] = {}
        self.partial: OrderedDict[tuple[int, int], dict[int, bytes]] = OrderedDict()
        self._sources: OrderedDict[tuple[EchoSocket, Kind, int, int], set[Address]] = OrderedDict()

    def is_new(self, arrival: Arrival, source: Address) -> bool:
        """Return whether this did not arrive before from this address.

        Anyone can repeat a ping, with any address, which would then get an echo of each target that hears it.
        """
        heard = self._sources.setdefault(arrival[:4], set())
        if source in heard or len(heard) == SOURCES_MAX:
            return False
        heard.add(source)
        if len(self._sources) > REMEMBERED_MAX:
            self._sources.popitem(last=False)
        return True


class Echoer:
    """Echo every authentic ping, and page if wanted, once per way, from the reply socket to the sender.

    Asked by an ASSIGN, ping the child in it once, with the number of the request. Only the session of the last new ping
    counts: with a key file, anyone can repeat the pings of earlier ones.

    secret: of the run, from which the keys of its sessions are derived.
    target, instance: identify this process in echoes.
    echoes_pages: whether each page is echoed, and not only counted.
    unasked: a socket from which each ping is echoed as well.
    on_arrival: called after each echo, and for each page.
    """

    def __init__(
        self,
        reply: socket.socket,
        *,
        secret: bytes,
        target: int,
        instance: int,
        echoes_pages: bool = True,
        unasked: socket.socket | None = None,
        on_arrival: Callable[[Arrival], None] = lambda arrival: None,
    ) -> None:
        self.kernel_drops = 0
        self.send_failures = 0
        self.last_failure = ""
        self._reply = reply
        self._secret = secret
        self._target = target
        self._instance = instance
        self._echoes_pages = echoes_pages
        self._unasked = unasked
        self._on_arrival = on_arrival
        self._session: _Session | None = None  # that counts
        self._sessions: OrderedDict[int, _Session] = OrderedDict()  # by tag, the one that counted last at the end
        self._counter = 0
        self._room = memoryview(bytearray(_ROOM_BYTES))
        self._encoding_s = 0.0  # seconds that encoding the last echo took, which are part of the hold time

    @property
    def volumes(self) -> dict[int, Volume]:
        """What arrived of the pages of this session, by generation."""
        return self._session.volumes if self._session is not None else {}

    def listen(self, echo_socket: EchoSocket) -> None:
        """Prepare a socket. Call `receive` when it is readable."""
        ask_arrival_times(echo_socket.socket)
        try_option(echo_socket.socket, TTL_IPV6 if echo_socket.socket.family == socket.AF_INET6 else TTL_IPV4, 1)

    def receive(self, echo_socket: EchoSocket) -> None:
        """Take the datagrams of a socket."""
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                length, ancillary, _, source = echo_socket.socket.recvmsg_into([self._room], _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError as error:  # an ICMP error that one of our echoes has caused
                self._note_failure(error)
                continue
            at = arrived_at(ancillary)
            segment, ttl = self._read_ancillary(ancillary, length)
            for start in range(0, length, segment or 1):  # an empty datagram has no packet
                packet = self._room[start : min(start + segment, length)]
                self._take(packet, echo_socket, ttl, source, at)

    def _read_ancillary(self, ancillary: list[tuple[int, int, bytes]], length: int) -> tuple[int, int]:
        """Note the drop counter. Return the size of merged packets, and the remaining TTL."""
        segment, ttl = length, 0
        for level, kind, data in ancillary:
            number = int.from_bytes(data[:4], sys.byteorder)
            if (level, kind) == (socket.IPPROTO_UDP, UDP_GRO):
                segment = number or length
            elif (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT)):
                ttl = number
            elif (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                self.kernel_drops = number
        return segment, ttl

    def _take(self, packet: memoryview, echo_socket: EchoSocket, ttl: int, source: Address, at: float) -> None:
        header = unpack_header(packet)
        if header is None or header.sender != CASTER_ID:
            return
        if header.kind == Kind.PING:
            self._take_ping(bytes(packet), echo_socket, ttl, source, at)
        elif header.kind == Kind.ASSIGN:
            self._take_request(bytes(packet), source)
        elif header.kind == Kind.PAGE and self._session and header.session_tag == session_tag(self._session.id):
            self._take_page_packet(self._session, header, packet, echo_socket, ttl, source, at)

    def _take_ping(self, packet: bytes, echo_socket: EchoSocket, ttl: int, source: Address, at: float) -> None:
        opened = self._open_ping(packet)
        if opened is None:
            return
        session, ping = opened
        arrival = Arrival(echo_socket, Kind.PING, ping.counter, 0, ttl)
        if not session.is_new(arrival, source):
            return
        self._session = self._sessions[session_tag(session.id)] = session
        self._sessions.move_to_end(session_tag(session.id))
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        self._echo(arrival, source, at)
        if self._unasked is not None:
            self._send(self._encoded(arrival, Way.UNASKED, at), source, self._unasked)
        self._on_arrival(arrival)

    def _open_ping(self, packet: bytes) -> tuple[_Session, Ping] | None:
        """Return an authentic ping and its session, or None."""
        header = unpack_header(packet)
        known = self._sessions.get(header.session_tag) if header is not None else None
        if known is not None:
            ping = known.codec.decode(packet)
            return (known, ping) if isinstance(ping, Ping) else None
        opened = open_ping(self._secret, packet)
        return None if isinstance(opened, Rejection) else (_Session(opened[0]), opened[1])

    def _take_request(self, packet: bytes, source: Address) -> None:
        message = self._session.codec.decode(packet) if self._session else None
        if isinstance(message, Assign) and message.target == self._target and message.child is not None:
            assert self._session is not None  # it has decoded the message
            address = peer_address(message.child, source)
            if message.counter <= self._session.requested or address is None:
                return  # repeated by others, maybe from elsewhere
            self._session.requested = message.counter
            ping = self._session.codec.encode(Ping(self._session.id, message.number))
            self.send(ping, address)

    def _take_page_packet(
        self,
        session: _Session,
        header: Header,
        packet: memoryview,
        echo_socket: EchoSocket,
        ttl: int,
        source: Address,
        at: float,
    ) -> None:
        if not echo_socket.interface:
            _count(session.volumes, header.generation, len(packet), at)
        if not header.packet_index < header.packet_count <= PACKETS_PER_PAGE_MAX:
            return
        key = (header.page, header.generation)
        parts = session.partial.setdefault(key, {})
        parts[header.packet_index] = bytes(packet[HEADER_BYTES:])
        if len(parts) < header.packet_count:
            if len(session.partial) > PARTIAL_PAGES_MAX:
                session.partial.popitem(last=False)
            return
        del session.partial[key]
        sealed = b"".join(parts[index] for index in sorted(parts))
        arrival = Arrival(echo_socket, Kind.PAGE, header.page, header.generation, ttl)
        if not _is_authentic(session, header, sealed) or not session.is_new(arrival, source):
            return
        if self._echoes_pages:
            self._echo(arrival, source, at)
        self._on_arrival(arrival)

    def _echo(self, arrival: Arrival, source: Address, at: float) -> None:
        started = time.monotonic()
        datagram = self._encoded(arrival, arrival.echo_socket.way, at)
        self._encoding_s = time.monotonic() - started
        self.send(datagram, source)

    def _encoded(self, arrival: Arrival, way: Way, at: float) -> bytes:
        assert self._session is not None
        self._counter += 1
        echo = Echo(
            target=self._target,
            instance=self._instance,
            counter=self._counter,
            kind=arrival.kind,
            way=way,
            number=arrival.number,
            generation=arrival.generation,
            hold_us=min(HOLD_MAX_US, max(0, round((time.monotonic() - at + self._encoding_s) * 1e6))),
            clock_us=time.time_ns() // 1000,
        )
        return self._session.codec.encode(echo)

    def send(self, datagram: bytes, address: Address) -> None:
        """Send a datagram from the reply socket. Failures are counted."""
        self._send(datagram, address, self._reply)

    def _send(self, datagram: bytes, address: Address, opened: socket.socket) -> None:
        try:
            opened.sendto(datagram, address)
        except OSError as error:
            self._note_failure(error)

    def _note_failure(self, error: OSError) -> None:
        self.send_failures += 1
        self.last_failure = error.strerror or str(error)


def _is_authentic(session: _Session, header: Header, sealed: bytes) -> bool:
    data = session.pages.open(
        sealed,
        object=header.object,
        page=header.page,
        generation=header.generation,
        count=header.packet_count,
    )
    return data is not None


def _count(volumes: dict[int, Volume], generation: int, packet_bytes: int, at: float) -> None:
    volume = volumes.get(generation)
    if volume is None:
        if len(volumes) >= VOLUMES_MAX:
            return
        volume = volumes[generation] = Volume(first_at=at)
    volume.packets += 1
    volume.bytes += packet_bytes
    volume.last_at = at
