from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mrsync.transport.network.batches import BatchReceiver
from mrsync.transport.network.mailbox import ANCILLARY_BYTES
from mrsync.transport.network.multicast import UDP_SEGMENT
from mrsync.transport.network.socket_options import MARKS_IPV4, MARKS_IPV6, UDP_GRO
from mrsync.wire.limits import HEADER_BYTES

SLICE, MOST = 100, 8
SIZE = HEADER_BYTES + SLICE


class Bench:
    """A socket that receives, two that send, and two slots."""

    def __init__(self, family: int) -> None:
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.receiver, self.sender, self.other = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(3))
        for opened in (self.receiver, self.sender, self.other):
            opened.bind((host, 0))
        marks = MARKS_IPV4 if family == socket.AF_INET else MARKS_IPV6
        self.receiver.setsockopt(marks.level, marks.number, 1)
        self.receiver.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        self.receiver.setblocking(False)
        self.here, self.behind = memoryview(bytearray(SLICE * MOST)), memoryview(bytearray(SLICE * MOST))
        self.headers = bytearray(HEADER_BYTES * MOST)
        made = BatchReceiver.of(self.receiver, self.headers, SLICE, MOST)
        assert made is not None
        self.batch = made

    def send(self, *datagrams: bytes, other: bool = False) -> None:
        for datagram in datagrams:
            (self.other if other else self.sender).sendto(datagram, self.receiver.getsockname())

    def receive(self, first: int = 0) -> int:
        return self.batch.receive(self.here, self.behind, first)


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    yield made
    for opened in (made.receiver, made.sender, made.other):
        opened.close()


def packet(number: int, size: int = SIZE) -> bytes:
    return bytes([number]) * size


def test_slices_land_from_a_place_on_in_one_slot_and_then_in_the_other(bench: Bench) -> None:
    for first in (0, 3, MOST - 1):
        bench.send(*map(packet, range(MOST + 2)))
        assert bench.receive(first) == MOST
        assert bench.batch.runs(MOST) == [(0, MOST)]
        landed = [bytes(bench.here[at : at + SLICE]) for at in range(first * SLICE, MOST * SLICE, SLICE)]
        landed += [bytes(bench.behind[at : at + SLICE]) for at in range(0, first * SLICE, SLICE)]
        assert landed == [packet(number, SLICE) for number in range(MOST)]
        assert bytes(bench.headers) == b"".join(packet(number, HEADER_BYTES) for number in range(MOST))
        assert [bench.batch.datagram(at) for at in range(MOST)] == list(map(packet, range(MOST)))
        assert bench.receive() == 2
        with pytest.raises(BlockingIOError):
            bench.receive()


@pytest.mark.parametrize("size", [0, 1, HEADER_BYTES, SIZE - 1, SIZE + 1, 20_000])
def test_a_datagram_of_another_size_ends_a_series_of_equal_ones(bench: Bench, size: int) -> None:
    bench.send(packet(1), packet(2), packet(3, size), packet(4))
    assert bench.receive() == 4
    assert bench.batch.runs(4) == [(0, 2), (2, 3), (3, 4)]
    assert [bench.batch.is_full(at) for at in range(4)] == [True, True, False, True]
    assert [len(bench.batch.datagram(at)) for at in range(4)] == [SIZE, SIZE, size, SIZE]
    assert bench.batch.datagram(2) == packet(3, size)


def test_another_source_or_other_ancillary_data_ends_a_series_of_equal_ones(bench: Bench) -> None:
    bench.send(packet(1), packet(2))
    bench.send(packet(3), other=True)
    assert bench.receive() == 3
    assert bench.batch.runs(3) == [(0, 2), (2, 3)]
    own, other = bench.sender.getsockname(), bench.other.getsockname()
    assert [bench.batch.source(at) for at in range(3)] == [own, own, other]
    marked = socket.IP_TOS if bench.sender.family == socket.AF_INET else socket.IPV6_TCLASS
    bench.send(packet(1))
    bench.sender.setsockopt(
        socket.IPPROTO_IP if bench.sender.family == socket.AF_INET else socket.IPPROTO_IPV6, marked, 3
    )
    bench.send(packet(2))
    assert bench.receive() == 2
    assert bench.batch.runs(2) == [(0, 1), (1, 2)]


def test_merged_datagrams_received_before_end_nothing_that_is_alike(bench: Bench) -> None:
    size = 300  # more than one byte tells
    segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, size.to_bytes(2, "little"))]
    bench.send(packet(1))
    bench.sender.sendmsg([packet(2, 2 * size)], segment, 0, bench.receiver.getsockname())
    assert bench.receive() == 2
    bench.send(*map(packet, range(MOST)))
    assert bench.receive() == MOST
    assert bench.batch.runs(MOST) == [(0, MOST)]


@pytest.mark.parametrize("place", [0, 3, MOST - 1])
def test_copies_begin_at_a_given_place(bench: Bench, place: int) -> None:
    for first, end in ((0, MOST), (1, 4), (5, MOST)):
        bench.send(*map(packet, range(MOST)))
        assert bench.receive(place) == MOST
        headers, slices = bench.batch.copy(first, end)
        assert headers == b"".join(packet(number, HEADER_BYTES) for number in range(first, end))
        assert slices == b"".join(packet(number, SLICE) for number in range(first, end))


@pytest.mark.parametrize("number", [1, 2])
def test_ancillary_data_and_sources_are_those_of_recvmsg(bench: Bench, number: int) -> None:
    segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE.to_bytes(2, "little"))] if number > 1 else []
    for _ in range(2):
        bench.sender.sendmsg([packet(1)] * number, segment, 0, bench.receiver.getsockname())
    data, ancillary, _, source = bench.receiver.recvmsg(65536, ANCILLARY_BYTES)
    assert bench.receive() == 1
    assert (bench.batch.datagram(0), bench.batch.ancillary(0), bench.batch.source(0)) == (data, ancillary, source)
