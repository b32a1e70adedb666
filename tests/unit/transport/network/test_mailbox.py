from __future__ import annotations

import socket

import pytest

from mrsync.transport.network.mailbox import receive_datagrams
from tests.support.waiting import HANG_S
from tests.unit.transport.link import Link, sample


@pytest.mark.parametrize("is_merging", [True, False])
def test_datagrams_come_one_by_one_whatever_the_kernel_merged(is_merging: bool) -> None:
    with Link(sample(1), is_merging=is_merging) as link:
        if is_merging:
            link.send_merged([b"a" * 40, b"b" * 40, b"c"])
        else:
            for datagram in (b"a" * 40, b"b" * 40, b"c"):
                link.caster.sendto(datagram, link.address)
        link.receiver.settimeout(HANG_S)
        received: list[bytes] = []
        while len(received) < 3:
            datagrams, source = receive_datagrams(link.receiver)
            received += datagrams
            assert source == link.caster.getsockname()
        assert received == [b"a" * 40, b"b" * 40, b"c"]
        link.receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receive_datagrams(link.receiver)


def test_an_empty_datagram_is_ignored() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        near.bind(("127.0.0.1", 0))
        near.settimeout(HANG_S)
        far.sendto(b"", near.getsockname())
        assert receive_datagrams(near)[0] == []
