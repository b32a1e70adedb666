from __future__ import annotations

import random
import socket
import struct
from contextlib import ExitStack

import pytest

from mrsync.errors import SocketError
from mrsync.transport.network.interface import IPV6, Interface, loopback_interface
from mrsync.transport.network.multicast import (
    UDP_SEGMENT,
    check_group,
    granted_buffer,
    open_caster_socket,
    open_data_socket,
    open_reply_socket,
)
from mrsync.transport.network.routes import looped_interface
from mrsync.transport.network.socket_options import SO_RXQ_OVFL, UDP_GRO
from tests.support.waiting import HANG_S

GROUP = "239.255.67.93"
LOOPBACK = loopback_interface()


@pytest.fixture
def port() -> int:
    return random.randrange(20000, 60000, 2)


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        ("10.0.0.1", "is not a multicast address"),
        ("fe80::1", "is not a multicast address"),
        ("nowhere", "is not an address"),
    ],
)
def test_a_group_that_cannot_be_used_is_refused(group: str, problem: str) -> None:
    with pytest.raises(SocketError, match=problem):
        check_group(group)
    with pytest.raises(SocketError, match=problem):
        open_data_socket([LOOPBACK], group, 8888)


@pytest.mark.parametrize("is_looped", [True, False])
def test_every_catcher_of_this_host_receives_each_datagram_once_on_loopback(port: int, is_looped: bool) -> None:
    with ExitStack() as stack:
        catchers = [stack.enter_context(open_data_socket([LOOPBACK], GROUP, port)) for _ in range(3)]
        caster = stack.enter_context(open_caster_socket(LOOPBACK, GROUP, port, ttl=1, is_looped=is_looped))
        caster.sendto(b"hello", (GROUP, port))
        for catcher in catchers:
            catcher.settimeout(HANG_S)
            assert catcher.recvfrom(100) == (b"hello", (LOOPBACK.address, port - 1))
            catcher.setblocking(False)
            with pytest.raises(BlockingIOError):
                catcher.recv(100)


@pytest.fixture
def looped() -> Interface:
    try:
        return looped_interface(IPV6)
    except SocketError as error:
        pytest.skip(str(error))


def test_ipv6_is_received_on_this_host_without_leaving_it(looped: Interface, port: int) -> None:
    group = "ff15::4321"
    with ExitStack() as stack:
        catchers = [stack.enter_context(open_data_socket([looped], group, port)) for _ in range(2)]
        elsewhere = stack.enter_context(open_data_socket([looped], "ff15::4322", port))
        caster = stack.enter_context(open_caster_socket(looped, group, port, ttl=0, is_looped=True))
        reply = stack.enter_context(open_reply_socket(IPV6))
        segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", 1000))]
        caster.sendmsg([b"x" * 2500], segment, 0, looped.at(group, port))
        for catcher in catchers:
            catcher.settimeout(HANG_S)
            datagram, source = catcher.recvfrom(5000)
            assert len(datagram) == 2500, "merged"
            assert source[:2] == (looped.address, port - 1)
            catcher.setblocking(False)
            with pytest.raises(BlockingIOError):
                catcher.recv(100)
        with pytest.raises(BlockingIOError):
            elsewhere.recv(100)
        reply.sendto(b"report", source)
        caster.settimeout(HANG_S)
        assert caster.recv(100) == b"report"


def test_nothing_is_fragmented(looped: Interface, port: int) -> None:
    group = "ff15::4321"
    with open_caster_socket(looped, group, port, ttl=0, is_looped=True) as caster:
        assert caster.sendto(bytes(looped.mtu - 48), looped.at(group, port)) == looped.mtu - 48
        with pytest.raises(OSError, match="Message too long"):
            caster.sendto(bytes(looped.mtu - 47), looped.at(group, port))


def test_other_groups_on_the_same_port_are_not_received(port: int) -> None:
    with (
        open_data_socket([LOOPBACK], GROUP, port) as ours,
        open_data_socket([LOOPBACK], "239.255.67.94", port) as theirs,
        open_caster_socket(LOOPBACK, GROUP, port, ttl=1, is_looped=True) as caster,
    ):
        caster.sendto(b"theirs", ("239.255.67.94", port))
        theirs.settimeout(HANG_S)
        assert theirs.recv(100) == b"theirs"
        with pytest.raises(BlockingIOError):
            ours.recv(100)


def test_the_data_socket_merges_packets_and_counts_drops(port: int) -> None:
    with open_data_socket([LOOPBACK], GROUP, port, buffer_bytes=1 << 20) as opened:
        assert opened.getsockopt(socket.IPPROTO_UDP, UDP_GRO) == 1
        assert opened.getsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL) == 1
        assert granted_buffer(opened) == opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > 4096


def test_reports_reach_the_caster(port: int) -> None:
    with (
        open_caster_socket(LOOPBACK, GROUP, port, ttl=1, is_looped=True) as caster,
        open_reply_socket() as reply,
    ):
        reply.sendto(b"report", (LOOPBACK.address, port - 1))
        caster.settimeout(HANG_S)
        message, source = caster.recvfrom(100)
        assert message == b"report"
        caster.sendto(b"ack", source)
        reply.settimeout(HANG_S)
        assert reply.recv(100) == b"ack"


def test_a_port_in_use_is_one_sentence(port: int) -> None:
    with (
        open_caster_socket(LOOPBACK, GROUP, port, ttl=1, is_looped=True),
        pytest.raises(SocketError, match=rf"port {port - 1} is in use; another session may be running"),
    ):
        open_caster_socket(LOOPBACK, GROUP, port, ttl=1, is_looped=True)


def test_an_address_of_another_host_is_one_sentence(port: int) -> None:
    elsewhere = Interface(LOOPBACK.name, LOOPBACK.ifindex, "192.0.2.1", 1500, False)
    with pytest.raises(SocketError, match=r"192.0.2.1 port \d+ is not an address of this host"):
        open_caster_socket(elsewhere, GROUP, port, ttl=1, is_looped=True)


def test_a_removed_interface_is_one_sentence(port: int) -> None:
    gone = Interface("eth99", 9999, "127.0.0.1", 1500, False)
    with pytest.raises(SocketError, match="interface eth99 is gone, or does not support multicast"):
        open_data_socket([gone], GROUP, port)
    with pytest.raises(SocketError, match=r"is not an address of this host|eth99 is gone"):
        open_caster_socket(gone, GROUP, port, ttl=1, is_looped=True)
