"""Hosts that multicast does not reach, or not large packets, or not any more: the session serves them all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.fleet import Fleet
from tests.netns.test_networks import FAMILIES, MEGABYTE, plain_tree, sync

pytestmark = pytest.mark.netns
DIRECT = ("--relay", "no")  # test_relays.py is about the others


def test_target_without_multicast_gets_the_same_by_unicast(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(6), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    deaf = [fleet.lab.targets[2], fleet.lab.targets[5]]
    for host in deaf:
        host.deafen()
    before = fleet.lab.master.wire_bytes()[0]
    said = sync(fleet, fleet.lab.targets, *DIRECT, "--report", str(fleet.report_path))
    sent = fleet.lab.master.wire_bytes()[0] - before
    assert fleet.differences() == {}
    assert "3 copies on the link: 1 by multicast, 2 by unicast (10.77.0.[13,16])" in said
    report = fleet.report()
    paths = {name: (target["path"], target["path_reason"]) for name, target in report["targets"].items()}
    assert paths == {
        host.address: ("unicast", "it does not receive the group") if host in deaf else ("multicast", None)
        for host in fleet.lab.targets
    }
    (warning,) = (text for text in report["warnings"] if "served by unicast" in text)
    assert "10.77.0.[13,16]" in warning
    assert 3 * size < sent < 3.3 * size
    assert 2 * size < report["bytes_unicast"] < 2.2 * size


@FAMILIES
def test_nothing_is_sent_to_an_unheard_group(make_lab: MakeLab, tmp_path: Path, is_ipv6: bool) -> None:
    fleet = Fleet(make_lab(2, is_ipv6=is_ipv6), tmp_path)
    size = plain_tree(fleet.source, 8 * MEGABYTE)
    for host in fleet.lab.targets:
        host.deafen()
    before = fleet.lab.master.wire_bytes()[0]
    assert "2 copies on the link, by unicast" in sync(fleet, fleet.lab.targets, *DIRECT)
    assert fleet.differences() == {}
    assert fleet.lab.master.wire_bytes()[0] - before < 2.2 * size


@FAMILIES
def test_without_multicast_at_all(make_lab: MakeLab, tmp_path: Path, is_ipv6: bool) -> None:
    fleet = Fleet(make_lab(3, is_ipv6=is_ipv6), tmp_path)
    plain_tree(fleet.source, 8 * MEGABYTE)
    for host in fleet.lab.hosts:
        if not is_ipv6:
            assert host.run(*["ip", "route", "del", "224.0.0.0/4", "dev", "eth0"]).returncode == 0
        host.deafen()
    for host in fleet.lab.targets:
        host.lose(0.01, up=0.01)
    said = sync(fleet, fleet.lab.targets, "--unicast", "--report", str(fleet.report_path))
    assert fleet.differences() == {}
    assert "3 copies on the link, by unicast" in said
    report = fleet.report()
    assert {(target["path"], target["path_reason"]) for target in report["targets"].values()} == {
        ("unicast", "as asked for")
    }
    assert report["packets_repaired"] > 0
    assert report["warnings"] == []


@pytest.mark.parametrize(("claimed", "carried"), [(1500, 1300), (9000, 1500)])
def test_packets_are_as_large_as_reach_everyone(make_lab: MakeLab, tmp_path: Path, claimed: int, carried: int) -> None:
    fleet = Fleet(make_lab(3, mtu=claimed), tmp_path)
    plain_tree(fleet.source, 8 * MEGABYTE)
    narrow = fleet.lab.targets[1]
    narrow.narrow(carried)
    said = sync(fleet, fleet.lab.targets, "--report", str(fleet.report_path))
    assert fleet.differences() == {}
    assert (
        f"packets of {claimed} bytes do not reach {narrow.address}, those of {carried} do: "
        f"all are sent packets of {carried} bytes"
    ) in said
    packets = fleet.report()["packets_sent"]
    assert 8 * MEGABYTE / carried < packets < 1.3 * 8 * MEGABYTE / (carried - 100)


def test_a_path_that_is_too_narrow_is_refused_and_the_others_served(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(2), tmp_path)
    plain_tree(fleet.source, MEGABYTE)
    fleet.lab.targets[1].narrow(1000)
    fleet.start_catchers()
    assert fleet.cast() == 23
    assert list(fleet.differences()) == ["t2"]
    refused = fleet.report()["targets"]["t2"]
    assert (refused["state"], refused["reason"]) == ("refused", "packets of 1280 bytes do not reach it")


def test_a_switch_that_takes_smaller_packets_from_now_on_is_suspected(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(2), tmp_path)
    plain_tree(fleet.source, 8 * MEGABYTE)
    fleet.start_catchers()
    caster = fleet.start_caster(*DIRECT, "--rate", "4M", "-w", "2", "--progress", "json")
    caster.wait_for('"phase": "casting"')
    fleet.lab.targets[1].swallow(1300)
    assert caster.wait() == 23
    assert list(fleet.differences()) == ["t2"]
    lost = fleet.report()["targets"]["t2"]
    assert (lost["state"], "has an MTU on the path shrunk?" in lost["reason"]) == ("lost", True), lost["reason"]


def test_catcher_rejoins_if_the_switch_forgot_it(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    plain_tree(fleet.source, 6 * MEGABYTE)
    fleet.lab.forget_members(3)
    catchers = fleet.start_catchers()
    assert fleet.cast("--rate", "1M", "-w", "6") == 0
    assert fleet.differences() == {}
    assert {target["path"] for target in fleet.report()["targets"].values()} == {"multicast"}
    assert [catcher.wait() for catcher in catchers] == [0, 0, 0]
    assert all("no packet from the group for a while; joining it again" in catcher.output for catcher in catchers)


def test_target_that_loses_multicast_gets_the_rest_by_unicast(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    plain_tree(fleet.source, 4 * MEGABYTE)
    catchers = fleet.start_catchers()
    slowly = ("--rate", "1M", "-w", "4")  # silence is judged by the ack wait
    caster = fleet.start_caster(*DIRECT, *slowly, "--progress", "json")
    caster.wait_for('"phase": "casting"')
    fleet.lab.targets[1].deafen()
    assert caster.wait() == 0
    assert fleet.differences() == {}
    catchers[1].wait_for("joining the group again did not help, asking for unicast")
    target = fleet.report()["targets"]["t2"]
    assert (target["path"], target["path_reason"]) == ("unicast", "it no longer receives the group")


def test_a_link_that_goes_down_and_up(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    plain_tree(fleet.source, 6 * MEGABYTE)
    fleet.start_catchers()
    caster = fleet.start_caster("--rate", "1M", "--progress", "json")
    caster.wait_for('"phase": "casting"')
    host = fleet.lab.targets[1]
    assert host.run("ip", "link", "set", "eth0", "down").returncode == 0
    caster.wait_for('"seconds": 3')
    assert host.run("ip", "link", "set", "eth0", "up").returncode == 0
    fleet.lab.settle()
    assert caster.wait() == 0
    assert fleet.differences() == {}
