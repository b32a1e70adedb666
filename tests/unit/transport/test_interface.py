from __future__ import annotations

import socket

import pytest

from mrsync.errors import SocketError
from mrsync.transport.interface import interface_named, interface_towards, is_this_host, loopback_interface

LOOPBACK = loopback_interface()


def test_loopback_is_found() -> None:
    assert LOOPBACK.is_loopback
    assert LOOPBACK.address.startswith("127.")
    assert LOOPBACK.index == socket.if_nametoindex(LOOPBACK.name)
    assert LOOPBACK.mtu > 1500


@pytest.mark.parametrize("wanted", [LOOPBACK.name, str(LOOPBACK.index), LOOPBACK.address])
def test_an_interface_is_named_by_name_index_or_address(wanted: str) -> None:
    assert interface_named(wanted) == LOOPBACK


def test_an_unknown_interface_is_refused_with_those_there_are() -> None:
    with pytest.raises(SocketError, match=rf"^there is no interface eth99 here; there are .*{LOOPBACK.name}"):
        interface_named("eth99")


def test_targets_on_this_host_only_need_loopback() -> None:
    assert interface_towards(["127.0.0.1", "localhost"]) == LOOPBACK
    assert is_this_host("localhost")


def test_hosts_nobody_knows_are_passed_over() -> None:
    assert interface_towards(["no-such-host.invalid", "127.0.0.1"]) == LOOPBACK
    assert not is_this_host("no-such-host.invalid")


def test_without_any_known_target_there_is_no_interface() -> None:
    with pytest.raises(SocketError, match=r"^cannot choose an interface: no-such-host.invalid has no IPv4 address"):
        interface_towards(["no-such-host.invalid"])
    with pytest.raises(SocketError, match="no targets"):
        interface_towards([])
