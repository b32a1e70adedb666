from __future__ import annotations

import socket

import pytest

from mrsync.errors import SocketError
from mrsync.transport.network.interface import IPV6, Interface, deafness, has_scope, interface_named, loopback_interface

LOOPBACK = loopback_interface()


def test_loopback_is_found() -> None:
    assert LOOPBACK.is_loopback
    assert LOOPBACK.address.startswith("127.")
    assert LOOPBACK.ifindex == socket.if_nametoindex(LOOPBACK.name)
    assert LOOPBACK.mtu > 1500


@pytest.mark.parametrize("wanted", [LOOPBACK.name, str(LOOPBACK.ifindex), LOOPBACK.address, "::1"])
def test_an_interface_is_named_by_name_index_or_address(wanted: str) -> None:
    assert interface_named(wanted) == LOOPBACK


def test_an_unknown_interface_is_refused_with_those_there_are() -> None:
    with pytest.raises(SocketError, match=rf"^there is no interface eth99 here; there are .*{LOOPBACK.name}"):
        interface_named("eth99")


def test_an_interface_has_an_address_of_the_session_s_family() -> None:
    assert interface_named(LOOPBACK.address, IPV6) == interface_named("0:0::1", IPV6) == loopback_interface(IPV6)
    assert loopback_interface(IPV6).address == "::1"
    assert loopback_interface(IPV6).family == IPV6


@pytest.mark.parametrize(
    ("address", "is_scoped"),
    [
        ("fe80::1", True),
        ("ff02::1", True),
        ("ff12::9", True),
        ("ff15::9", False),
        ("fd00::1", False),
        ("10.0.0.1", False),
    ],
)
def test_some_addresses_mean_something_on_one_link_only(address: str, is_scoped: bool) -> None:
    assert has_scope(address) == is_scoped
    place = Interface("eth7", 7, address, 1500, False).at(address, 9000)
    assert place[:2] == (address, 9000)
    assert (place[3:] == (7,)) == is_scoped


def test_missing_multicast_is_reported() -> None:
    assert deafness(LOOPBACK) == ""
    assert "does not support multicast" in deafness(Interface("wg0", 5, "10.0.0.1", 1420, False, has_multicast=False))
    assert "has no carrier" in deafness(Interface("eth1", 5, "10.0.0.1", 1500, False, has_carrier=False))
