"""Networks as they are: several interfaces, both families, sessions side by side, routers."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.fleet import Fleet
from tests.netns.lab import Host
from tests.netns.process import Process
from tests.netns.subnets import Subnets, namespace_shell
from tests.programs import program
from tests.trees import differences

pytestmark = pytest.mark.netns

MEGABYTE = 1 << 20
FAMILIES = pytest.mark.parametrize("is_ipv6", [False, True], ids=["IPv4", "IPv6"])


class MakeSubnets(Protocol):
    def __call__(self, targets_per_side: int, *, is_routed: bool = False, is_ipv6: bool = False) -> Subnets: ...


@pytest.fixture
def make_subnets(_requirement: str | None) -> Iterator[MakeSubnets]:
    """Builds two networks that are gone when the test is over."""
    if _requirement is not None:
        pytest.skip(_requirement)
    with ExitStack() as labs:

        def make(targets_per_side: int, *, is_routed: bool = False, is_ipv6: bool = False) -> Subnets:
            lab = Subnets(targets_per_side, is_routed=is_routed, is_ipv6=is_ipv6)
            labs.enter_context(lab)
            return lab

        yield make


def plain_tree(path: Path, size: int) -> int:
    path.mkdir()
    (path / "big").write_bytes(os.urandom(size))
    return size


def start_mrsync(fleet: Fleet, hosts: list[str], *options: str, name: str = "{host}") -> Process:
    """The usual command on the master: catchers are started by a remote shell.

    name: of DEST beside the source.
    """
    shell = namespace_shell(fleet.lab, fleet.source.parent)
    dest = fleet.source.parent / name
    arguments = ("-r", shell, "-m", ",".join(hosts), "-s", fleet.source, "-t", dest, "-v", "1")
    return fleet.lab.master.start(*program("mrsync", *arguments, *options))


def start_sync(fleet: Fleet, hosts: list[Host], *options: str) -> Process:
    """Start a sync to hosts that are known by their addresses."""
    for host in hosts:
        dest = fleet.source.parent / host.address
        dest.mkdir(exist_ok=True)
        if not fleet.dest(host).exists():
            fleet.dest(host).symlink_to(dest)
    return start_mrsync(fleet, [host.address for host in hosts], *options)


def sync(fleet: Fleet, hosts: list[Host], *options: str) -> str:
    """Sync to hosts that are known by their addresses; what was said."""
    process = start_sync(fleet, hosts, *options)
    status = process.wait()
    print(process.output)
    assert status == 0
    return process.output


@FAMILIES
def test_a_master_casts_on_every_interface_that_targets_are_behind(
    make_subnets: MakeSubnets, tmp_path: Path, is_ipv6: bool
) -> None:
    fleet = Fleet(make_subnets(2, is_ipv6=is_ipv6), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    before = [host.wire_bytes()[1] for host in fleet.lab.targets]
    said = sync(fleet, fleet.lab.targets)
    names = {"IPv6": "fd78::[1003-1004]", "IPv4": "10.78.0.[13-14]"}["IPv6" if is_ipv6 else "IPv4"]
    assert f"on eth0, eth1 ({names})" in said
    assert fleet.differences() == {}
    for host, bytes_before in zip(fleet.lab.targets, before, strict=True):
        assert size < host.wire_bytes()[1] - bytes_before < 1.2 * size, "each target hears everything once"


def test_interfaces_can_be_named_and_catchers_started_by_hand(make_subnets: MakeSubnets, tmp_path: Path) -> None:
    lab = make_subnets(1)
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, MEGABYTE)
    fleet.start_catchers()
    assert fleet.cast("-I", f"eth1,{lab.master.address}") == 0  # the last -I counts
    assert fleet.differences() == {}


def test_loss_on_one_side_is_repaired_on_both(make_subnets: MakeSubnets, tmp_path: Path) -> None:
    lab = make_subnets(2)
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, 8 * MEGABYTE)
    lab.far[0].lose(0.02, up=0.02)
    lab.near[1].lose(0.01)
    sync(fleet, lab.targets)
    assert fleet.differences() == {}


@pytest.mark.parametrize("change", ["set eth1 down", "delete eth1"])
def test_when_one_interface_goes_the_targets_behind_the_other_are_served(
    make_subnets: MakeSubnets, tmp_path: Path, change: str
) -> None:
    lab = make_subnets(1)
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, 12 * MEGABYTE)
    fleet.start_catchers()
    caster = fleet.start_caster("-I", "eth0,eth1", "-w", "2", "--rate", "4M", "--progress", "json")
    caster.wait_for('"phase": "casting"')
    assert lab.master.run("ip", "link", *change.split()).returncode == 0
    assert caster.wait() == 23
    assert fleet.report()["targets"]["t2"]["state"] == "lost"
    assert list(fleet.differences()) == ["t2"]


@FAMILIES
def test_when_the_mtu_of_one_interface_shrinks_packets_leave_in_fragments(
    make_subnets: MakeSubnets, tmp_path: Path, is_ipv6: bool
) -> None:
    lab = make_subnets(1, is_ipv6=is_ipv6)
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, 12 * MEGABYTE)
    fleet.start_catchers()
    caster = fleet.start_caster("-I", "eth0,eth1", "-w", "2", "--rate", "4M", "--progress", "json")
    caster.wait_for('"phase": "casting"')
    assert lab.master.run("ip", "link", "set", "eth1", "mtu", "1400").returncode == 0
    assert caster.wait() == 0
    assert fleet.differences() == {}


@pytest.mark.parametrize("kind", ["bridge", "bond", "macvlan"])
def test_a_master_may_sit_on_any_kind_of_interface(make_lab: MakeLab, tmp_path: Path, kind: str) -> None:
    fleet = Fleet(make_lab(2), tmp_path)
    plain_tree(fleet.source, 4 * MEGABYTE)
    master = fleet.lab.master
    below = "link eth0 mode bridge" if kind == "macvlan" else ""
    if master.run(*f"ip link add lan0 {below.replace('mode bridge', '')} type {kind}".split()).returncode:
        pytest.skip(f"this kernel has no interfaces of type {kind}")
    moves = [f"addr del {master.address}/16 dev eth0", "link set eth0 down"]
    if kind != "macvlan":
        moves.append("link set eth0 master lan0")
    moves += ["link set eth0 up", "link set lan0 up", f"addr add {master.address}/16 dev lan0"]
    for move in moves:
        assert master.run("ip", *move.split()).returncode == 0, move
    assert "on lan0" in sync(fleet, fleet.lab.targets)
    assert fleet.differences() == {}


def test_interface_without_multicast_means_unicast(make_subnets: MakeSubnets, tmp_path: Path) -> None:
    lab = make_subnets(1)
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, MEGABYTE)
    lab.master.run("ip", "link", "set", "eth1", "multicast", "off")
    said = sync(fleet, lab.targets)
    assert f"{lab.far[0].address} can only be served by unicast: interface eth1 does not support multicast" in said
    assert f"2 copies on the link: 1 by multicast, 1 by unicast ({lab.far[0].address})" in said
    assert fleet.differences() == {}
    (fleet.source / "more").write_bytes(b"more")
    assert "1 copy on the link, by unicast" in sync(fleet, lab.far)
    assert list(fleet.differences()) == ["t1"]


def test_an_interface_without_a_carrier_is_named(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(1), tmp_path)
    plain_tree(fleet.source, 1000)
    fleet.lab.master.unplug()
    caster = fleet.start_caster()
    assert caster.wait() == 10
    assert "interface eth0 has no carrier" in caster.output


def test_link_local_addresses_are_enough(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(2, is_ipv6=True), tmp_path)
    plain_tree(fleet.source, 2 * MEGABYTE)
    for host in fleet.lab.hosts:
        host.run("ip", "addr", "del", f"{host.address}/64", "dev", "eth0")
        host.address = host.address.replace("fd77::", "fe80::77:")
        assert host.run("ip", "addr", "add", f"{host.address}/64", "dev", "eth0", "nodad").returncode == 0
    for host in fleet.lab.targets:
        host.address += "%eth0"
    foot = fleet.lab.targets[0]  # has another interface, and cannot know where the master is
    assert foot.run(*["ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth2"]).returncode == 0
    assert [foot.run("ip", "link", "set", name, "up").returncode for name in ("eth1", "eth2")] == [0, 0]
    here = f"{fleet.lab.master.address}%eth0"
    for place in ((), ("-A", "ff12::4321"), ("-A", "ff02::4321", "-I", here)):
        sync(fleet, fleet.lab.targets, *place)
        assert fleet.differences() == {}


def test_targets_that_no_group_reaches_are_named(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(2), tmp_path)
    plain_tree(fleet.source, 1000)
    process = start_mrsync(fleet, ["10.77.0.11", "fd77::2"])
    assert process.wait() == 1
    assert "10.77.0.11 has only an IPv4 address that is known here, fd77::2 only an IPv6 address" in process.output
    assert "-A" in process.output


def test_targets_on_this_host_by_ipv6(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(2, is_ipv6=True)
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, 4 * MEGABYTE)
    before = lab.master.wire_bytes()[0]
    arguments = ("-r", "local", "-A", "ff15::4321", "-s", fleet.source, "-t", tmp_path / "{host}", "-m", "t1,t2")
    done = lab.master.run(*program("mrsync", *arguments, "-v", "1"))
    assert (done.returncode, "on eth0" in done.stderr) == (0, True), done  # Linux has no IPv6 multicast on lo
    assert fleet.differences() == {}
    assert lab.master.wire_bytes()[0] - before < 100_000, "nothing leaves"
    done = lab.master.run(*program("mrsync", *arguments, "-I", "lo"))
    assert "served by unicast: interface lo does not support multicast" in done.stderr
    assert done.returncode == 0, done


# sessions side by side


def test_sessions_on_different_groups_and_ports_do_not_disturb_one_another(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(3)
    fleets = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fleets.append(Fleet(lab, tmp_path / name))
        plain_tree(fleets[-1].source, 8 * MEGABYTE)
    places = (("-A", "239.255.1.1"), ("-A", "239.255.1.2", "-P", "9000"))
    for fleet, place in zip(fleets, places, strict=True):
        fleet.start_catchers(*place)
    casters = [fleet.start_caster(*place) for fleet, place in zip(fleets, places, strict=True)]
    assert [caster.wait() for caster in casters] == [0, 0]
    assert [fleet.differences() for fleet in fleets] == [{}, {}]
    for caster in casters:
        assert "another session" not in caster.output


def test_two_sessions_of_one_master_share_a_port(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(2, rate="25mbit")
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, 12 * MEGABYTE)
    fleet.start_catchers()
    first = fleet.start_caster("--progress", "json")
    first.wait_for('"phase": "casting"')
    second = fleet.start_caster("-w", "1")
    assert second.wait() == 10
    assert (
        "port 8887 is in use; another session may be running (choose another port with -P, or -A auto)" in second.output
    )
    assert first.wait() == 0
    assert fleet.differences() == {}


def test_two_masters_on_one_group_by_accident_both_work_with_a_warning(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(4, rate="25mbit")
    master, *rest = lab.targets  # one of them is a master itself
    fleets = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fleets.append(Fleet(lab, tmp_path / name))
        plain_tree(fleets[-1].source, 12 * MEGABYTE)
    first = start_mrsync(fleets[0], [host.name for host in rest], "-I", "eth0", "--progress", "json")
    first.wait_for('"phase": "casting"')
    lab.master = master
    second = start_mrsync(fleets[1], [host.name for host in rest], "-I", "eth0")
    assert [first.wait(), second.wait()] == [0, 0], first.output + second.output
    sentence = "another session casts to 239.255.67.92 port 8888, from 10.77.0.1: both are slower (try -A auto)"
    assert sentence in second.output
    for fleet in fleets:
        assert {name for name in fleet.differences()} == {master.name}


def test_two_masters_with_one_key_share_the_targets_and_mix_nothing_up(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(3, rate="50mbit")
    *here, other_master = lab.targets
    fleets = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fleets.append(Fleet(lab, tmp_path / name))
        plain_tree(fleets[-1].source, 12 * MEGABYTE)
    catchers = [fleets[0].start_catcher(host) for host in here]
    casters = [fleets[0].start_caster("-w", "3")]
    lab.master = other_master
    casters.append(fleets[1].start_caster("-w", "3"))
    statuses = [caster.wait() for caster in casters]
    assert [catcher.wait() for catcher in catchers] == [0, 0]
    # Each lacks the third target at least. On a busy machine one may have greeted a target that then joined the other.
    assert set(statuses) <= {5, 23, 30}, "\n".join(caster.output for caster in casters)
    assert any("another session casts to 239.255.67.92 port 8888" in caster.output for caster in casters)
    for host in here:
        dest = fleets[0].dest(host)
        assert [] in [differences(fleet.source, dest) for fleet in fleets], "the tree of one of them, whole"


@FAMILIES
def test_automatic_group_and_port_are_unused(make_lab: MakeLab, tmp_path: Path, is_ipv6: bool) -> None:
    lab = make_lab(2, is_ipv6=is_ipv6)
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, MEGABYTE)
    blocker = lab.master.start(
        "python3",
        "-c",
        f"""
