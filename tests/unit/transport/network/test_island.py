from __future__ import annotations

import random
import socket

import pytest

from mrsync.transport.network.interface import loopback_interface
from mrsync.transport.network.island import IslandSocket
from mrsync.transport.network.multicast import open_reply_socket
from tests.support.waiting import HANG_S

LOOPBACK = loopback_interface()


def test_pages_of_an_island_are_received_only_while_the_target_belongs_to_it() -> None:
    group = ("239.255.67.95", random.randrange(20000, 60000))
    island = IslandSocket([LOOPBACK])
    with open_reply_socket() as relay:
        island.aim(relay)
        listening = island.listen(group)
        assert isinstance(listening, socket.socket)
        listening.settimeout(HANG_S)
        relay.sendto(b"one", group)
        assert listening.recv(100) == b"one"
        island.leave()
        relay.sendto(b"two", group)
        assert island.listen(group) is None  # it is open
        relay.sendto(b"three", group)
        assert listening.recv(100) == b"three"
    island.close()
    assert listening.fileno() < 0


def test_packets_of_a_relay_stay_in_its_network() -> None:
    with open_reply_socket() as relay:
        relay.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 5)
        IslandSocket([LOOPBACK]).aim(relay)
        assert relay.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1


def test_a_group_that_cannot_be_joined_is_not_heard() -> None:
    assert IslandSocket([LOOPBACK]).listen(("192.0.2.1", 8888)) is None


@pytest.mark.parametrize("is_member", [True, False])
def test_closing_needs_no_membership(is_member: bool) -> None:
    island = IslandSocket([LOOPBACK])
    if is_member:
        island.listen(("239.255.67.95", random.randrange(20000, 60000)))
    island.leave()
    island.close()
