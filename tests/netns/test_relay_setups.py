"""Relays where targets do not reach each other as the master reaches them, and where several fail at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.fleet import Fleet
from tests.netns.lab import Host, Lab, batch, run
from tests.netns.test_networks import MEGABYTE, plain_tree
from tests.netns.test_relays import copies, parents, processes, start, wait_until_staged, wire_up

pytestmark = pytest.mark.netns


class Wires(Lab):
    """Each target is behind a router on a wire of its own, with a /31: no two share a network."""

    @property
    def hosts(self) -> list[Host]:
        return [*super().hosts, Host(self, "router", "10.77.255.254")]

    def _build(self) -> None:
        super()._build()
        router = f"{self.name}-router"
        run("ip", "netns", "exec", router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        for number, host in enumerate(self.targets):
            gateway, host.address = (f"10.90.0.{2 * number + end}" for end in (0, 1))
            batch([f"link set {host.port} netns {router}"], namespace=self.switch)
            batch([f"addr add {gateway}/31 dev {host.port}", f"link set {host.port} up"], namespace=router)
            routes = [f"route add default via {gateway}", "route add 224.0.0.0/4 dev eth0"]
            batch(["addr flush dev eth0", f"addr add {host.address}/31 dev eth0", *routes], namespace=host.namespace)
        batch(["route add 10.90.0.0/16 via 10.77.255.254"], namespace=self.master.namespace)


@pytest.fixture
def wires(_requirement: str | None) -> Iterator[Lab]:
    if _requirement is not None:
        pytest.skip(_requirement)
    with Wires(4) as lab:
        yield lab


def test_targets_on_wires_of_their_own_form_a_chain(wires: Lab, tmp_path: Path) -> None:
    fleet = Fleet(wires, tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    for host in wires.targets:
        (tmp_path / host.address).mkdir()
        fleet.dest(host).symlink_to(tmp_path / host.address)
    assert copies(fleet, size) < 2
    assert list(parents(fleet.report()).values()).count(None) == 1


def drop_from(host: Host, others: Iterable[Host]) -> None:
    """Have this host drop UDP from others."""
    addresses = ", ".join(other.address for other in others)
    chain = f"type filter hook input priority 0;\n meta l4proto udp ip saddr {{ {addresses} }} drop\n"
    run(*host.command("nft", "-f", "-"), stdin=f"table inet one_way {{ chain input {{ {chain} }}\n}}\n")


@pytest.mark.parametrize("is_upwards", [False, True], ids=["pages", "claims"])
def test_pair_that_is_open_one_way_only_is_no_link(make_lab: MakeLab, tmp_path: Path, is_upwards: bool) -> None:
    fleet = Fleet(make_lab(4), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet)
    parent, child = fleet.lab.targets[1:3]
    drop_from(*((parent, [child]) if is_upwards else (child, [parent])))
    assert copies(fleet, size) < 3.5
    assert parents(fleet.report())[child.address] != parent.address


def test_two_relays_that_die_at_once_affect_no_other_target(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(6), tmp_path)
    plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet)
    caster = start(fleet, "--rate", "2M", "-w", "20")
    wait_until_staged(fleet, 2 * MEGABYTE, caster)
    dead = [fleet.lab.targets[at] for at in (0, 3)]
    for pid in [pid for host in dead for pid in processes(host)]:
        os.kill(pid, signal.SIGKILL)
    assert caster.wait() == 23, caster.output
    assert list(fleet.differences()) == [host.name for host in dead]


def shape(host: Host, rate: str) -> None:
    """Give a host's link this rate both ways, with queues of 100 ms."""
    host.slow_down(rate)
    run("tc", "-n", host.namespace, *f"qdisc replace dev eth0 root tbf rate {rate} burst 64k latency 100ms".split())


def test_target_behind_a_slow_link_costs_no_copy_of_its_own(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(5), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet)
    for host in fleet.lab.hosts:
        shape(host, "50mbit")
    shape(fleet.lab.targets[2], "10mbit")
    assert copies(fleet, size) < 1.6


def test_target_that_gets_another_address_goes_on(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(4), tmp_path)
    plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet)
    caster = start(fleet, "--rate", "2M")
    wait_until_staged(fleet, 2 * MEGABYTE, caster)
    host = fleet.lab.targets[1]
    moves = [f"addr del {host.address}/16 dev eth0", "addr add 10.77.9.99/16 dev eth0"]
    batch([*moves, "route replace 224.0.0.0/4 dev eth0"], namespace=host.namespace)
    assert caster.wait() == 0, caster.output
    assert fleet.differences() == {}
