"""Pinger and Echoer, joined by real sockets on the loopback interface; and what an Echoer makes of strangers."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from mrsync.transport.echoing import PARTIAL_PAGES_MAX, SOURCES_MAX, VOLUMES_MAX, Arrival, Echoer, EchoSocket
from mrsync.transport.network.interface import loopback_interface
from mrsync.transport.network.multicast import open_caster_socket, open_data_socket, open_reply_socket
from mrsync.transport.network.paths import Path
from mrsync.transport.pages.forwarding import endpoint
from mrsync.transport.pinging import EchoReceived, Pinger
from mrsync.wire.formats.session import ControlCodec
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import page_headers, session_tag
from mrsync.wire.messages import Assign, Kind, Peer, Ping, SealKind, Way
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer
from tests.support.waiting import HANG_S

GROUP = "239.255.67.201"
SECRET = bytes(range(32))
WAIT_S = HANG_S
GEOMETRY = Geometry.from_mtu(1500, is_ipv6=False, target_count=1)

pytestmark = pytest.mark.usefixtures("stamping")


class Pair:
    """A master and a target on one interface."""

    def __init__(self, port: int) -> None:
        interface = loopback_interface()
        self.address = (GROUP, port)
        self.pinger = self.new_pinger()
        self.arrivals: list[Arrival] = []
        self.data = open_data_socket([interface], GROUP, port)
        self.reply = open_reply_socket()
        self.echoer = Echoer(self.reply, secret=SECRET, target=3, instance=7, on_arrival=self.arrivals.append)
        self.echo_sockets = [EchoSocket(self.data, Way.GROUP), EchoSocket(self.reply, Way.OWN_PORT)]
        for echo_socket in self.echo_sockets:
            self.echoer.listen(echo_socket)

    def new_pinger(self, secret: bytes = SECRET) -> Pinger:
        group, port = self.address
        opened = open_caster_socket(loopback_interface(), group, port, ttl=1, is_looped=True)
        keys = SessionKeys.derive(secret, int.from_bytes(os.urandom(8), "big"))
        return Pinger([Path(opened, self.address)], GEOMETRY, keys)

    def echoes(self, count: int) -> list[EchoReceived]:
        """Serve both until this many echoes have arrived."""
        found: list[EchoReceived] = []
        self._serve(lambda: len(found) >= count, found)
        return found

    def heard(self, count: int) -> None:
        """Serve the target until it has this many arrivals."""
        self._serve(lambda: len(self.arrivals) >= count, [])

    def nothing_more(self, but: int = 0) -> bool:
        """Whether all that was sent led to nothing. but: arrivals, besides."""
        self.pinger.ping()  # behind all the rest
        arrived = len(self.arrivals)
        self.heard(arrived + 1 + but)
        return len(self.arrivals) == arrived + 1 + but

    def _serve(self, is_done: Callable[[], bool], found: list[EchoReceived]) -> None:
        deadline = time.monotonic() + WAIT_S
        sockets = [*(echo_socket.socket for echo_socket in self.echo_sockets), *self.pinger.sockets]
        while not is_done():
            assert time.monotonic() < deadline, "nothing came"
            ready = select.select(sockets, [], [], WAIT_S)[0]
            for echo_socket in self.echo_sockets:
                if echo_socket.socket in ready:
                    self.echoer.receive(echo_socket)
            for opened in self.pinger.sockets:
                if opened in ready:
                    found += self.pinger.receive(opened)

    def close(self) -> None:
        self.pinger.close()
        self.data.close()
        self.reply.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Pair(port if port < 65535 else 40000)
    yield made
    made.close()


def test_a_ping_is_echoed_with_the_way_it_came(pair: Pair) -> None:
    number = pair.pinger.ping()
    ((echo, way_back, at),) = pair.echoes(1)
    assert (echo.kind, echo.way, echo.number, echo.target, echo.instance) == (Kind.PING, Way.GROUP, number, 3, 7)
    assert abs(echo.clock_us / 1e6 - time.time()) < WAIT_S
    assert abs(at - time.monotonic()) < WAIT_S
    number = pair.pinger.ping(way_back)
    (other,) = pair.echoes(1)
    assert (other.echo.way, other.echo.number) == (Way.OWN_PORT, number)
    assert other.echo.counter == echo.counter + 1
    assert [arrival.echo_socket.way for arrival in pair.arrivals] == [Way.GROUP, Way.OWN_PORT]
    assert pair.arrivals[0].ttl == 1
    assert pair.arrivals[1].ttl > 1


@pytest.mark.parametrize("size", [1, 1400, 64000, 64512])
def test_a_page_is_echoed_when_it_is_whole(pair: Pair, size: int) -> None:
    pair.pinger.ping()
    pair.echoes(1)
    sent_at = pair.pinger.send_page(os.urandom(size), page=9, generation=2)
    ((echo, _, at),) = pair.echoes(1)
    assert (echo.kind, echo.number, echo.generation) == (Kind.PAGE, 9, 2)
    assert 0 < at - sent_at < WAIT_S
    volume = pair.echoer.volumes[2]
    packets = -(-(size + 16) // GEOMETRY.slice_bytes)
    assert (volume.packets, volume.bytes) == (packets, size + 16 + 24 * packets)
    assert volume.first_at <= volume.last_at <= at


def test_the_hold_is_the_time_at_the_target(pair: Pair) -> None:
    pair.pinger.ping()
    time.sleep(0.05)  # a target that is busy with something else
    ((echo, _, _),) = pair.echoes(1)
    assert 50_000 <= echo.hold_us < 50_000 + WAIT_S * 1e6


def test_pages_before_any_ping_and_of_another_key_are_not_echoed(pair: Pair) -> None:
    pair.pinger.send_page(b"x" * 3000, page=1)
    assert pair.nothing_more()
    pair.pinger.close()
    stranger = pair.new_pinger(bytes(32))
    stranger.ping()
    stranger.send_page(b"x" * 3000, page=1)
    stranger.close()
    pair.pinger = pair.new_pinger()
    assert pair.nothing_more()


def test_a_page_with_a_changed_byte_is_not_echoed(pair: Pair) -> None:
    pair.pinger.ping()
    pair.echoes(1)
    tag = pair.pinger._keys.session >> 32
    forged = page_headers(session_tag=tag, object=2, page=5, generation=0, count=1, tx=0) + bytes(100)
    pair.pinger.sockets[0].sendto(forged, pair.address)
    pair.pinger.sockets[0].sendto(b"junk", pair.address)
    pair.pinger.sockets[0].sendto(b"", pair.address)
    assert pair.nothing_more()


def test_a_request_that_others_repeat_causes_no_further_ping(pair: Pair) -> None:
    pair.pinger.ping()
    pair.echoes(1)
    (opened,) = pair.pinger.sockets
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(WAIT_S)
        codec = ControlCodec(pair.pinger._keys)
        request = Assign(0, 1, 3, 77, 0, None, Peer(4, 0, *endpoint(other.getsockname())))
        link_local = request._replace(counter=2, child=Peer(4, 0, b"\xfe\x80" + bytes(14), 7))
        for sent in (request, request, link_local, request._replace(counter=3, number=78)):
            opened.sendto(codec.encode(sent), pair.reply.getsockname())
        assert pair.nothing_more()
        pings = [codec.decode(other.recv(2000)) for _ in range(2)]
        assert [ping.counter if isinstance(ping, Ping) else ping for ping in pings] == [77, 78]


def test_what_others_repeat_is_not_echoed(pair: Pair) -> None:
    """The address of a repeated packet may be forged, and each target would send an echo there."""
    pair.pinger.ping()
    pair.echoes(1)
    keys = pair.pinger._keys
    codec, pages = ControlCodec(keys), PageSealer(keys, SealKind.HMAC_SHA256)
    data = pages.seal(b"x", object=2, page=8, generation=0, count=1)
    page = page_headers(session_tag=session_tag(keys.session), object=2, page=8, generation=0, count=1, tx=0) + data
    others = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2 * SOURCES_MAX)]
    for other in others:
        other.bind(("127.0.0.1", 0))
        for packet in (codec.encode(Ping(keys.session, 77)), bytes(page)):
            for _ in range(3):
                other.sendto(packet, pair.reply.getsockname())
    assert pair.nothing_more(2 * SOURCES_MAX)
    assert [count_of_echoes(other) for other in others] == [2] * SOURCES_MAX + [0] * SOURCES_MAX
    pair.pinger.close()
    pair.pinger = pair.new_pinger()
    pair.pinger.ping()
    pair.echoes(1)
    for other in others:  # as with a key file, after a later session has begun
        other.sendto(codec.encode(Ping(keys.session, 77)), pair.reply.getsockname())
    assert pair.nothing_more()
    assert [count_of_echoes(other) for other in others] == [0] * len(others)
    for other in others:
        other.close()


def count_of_echoes(opened: socket.socket) -> int:
    """Return how many datagrams wait there, and take them."""
    count = 0
    with suppress(BlockingIOError):
        while opened.recv(2000, socket.MSG_DONTWAIT):
            count += 1
    return count


def test_the_last_session_counts(pair: Pair) -> None:
    pair.pinger.ping()
    pair.echoes(1)
    pair.pinger.send_page(b"x", page=0)
    pair.echoes(1)
    pair.pinger.close()
    pair.pinger = pair.new_pinger()
    pair.pinger.ping()
    pair.echoes(1)
    assert pair.echoer.volumes == {}
    pair.pinger.send_page(b"x", page=0)
    assert pair.echoes(1)[0].echo.kind is Kind.PAGE


def test_parts_of_pages_that_never_become_whole_take_bounded_memory(pair: Pair) -> None:
    pair.pinger.ping()
    pair.echoes(1)
    tag = pair.pinger._keys.session >> 32
    for page in range(2 * PARTIAL_PAGES_MAX):
        headers = page_headers(session_tag=tag, object=2, page=page, generation=page, count=2, tx=0)
        pair.pinger.sockets[0].sendto(bytes(headers[:24]) + bytes(100), pair.address)
    assert pair.nothing_more()
    assert pair.echoer._session is not None
    assert len(pair.echoer._session.partial) == PARTIAL_PAGES_MAX
    assert len(pair.echoer.volumes) == VOLUMES_MAX
