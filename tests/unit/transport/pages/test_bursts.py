from __future__ import annotations

import errno
import os
import select
import socket
import time
from contextlib import closing
from typing import Any

import pytest

from mrsync.errors import SocketError
from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.pages.bursts import AT_ONCE_MIN, SINGLE_PACKETS, BurstSender, Purpose
from mrsync.transport.pages.coded_packets import xor_slices
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import session_tag, unpack_header
from mrsync.wire.limits import HEADER_BYTES
from mrsync.wire.messages import Kind
from mrsync.wire.terms import decode_terms
from tests.unit.transport.link import CONTENTS, GEOMETRY, SESSION, Link, sample

_SO_NO_CHECK = 11


def received(link: Link) -> list[bytes]:
    """The packets that arrived, one by one."""
    packets = []
    while select.select([link.receiver], [], [], 0.05)[0]:
        packets.append(link.receiver.recv(65536))
    return packets


@pytest.mark.parametrize("is_segmenting", [True, False])
def test_a_page_goes_out_as_packets_of_one_size(is_segmenting: bool) -> None:
    with Link(sample(1.3), is_merging=False) as link:
        link.outlet.is_segmenting = is_segmenting
        link.send_page(1, tx=7)
        packets = received(link)
        headers = [unpack_header(packet) for packet in packets]
        assert [header and header.packet_index for header in headers] == list(range(len(packets)))
        assert {header and (header.page, header.tx, header.packet_count) for header in headers} == {
            (1, 7, len(packets))
        }
        assert b"".join(packet[HEADER_BYTES:] for packet in packets) == link.sealed(1)
        assert link.sender.statistics.packets == len(packets)
        assert link.sender.statistics.bytes == sum(map(len, packets))


def test_a_mask_chooses_packets() -> None:
    with Link(sample(1), is_merging=False) as link:
        link.send_page(0, mask=1 << 3 | 1 << 17 | 1 << (GEOMETRY.packets - 1))
        headers = [unpack_header(packet) for packet in received(link)]
        assert [header and header.packet_index for header in headers] == [3, 17, GEOMETRY.packets - 1]


@pytest.mark.parametrize(("late_s", "packets"), [(0.0, {1}), (0.01, {10, 11})])
def test_a_late_timer_makes_up_for_no_more_than_it_may(late_s: float, packets: set[int]) -> None:
    with Link(sample(1), is_merging=False) as link:
        link.sender.gap_s, link.sender.late_s = 0.001, late_s  # each part is one packet
        assert not link.sender.send_page(link.slices(0, 0), object=CONTENTS, page=0, generation=0, tx=1)
        assert (link.sender.release(1000.0) or 0.0) > 1000.0
        assert link.sender.statistics.packets in packets
        before = link.sender.statistics.packets
        assert (link.sender.release(1000.1) or 0.0) > 1000.1  # a part of a page was late by as much
        assert AT_ONCE_MIN <= link.sender.statistics.packets - before <= AT_ONCE_MIN + 4


def test_coded_packets_carry_their_terms_and_the_xor() -> None:
    with Link(sample(3), is_merging=False) as link:
        two = [(page, 4, link.slice(page, 4)) for page in (2, 0)]
        three = [(page, page, link.slice(page, page)) for page in (0, 1, 2)]
        assert link.sender.send_coded([three, two], object=CONTENTS, generation=0, tx=5)
        packets = received(link)
        assert len(packets) == 2
        for packet, slices in zip(packets, (two, three), strict=True):
            header = unpack_header(packet)
            assert header is not None
            assert header.kind == Kind.CODED
            assert decode_terms(header, packet[HEADER_BYTES:]) == sorted((page, index) for page, index, _ in slices)
            assert packet.endswith(xor_slices([data for _, _, data in slices], GEOMETRY.slice_bytes))