import socket
opened = socket.socket(socket.{"AF_INET6" if is_ipv6 else "AF_INET"}, socket.SOCK_DGRAM)
opened.bind(("{lab.master.address}", 8887))
print("bound", flush=True)
opened.recv(1)""",
    )
    blocker.wait_for("bound")
    said = sync(fleet, lab.targets, "-A", "auto")
    found = re.search(r"group (\S+) port (\d+) on eth0", said)
    assert found is not None
    assert found[1].startswith("ff15::" if is_ipv6 else "239.255.")
    assert 20000 <= int(found[2]) < 32000
    assert fleet.differences() == {}


# routers


@FAMILIES
def test_a_multicast_router_is_passed_with_a_higher_ttl(
    make_subnets: MakeSubnets, tmp_path: Path, is_ipv6: bool
) -> None:
    if shutil.which("smcrouted") is None:
        pytest.skip("smcrouted is not installed (Debian: smcroute)")
    lab = make_subnets(1, is_routed=True, is_ipv6=is_ipv6)
    lab.start_multicast_router("ff15::4321" if is_ipv6 else "239.255.1.1", tmp_path)
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, 4 * MEGABYTE)
    group = ("-A", "ff15::4321" if is_ipv6 else "239.255.1.1")
    sync(fleet, lab.targets, *group, "-T", "2")
    assert fleet.differences() == {}
    (fleet.source / "more").write_bytes(b"more")
    fleet.start_catchers(*group)
    addresses = ",".join(host.address for host in lab.targets)
    caster = fleet.start_caster(*group, "-w", "2", names=addresses)
    assert caster.wait() == 23  # started by hand they know no master to ask for unicast
    sentence = f"{lab.far[0].address}: behind a router, which passes no multicast with TTL 1 (-T)"
    assert sentence in caster.output
    assert list(fleet.differences()) == [lab.far[0].name]
    assert sentence in sync(fleet, lab.targets, *group, "--relay", "no")
    assert fleet.differences() == {}


@FAMILIES
@pytest.mark.parametrize("way", [("-T", "2"), ("--unicast",)], ids=["multicast", "unicast"])
def test_when_the_mtu_behind_a_router_shrinks_it_gets_fragments(
    make_subnets: MakeSubnets, tmp_path: Path, way: tuple[str, ...], is_ipv6: bool
) -> None:
    lab = make_subnets(1, is_routed=True, is_ipv6=is_ipv6)
    assert lab.router is not None
    group = "ff15::4321" if is_ipv6 else "239.255.1.1"
    if way[0] == "-T":
        if shutil.which("smcrouted") is None:
            pytest.skip("smcrouted is not installed (Debian: smcroute)")
        lab.start_multicast_router(group, tmp_path)
    fleet = Fleet(lab, tmp_path)
    plain_tree(fleet.source, 12 * MEGABYTE)
    options = ("-A", group, *way, "-w", "3", "--rate", "4M", "--progress", "json")
    caster = start_sync(fleet, lab.targets, *options)
    caster.wait_for('"phase": "casting"')
    assert lab.router.run("ip", "link", "set", "eth1", "mtu", "1400").returncode == 0
    assert caster.wait() == 0, caster.output
    assert fleet.differences() == {}
