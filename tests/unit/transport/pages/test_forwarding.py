"""Where a relay sends to."""

from __future__ import annotations

import socket

import pytest

from mrsync.transport.network.paths import Address
from mrsync.transport.pages.forwarding import endpoint, peer_address
from mrsync.wire.messages import Peer

LOOPBACK = socket.if_nametoindex("lo")


@pytest.mark.parametrize(
    ("peer", "caster", "address"),
    [
        ("192.0.2.7", ("192.0.2.1", 5), ("192.0.2.7", 9)),
        ("2001:db8::7", ("2001:db8::1", 5, 0, 0), ("2001:db8::7", 9, 0, 0)),
        ("fe80::7", ("fe80::1%lo", 5, 0, LOOPBACK), ("fe80::7%lo", 9, 0, LOOPBACK)),
        ("fe80::7", ("2001:db8::1", 5, 0, 0), None),
        ("fe80::7", ("fe80::1%gone", 5, 0, 0x7FFFFFFF), None),
        ("fe80::7", ("192.0.2.1", 5), None),
        ("192.0.2.7", ("2001:db8::1", 5, 0, 0), None),
    ],
)
def test_a_peer_is_on_the_link_of_the_caster_or_not_reached(
    peer: str, caster: Address, address: Address | None
) -> None:
    assert peer_address(Peer(3, 1, *endpoint((peer, 9))), caster) == address