def test_a_full_queue_is_reported_and_flushed_later() -> None:
    """A UDP socket of a busy host blocks when SO_SNDBUF is used up; a socket pair does so at will."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    near.setblocking(False)
    with Link(sample(1)) as link, near, far:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        sender = _Connected(near)
        link.outlet._socket = sender  # type: ignore[assignment]
        link.outlet.is_segmenting = False
        assert not link.sender.send_page(link.slices(0), object=CONTENTS, page=0, generation=0, tx=1)
        assert not link.sender.send_message(b"m" * 40)
        assert link.sender.statistics.would_blocks == 2
        packets = []
        is_sent = False
        while not is_sent:
            packets.append(far.recv(65536))
            is_sent = link.sender.flush()
        far.setblocking(False)
        while len(packets) < GEOMETRY.packets + 1:
            packets.append(far.recv(65536))
        assert b"".join(packet[HEADER_BYTES:] for packet in packets[:-1]) == link.sealed(0)
        assert packets[-1] == b"m" * 40


class _Connected:
    """A connected datagram socket behind the call of an unconnected one; it knows no segmentation."""

    def __init__(self, near: socket.socket) -> None:
        self._near = near

    def sendmsg(self, pieces: list[bytes], ancillary: object, flags: int, address: object) -> int:
        return self._near.sendmsg(pieces)


def test_repairs_are_counted_as_they_leave_on_each_path() -> None:
    geometry = Geometry(GEOMETRY.slice_bytes, 1)
    with Link(b"x", geometry=geometry, is_merging=False) as link:
        slices, sent = link.slices(0), link.sender
        link.sender.add_path(Path(link.caster, link.address, PathKind.UNICAST))
        sent.send_page(slices, object=CONTENTS, page=0, generation=0, tx=1)
        sent.send_page(slices, object=CONTENTS, page=0, generation=0, tx=2, purpose=Purpose.REPAIR)
        link.outlet.is_segmenting = True
        sent.send_coded([[(0, 0, slices[0]), (1, 0, slices[0])]] * 2, object=CONTENTS, generation=0, tx=3)
        sent.send_message(b"m" * 40)
        packets = received(link)
        repairs = [packet for packet in packets[2:] if len(packet) != 40]
        assert (sent.statistics.packets, sent.statistics.bytes) == (10, sum(map(len, packets)))
        assert (sent.statistics.packets_repaired, sent.statistics.packets_coded) == (6, 4)
        assert sent.statistics.bytes_repaired == sum(map(len, repairs))


@pytest.mark.parametrize("pages", [1, 2])
def test_where_the_kernel_refuses_segmentation_packets_go_one_by_one(pages: int) -> None:
    with Link(sample(2), is_merging=False) as link:
        link.caster.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)  # the kernel segments only what has checksums
        link.outlet.is_segmenting = True
        for page in range(pages):
            link.send_page(page)
        assert not link.outlet.is_segmenting
        assert b"".join(packet[HEADER_BYTES:] for packet in received(link)) == b"".join(map(link.sealed, range(pages)))
        assert link.sender.statistics.packets == pages * GEOMETRY.packets


def test_packets_that_never_fit_are_an_error() -> None:
    geometry = Geometry(slice_bytes=65_400, packets=1)
    with Link(sample(1, geometry), geometry=geometry) as link:
        link.caster.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: IP_PMTUDISC_DO
        link.sender.remove_path(link.path)
        link.sender.add_path(Path(link.caster, ("127.0.0.1", 0)))
        with pytest.raises(SocketError, match=r"cannot send packets of 65424 bytes: Invalid argument"):
            link.send_page(0)


@pytest.mark.parametrize("address", ["255.255.255.255", "127.0.0.1%nowhere"])
def test_an_address_that_somebody_else_has_said_stops_nothing(address: str) -> None:
    with Link(sample(1), is_merging=False) as link:
        link.sender.send_message(b"message", Path(link.caster, (address, 9), PathKind.ANSWER))
        assert link.sender.statistics.failures == 1
        link.send_page(0)
        assert b"".join(packet[HEADER_BYTES:] for packet in received(link)) == link.sealed(0)


class _Failing:
    """What a device without carrier, a full one, or one with a smaller MTU answers."""

    def __init__(self, reason: int) -> None:
        self._reason = reason

    def sendmsg(self, pieces: list[bytes], ancillary: object, flags: int, address: object) -> int:
        raise OSError(self._reason, os.strerror(self._reason))


def test_packets_refused_for_now_count_as_lost() -> None:
    with Link(sample(1)) as link:
        link.outlet._socket = _Failing(errno.ENOBUFS)  # type: ignore[assignment]
        link.send_page(0)
        assert link.outlet.is_segmenting
        assert link.sender.statistics.failures == 1
        assert link.sender.statistics.last_failure == os.strerror(errno.ENOBUFS)


def test_packets_that_became_too_large_count_as_lost_until_they_fit_again() -> None:
    with Link(sample(2)) as link:
        link.outlet._socket = _Failing(errno.EMSGSIZE)  # type: ignore[assignment]
        with pytest.raises(SocketError, match="Message too long"):
            link.send_page(0)
    with Link(sample(2)) as link:
        link.send_page(0)
        link.outlet._socket = _Failing(errno.EMSGSIZE)  # type: ignore[assignment]
        link.send_page(1)
        assert link.sender.statistics.failures == GEOMETRY.packets
        link.outlet._socket = link.caster
        for _ in range(SINGLE_PACKETS // GEOMETRY.packets + 1):
            link.send_page(1)
        assert link.outlet.is_segmenting
        assert link.sender.statistics.failures == GEOMETRY.packets


class HeldUpSocket(socket.socket):
    """Another program gets the processor before each call of the kernel returns."""

    left_at = 0.0

    def sendmsg(self, *arguments: Any) -> int:
        sent = super().sendmsg(*arguments)
        self.left_at = time.monotonic()
        time.sleep(0.01)
        return sent


@pytest.mark.parametrize("gap_s", [0.0, 1e-6])
def test_packets_leave_no_earlier_than_is_said(gap_s: float) -> None:
    with Link(sample(1), is_merging=False) as link, closing(HeldUpSocket(socket.AF_INET, socket.SOCK_DGRAM)) as held:
        sender = BurstSender([held], [Path(held, link.address)], session_tag(SESSION))
        sender.gap_s = gap_s
        sender.send_page(link.slices(0), object=CONTENTS, page=0, generation=0, tx=1)
        while sender.is_spreading:
            sender.release(time.monotonic())
        assert 0 < sender.left_at <= held.left_at
