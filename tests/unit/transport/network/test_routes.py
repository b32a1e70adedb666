from __future__ import annotations

import pytest

from mrsync.errors import SocketError
from mrsync.transport.network.interface import IPV4, IPV6, loopback_interface
from mrsync.transport.network.routes import (
    Ways,
    has_address,
    interfaces_towards_master,
    is_this_host,
    looped_interface,
    ways_through,
    ways_towards,
)

LOOPBACK = loopback_interface()


def test_targets_on_this_host_only_need_loopback() -> None:
    assert ways_towards(["127.0.0.1", "localhost"], IPV4) == Ways((LOOPBACK,), (0, 0), is_local=True)
    assert is_this_host("localhost")


def test_unknown_hosts_are_skipped() -> None:
    ways = ways_towards(["no-such-host.invalid", "127.0.0.1"], IPV4)
    assert (ways.interfaces, ways.behind) == ((LOOPBACK,), (None, 0))
    assert not is_this_host("no-such-host.invalid")
    assert ways_through((LOOPBACK,), ["no-such-host.invalid", "127.0.0.1"], IPV4) == Ways((LOOPBACK,), (None, 0))


def test_without_any_known_target_there_is_no_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.transport.network.routes.multicast_interfaces", lambda family: [])
    with pytest.raises(SocketError, match=r"^cannot choose an interface: no-such-host.invalid has no IPv4 address"):
        ways_towards(["no-such-host.invalid"], IPV4)
    with pytest.raises(SocketError, match="no targets"):
        ways_towards([], IPV4)


def test_a_name_has_addresses_of_its_families() -> None:
    assert has_address("127.0.0.1", IPV4)
    assert not has_address("127.0.0.1", IPV6)
    assert has_address("::1", IPV6)
    assert not has_address("::1", IPV4)


def test_a_catcher_listens_where_its_master_s_address_leads() -> None:
    assert interfaces_towards_master("127.0.0.1") == [LOOPBACK]
    assert interfaces_towards_master("::1") == [loopback_interface(IPV6)]


def test_sessions_on_this_host_find_an_interface() -> None:
    assert looped_interface(IPV4) == LOOPBACK
    try:
        assert looped_interface(IPV6).address.count(":") > 1
    except SocketError as error:
        assert "no interface here takes IPv6 multicast" in str(error)  # noqa: PT017 (both are right)
