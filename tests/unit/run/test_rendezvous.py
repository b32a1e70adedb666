from __future__ import annotations

import random
import socket
from contextlib import closing

import pytest

from mrsync.errors import PortInUseError, SocketError, UsageError
from mrsync.run.rendezvous import PORTS, _random_group, find_rendezvous, open_rendezvous
from mrsync.run.settings import AUTO, GROUPS, LOCAL, CastSettings, Network
from mrsync.transport.network.interface import loopback_interface
from mrsync.transport.network.paths import PathKind
from mrsync.transport.network.routes import Ways

LOOPBACK = loopback_interface()


def settings(*targets: str, shell: str | None = None, **network: object) -> CastSettings:
    return CastSettings(b"/from", b"/to", targets, shell, b"", Network(**network))  # type: ignore[arg-type]


def free_port() -> int:
    return random.randrange(32000, 60000, 2)


def test_a_session_on_this_host_meets_on_loopback() -> None:
    rendezvous = find_rendezvous(settings("a", "b", shell=LOCAL))
    assert (rendezvous.group, rendezvous.port, rendezvous.ttl) == (GROUPS.ipv4, 8888, 1)
    assert rendezvous.interfaces == (LOOPBACK,)
    assert rendezvous.mtu == LOOPBACK.mtu
    assert not rendezvous.is_ipv6


def test_the_family_of_a_group_needs_an_address_of_that_family() -> None:
    assert find_rendezvous(settings("127.0.0.1")).interfaces == (LOOPBACK,)
    with pytest.raises(SocketError, match=r"127.0.0.1 has no IPv6 address that is known here"):
        find_rendezvous(settings("127.0.0.1", group="ff15::1"))


def test_targets_of_two_families_are_named() -> None:
    with pytest.raises(UsageError, match=r"^127.0.0.1 has only an IPv4 address .*, ::1 only an IPv6 address"):
        find_rendezvous(settings("127.0.0.1", "::1"))


@pytest.mark.parametrize(
    ("names", "problem"),
    [("eth99", "there is no interface eth99 here"), ("lo,eth99", "no interface eth99"), (",", "-I names no interface")],
)
def test_interfaces_that_cannot_be_are_refused(names: str, problem: str) -> None:
    with pytest.raises((SocketError, UsageError), match=problem):
        find_rendezvous(settings("a", interface=names))


def test_interfaces_named_twice_are_used_once() -> None:
    assert find_rendezvous(
        settings("127.0.0.1", interface=f"lo, {LOOPBACK.address},{LOOPBACK.ifindex}")
    ).interfaces == (LOOPBACK,)


def test_a_path_leads_out_of_every_interface() -> None:
    rendezvous, paths = open_rendezvous(settings("a", shell=LOCAL, port=free_port()))
    with closing(paths[0].socket):
        assert [(path.address, path.kind) for path in paths] == [
            ((rendezvous.group, rendezvous.port), PathKind.MULTICAST)
        ]
        assert paths[0].socket.getsockname() == (LOOPBACK.address, rendezvous.port - 1)
        with pytest.raises(PortInUseError, match="another session may be running"):
            open_rendezvous(settings("a", shell=LOCAL, port=rendezvous.port))


def test_a_place_chosen_automatically_avoids_ports_in_use() -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK.address, port - 1))
        rendezvous, paths = open_rendezvous(settings("a", shell=LOCAL, group=AUTO, port=port))
    with closing(paths[0].socket):
        assert rendezvous.group.startswith("239.255.")
        assert rendezvous.port in PORTS
    rendezvous, paths = open_rendezvous(settings("a", shell=LOCAL, group=AUTO, port=port))
    with closing(paths[0].socket):
        assert rendezvous.port == port  # it was free


@pytest.mark.parametrize("is_ipv6", [False, True])
def test_groups_chosen_automatically_are_no_island_of_others(is_ipv6: bool) -> None:
    place = find_rendezvous(settings("a", shell=LOCAL))
    islands = [place._replace(group=_random_group(is_ipv6)).island[0] for _ in range(64)]
    assert all(address[-1] & 1 for address in islands), "their own groups are even"


def test_targets_behind_a_router_need_a_ttl() -> None:
    rendezvous = find_rendezvous(settings("a", "b", shell=LOCAL))._replace(routed=(1,))
    assert rendezvous.routed_names(("a", "b")) == ["b"]
    assert rendezvous._replace(ttl=2).routed_names(("a", "b")) == []


def test_the_notice_names_targets_behind_other_interfaces() -> None:
    rendezvous = find_rendezvous(settings("a", "b", "c", "d", shell=LOCAL))
    assert rendezvous.describe(("a", "b", "c", "d")) == f"group {GROUPS.ipv4} port 8888 on lo"
    second = rendezvous._replace(interfaces=(LOOPBACK, LOOPBACK._replace(name="eth1")))
    assert second._replace(behind=(0, 1, None, 1)).describe(("n1", "n2", "n3", "n4")).endswith(" on lo, eth1 (n[2,4])")
    assert second.describe(("n1", "n2", "n3", "n4")).endswith(" on lo, eth1 (as told)")


def test_interface_without_multicast_serves_unicast(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = LOOPBACK._replace(is_loopback=False, has_multicast=False)
    unplugged = deaf._replace(name="eth1", has_carrier=False)
    towards = Ways((LOOPBACK, deaf, unplugged), (0, 1, 2))
    monkeypatch.setattr("mrsync.run.rendezvous.ways_towards", lambda hosts, family: towards)
    rendezvous = find_rendezvous(settings("a", "b", "c"), has_unicast=True)
    assert rendezvous.interfaces == (LOOPBACK, deaf)
    assert (rendezvous.behind, rendezvous.is_unicast) == ((0, 1, None), False)
    assert [warning.partition(":")[0] for warning in rendezvous.warnings] == [
        "b can only be served by unicast",
        "c will hear nothing",
    ]
    assert find_rendezvous(settings("a", "b", "c")).interfaces == (LOOPBACK,)  # tools that measure multicast


def test_an_interface_that_is_too_narrow_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    towards = Ways((LOOPBACK, LOOPBACK._replace(name="eth1", mtu=1279)), (0, 1))
    monkeypatch.setattr("mrsync.run.rendezvous.ways_towards", lambda hosts, family: towards)
    with pytest.raises(SocketError, match="eth1 has an MTU of 1279 bytes, and sessions need 1280"):
        find_rendezvous(settings("a", "b"))


def test_without_multicast_nothing_is_sent_to_the_group() -> None:
    rendezvous, paths = open_rendezvous(settings("a", shell=LOCAL, port=free_port(), is_unicast=True), has_unicast=True)
    with closing(paths[0].socket):
        assert rendezvous.is_unicast
        assert [path.kind for path in paths] == [PathKind.ANSWER]
        assert rendezvous.describe(["a"]).startswith("unicast port ")
