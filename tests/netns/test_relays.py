"""Targets that pass pages on to one another, where multicast is not heard: one copy leaves the master all the same."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.fleet import Fleet
from tests.netns.lab import Host, Lab, run
from tests.netns.process import Process
from tests.netns.subnets import Subnets
from tests.netns.test_firewalls import let_in_only_answers
from tests.netns.test_networks import FAMILIES, MEGABYTE, MakeSubnets, make_subnets, plain_tree, start_mrsync
from tests.support.waiting import HANG_S

pytestmark = pytest.mark.netns
__all__ = ["make_subnets"]  # a fixture
DEAF = "it does not receive the group"


def wire_up(fleet: Fleet, hearers: int = 0) -> None:
    """Have targets send packets of wire size, as the master does, and all but some of them hear no multicast."""
    for number, host in enumerate(fleet.lab.targets):
        run(*host.command("ethtool", "-K", "eth0", "tx-udp-segmentation", "off"))
        if number >= hearers:
            host.deafen()
        dest = fleet.source.parent / host.address
        dest.mkdir()
        fleet.dest(host).symlink_to(dest)


def start(fleet: Fleet, *options: str) -> Process:
    names = [host.address for host in fleet.targets]
    return start_mrsync(fleet, names, "--report", str(fleet.report_path), *options)


def copies(fleet: Fleet, size: int, *options: str) -> float:
    """How often the contents left the master in a session that went well."""
    before = fleet.lab.master.wire_bytes()[0]
    caster = start(fleet, *options)
    assert caster.wait() == 0, caster.output
    print(caster.output)
    assert fleet.differences() == {}
    return (fleet.lab.master.wire_bytes()[0] - before) / size


def parents(report: dict[str, Any]) -> dict[str, str | None]:
    return {name: target["parent"] for name, target in report["targets"].items()}


@FAMILIES
def test_master_sends_one_copy_without_multicast(make_lab: MakeLab, tmp_path: Path, is_ipv6: bool) -> None:
    fleet = Fleet(make_lab(4, is_ipv6=is_ipv6), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet)
    assert copies(fleet, size) < 1.5
    report = fleet.report()
    assert {(target["path"], target["path_reason"]) for target in report["targets"].values()} <= {
        ("unicast", DEAF),
        ("relay", DEAF),
    }
    assert sum(target["pages_passed_on"] for target in report["targets"].values()) > 0


def test_firewalls_of_targets_let_in_only_answers(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(4), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet)
    for host in fleet.lab.targets:
        let_in_only_answers(host)
        host.run("nft", "add rule inet answers input udp dport 8888 accept")
    assert copies(fleet, size) < 1.5


def test_losses_on_a_hop_are_repaired(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(4), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet)
    for host in fleet.lab.targets:
        host.lose(0.01, up=0.01)
    assert copies(fleet, size) < 1.6
    assert sum(target["packets_passed_again"] for target in fleet.report()["targets"].values()) > 0


def test_targets_with_multicast_forward_to_those_without(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(5), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet, hearers=2)
    assert copies(fleet, size) < 1.5
    report = fleet.report()
    hearers = {host.address for host in fleet.lab.targets[:2]}
    assert {name for name, target in report["targets"].items() if target["path"] == "multicast"} == hearers
    assert hearers.intersection(filter(None, parents(report).values()))


def test_one_copy_crosses_a_router_that_passes_no_multicast(make_subnets: MakeSubnets, tmp_path: Path) -> None:
    lab = make_subnets(2, is_routed=True)
    fleet = Fleet(lab, tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet, hearers=2)
    before = crossed(lab)
    assert copies(fleet, size) < 2.5
    assert (crossed(lab) - before) / size < 1.5


def island(lab: Subnets, tmp_path: Path, targets: Sequence[Host] = ()) -> Fleet:
    """Three targets behind a router that forwards no multicast, and perhaps others."""
    fleet = Fleet(lab, tmp_path, targets)
    wire_up(fleet, hearers=len(lab.targets))
    return fleet


def test_one_copy_crosses_a_router_and_one_is_cast_behind_it(make_subnets: MakeSubnets, tmp_path: Path) -> None:
    lab = make_subnets(3, is_routed=True)
    fleet = island(lab, tmp_path, [lab.near[0], *lab.far])
    size = plain_tree(fleet.source, 6 * MEGABYTE)
    before, sent_before = crossed(lab), [host.wire_bytes()[0] for host in lab.far]
    assert copies(fleet, size) < 2.6
    assert (crossed(lab) - before) / size < 1.6
    assert (sum(host.wire_bytes()[0] for host in lab.far) - sum(sent_before)) / size < 1.6
    first, *others = (host.address for host in lab.far)
    head = lab.near[0].address
    assert parents(fleet.report()) == {head: None, first: head} | dict.fromkeys(others, first)


def test_failed_relay_of_an_island_affects_no_other_target(make_subnets: MakeSubnets, tmp_path: Path) -> None:
    lab = make_subnets(3, is_routed=True, is_ipv6=True)
    fleet = island(lab, tmp_path, lab.far)
    plain_tree(fleet.source, 4 * MEGABYTE)
    caster = start(fleet, "--rate", "2M", "-w", "20", "--progress", "json", "-v", "1")
    caster.wait_for('"phase": "casting"')
    relay, *others = lab.far
    for pid in processes(relay):
        os.kill(pid, signal.SIGKILL)
    assert caster.wait() == 23, caster.output
    assert f"{relay.address} >> " in caster.output
    assert list(fleet.differences()) == [relay.name]
    assert parents(fleet.report())[others[1].address] == others[0].address


def crossed(lab: Lab) -> int:
    """Bytes that the router brought to the far network."""
    port: dict[str, Any] = json.loads(run("ip", "-n", lab.switch, "-j", "-s", "link", "show", "e-between"))[0]
    return int(port["stats64"]["rx"]["bytes"])


def processes(host: Host) -> list[int]:
    """All that runs there."""
    return [int(pid) for pid in run("ip", "netns", "pids", host.namespace).split()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_failed_relay_affects_no_other_target(make_lab: MakeLab, tmp_path: Path, number: signal.Signals) -> None:
    fleet = Fleet(make_lab(4), tmp_path)
    plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet)
    caster = start(fleet, "--rate", "2M", "-w", "20", "--progress", "json")
    caster.wait_for('"phase": "casting"')
    relay = fleet.lab.targets[1]
    stricken = processes(relay)
    for pid in stricken:
        os.kill(pid, number)
    try:
        assert caster.wait() == 23, caster.output
    finally:
        for pid in set(stricken).intersection(processes(relay)):
            os.kill(pid, signal.SIGKILL)
    assert list(fleet.differences()) == [relay.name]
    report = fleet.report()
    assert report["targets"][relay.address]["state"] == "lost"
    assert relay.address not in parents(report).values()


def test_targets_that_may_not_talk_to_each_other_get_a_copy_each(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    size = plain_tree(fleet.source, 6 * MEGABYTE)
    wire_up(fleet)
    for host in fleet.lab.targets:
        forbid(fleet.lab, host)
    assert 2.9 < copies(fleet, size) < 4
    report = fleet.report()
    assert set(parents(report).values()) == {None}
    assert any("targets cannot forward pages to" in text for text in report["warnings"])


def forbid(lab: Lab, host: Host) -> None:
    """Have this host drop UDP from all but the master."""
    chain = f"type filter hook input priority 0;\n meta l4proto udp ip saddr != {lab.master.address} drop\n"
    rules = f"table inet closed {{ chain input {{ {chain} }}\n}}\n"
    run(*host.command("nft", "-f", "-"), stdin=rules)


def test_unicast_as_asked_for_means_a_copy_for_each(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(2), tmp_path)
    size = plain_tree(fleet.source, 6 * MEGABYTE)
    wire_up(fleet)
    assert copies(fleet, size, "--unicast") > 1.9
    assert set(parents(fleet.report()).values()) == {None}


@pytest.mark.parametrize(
    "option",
    [
        ("--commit", "job"),
        ("--commit", "each"),
        ("--no-encrypt",),
        ("--delta",),
        ("-z",),
        ("--interface", "eth0", "--rate", "8M"),
    ],
)
def test_options_work_through_relays(make_lab: MakeLab, tmp_path: Path, option: tuple[str, ...]) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    size = plain_tree(fleet.source, 4 * MEGABYTE)
    wire_up(fleet)
    for host in fleet.lab.targets[:2]:
        (fleet.dest(host) / "big").write_bytes((fleet.source / "big").read_bytes()[: size // 2] + os.urandom(size // 2))
    assert copies(fleet, size, *option) < 2


def test_interrupted_run_is_resumed_through_relays(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    wire_up(fleet)
    caster = start(fleet, "--rate", "4M")
    wait_until_staged(fleet, 3 * MEGABYTE, caster)
    caster.signal(signal.SIGINT)
    assert caster.wait() == 20, caster.output
    assert copies(fleet, size) < 0.9
    assert set(parents(fleet.report()).values()) != {None}


def test_file_that_changes_is_cast_again_through_relays(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    plain_tree(fleet.source, 4 * MEGABYTE)
    wire_up(fleet)
    caster = start(fleet, "--rate", "2M")
    wait_until_staged(fleet, MEGABYTE, caster)
    (fleet.source / "big").write_bytes(os.urandom(MEGABYTE))
    assert caster.wait() == 0, caster.output
    assert fleet.differences() == {}
    assert set(parents(fleet.report()).values()) != {None}


def wait_until_staged(fleet: Fleet, size: int, caster: Process) -> None:
    """Wait until every target has written this many bytes of the contents."""
    deadline = time.monotonic() + HANG_S
    while min(staged_bytes(fleet, host) for host in fleet.lab.targets) < size:
        assert time.monotonic() < deadline, caster.output
        time.sleep(0.01)


def staged_bytes(fleet: Fleet, host: Host) -> int:
    return sum(path.stat().st_blocks * 512 for path in fleet.dest(host).glob(".mrsync-*"))
