"""Traffic classes, by what arrives."""

from __future__ import annotations

import socket

import pytest

from mrsync.transport.network.mailbox import ANCILLARY_BYTES, read_ancillary
from mrsync.transport.network.socket_options import CLASS_IPV4, MARKS_IPV4, try_option
from mrsync.transport.network.traffic_class import set_traffic_class
from mrsync.wire.messages import NetworkShare


def arriving(value: NetworkShare | int) -> tuple[int, bool]:
    """The class that a datagram arrives with, and whether it counts as marked."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        if not try_option(receiver, MARKS_IPV4, 1):
            pytest.skip("IP_RECVTOS is not available")
        if isinstance(value, NetworkShare):
            set_traffic_class(sender, value)
        else:
            try_option(sender, CLASS_IPV4, value)
        sender.sendto(b"x", receiver.getsockname())
        ancillary = receiver.recvmsg(10, ANCILLARY_BYTES)[1]
        return ancillary[0][2][0], read_ancillary(ancillary)[2]


@pytest.mark.parametrize(
    ("share", "expected"), [(NetworkShare.ALL, 0), (NetworkShare.FAIR, 0b10), (NetworkShare.POLITE, 0b110)]
)
def test_shares_have_their_class(share: NetworkShare, expected: int) -> None:
    assert arriving(share) == (expected, False)


@pytest.mark.parametrize(("traffic_class", "is_marked"), [(0b11, True), (0b111, True), (0b01, False), (0b100, False)])
def test_marks_are_told_from_classes(traffic_class: int, is_marked: bool) -> None:
    assert arriving(traffic_class) == (traffic_class, is_marked)
