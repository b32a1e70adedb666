"""Diagnoses from evidence: the cause that explains the others comes first. Real faults are in tests/netns."""

from __future__ import annotations

from typing import Any

import pytest

from mrsync.run.measure.diagnosis import diagnose
from mrsync.run.measure.evidence import Evidence, Setting, Share, Throughput
from mrsync.run.measure.facts import NO_PARENT, DiskFacts, HostCounters, HostFacts

SETTING = Setting("239.255.67.92", 8888, 1, "eth0", rate_bytes_s=25e6)
FACTS = HostFacts("3.11.7", "6.1", True, interface="eth0", mtu=1500, buffer_bytes=64 << 20)
DISK = DiskFacts("/data", write_bytes_s=2e8, free_bytes=10**11, total_bytes=10**12, free_inodes=10**6)
ALL = Share(10, 10, 10)
NONE = Share(10, 0, 0)
MUTE = Share(10, 10, 0)
WELL = Evidence(
    "t1",
    facts=FACTS,
    disk=DISK,
    counters=HostCounters(group_packets_in=300, group_packets_out=2),
    group=ALL,
    port=ALL,
    own=ALL,
    mtu_sent=1500,
    mtu_passed=1500,
    slow=Throughput(600, 600, 0.4, 0.4, 10**6),
    fast=Throughput(7000, 7000, 0.4, 0.4, 10**7),
    clock_offset_s=0.01,
)
DEAF = WELL._replace(
    group=NONE,
    counters=HostCounters(group_packets_out=2),
    mtu_passed=0,
    slow=Throughput(600),
    fast=Throughput(7000, seconds_sent=0.4),
)


def with_facts(seen: Evidence, **fields: Any) -> Evidence:
    assert seen.facts is not None
    return seen._replace(facts=seen.facts._replace(**fields))


def with_disk(**fields: Any) -> Evidence:
    return WELL._replace(disk=DISK._replace(**fields))


def test_a_healthy_target_has_no_findings() -> None:
    assert diagnose(WELL, SETTING) == []


@pytest.mark.parametrize(
    ("seen", "cause", "remedy"),
    [
        (Evidence("t1", reason="there is no python3; install Python 3.9"), "not reachable", "install Python"),
        (
            Evidence("t1", reason="Permission denied (publickey); without a password"),
            "not reachable",
            "without a password",
        ),
        (Evidence("t1", reason="Connection refused"), "not reachable", "remote shell"),
        (Evidence("t1"), "not reachable", "remote shell"),
        (DEAF._replace(ttl_needed=3), "TTL too small", "-T 3"),
        (DEAF._replace(elsewhere="eth1"), "wrong interface", "by eth1 there"),
        (DEAF._replace(heard_from="eth1"), "wrong interface", "-I eth1"),
        (DEAF._replace(counters=HostCounters(0, 2, 9), elsewhere="eth1"), "rp_filter drops data", "rp_filter=2"),
        (with_facts(DEAF, route_problem="there is no route"), "no route to the master", "add a route"),
        (
            DEAF._replace(counters=HostCounters(10, 2)),
            "firewall drops data",
            "allow UDP to 239.255.67.92, port 8888, on the target",
        ),
        (DEAF._replace(counters=HostCounters(0, 0)), "firewall drops IGMP", "allow IGMP"),
        (DEAF._replace(port=NONE), "firewall drops data", "port 8888"),
        (DEAF._replace(port=NONE, own=NONE), "firewall drops data", "on the way"),
        (DEAF._replace(routers=2), "router does not forward the group", "by unicast"),
        (with_facts(DEAF, is_wireless=True), "WiFi", "--unicast"),
        (DEAF, "network does not forward the group", "querier"),
        (DEAF._replace(own=NONE), "firewall drops answers", "port 8887 of the master"),
        (WELL._replace(own=NONE), "firewall drops answers", "port 8887 of the master"),
        (WELL._replace(group=MUTE, port=MUTE, own=MUTE), "firewall drops reports", "port 8887"),
        (
            WELL._replace(mtu_passed=0, slow=Throughput(600), fast=Throughput(7000)),
            "switch snoops without a querier",
            "querier",
        ),
        (WELL._replace(slow=Throughput(600), fast=Throughput(7000)), "switch snoops without a querier", "querier"),
        (WELL._replace(mtu_passed=1300, slow=Throughput(600), fast=Throughput(7000)), "MTU", "to 1300"),
        (with_facts(WELL, buffer_bytes=425984), "small buffers", "net.core.rmem_max=33554432"),
        (WELL._replace(counters=HostCounters(300, 2, 0, 55)), "small buffers", "net.core.rmem_max=33554432"),
        (WELL._replace(fast=Throughput(7000, 3000, 0.4, 0.5, 4 * 10**6)), "slow link", "or remove it"),
        (WELL._replace(fast=Throughput(7000, 7000, 0.4, 1.5, 10**7)), "slow link", "or remove it"),
        (WELL._replace(slow=Throughput(600, 540, 0.4, 0.4, 10**6)), "loss", "cable"),
        (with_facts(WELL._replace(slow=Throughput(600, 540)), is_wireless=True), "WiFi", "--unicast"),
        (with_disk(error="Read-only file system"), "cannot write", "DEST"),
        (with_disk(error=NO_PARENT), "cannot write", "--mkpath"),
        (with_disk(free_bytes=1000), "disk full", "free space"),
        (with_disk(free_inodes=3), "disk full", "free space"),
        (WELL._replace(reason="killed by SIGKILL"), "probe ended", "again"),
    ],
)
def test_the_first_finding_is_the_fault(seen: Evidence, cause: str, remedy: str) -> None:
    first = diagnose(seen, SETTING)[0]
    assert (first.cause, first.is_fault) == (cause, True)
    assert remedy in first.remedy
    assert seen.host not in first.detail  # so that equal findings fold


def test_the_free_space_of_a_full_disk_is_reported() -> None:
    assert diagnose(with_disk(free_bytes=19_200_000), SETTING)[0].detail == "/data: only 19 MB are free"
    assert diagnose(with_disk(free_inodes=3), SETTING)[0].detail == "/data: only 3 inodes are free"


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (with_disk(write_bytes_s=3e6), "slow disk"),
        (with_facts(WELL, is_wireless=True), "WiFi"),
        (with_facts(WELL, is_bridge_deaf=True), "bridge snoops without a querier"),
        (with_facts(WELL, has_cryptography=False), "not encrypted"),
        (with_facts(WELL, buffer_bytes=4 << 20), "small buffers"),
        (WELL._replace(clock_offset_s=-90.0), "clock"),
        (WELL._replace(counters=HostCounters(300, 0)), "firewall drops IGMP"),
    ],
)
def test_hints_are_not_faults(seen: Evidence, cause: str) -> None:
    (finding,) = diagnose(seen, SETTING)
    assert (finding.cause, finding.is_fault) == (cause, False)


@pytest.mark.parametrize("seen", [DEAF, DEAF._replace(routers=2), with_facts(DEAF, is_wireless=True)])
def test_a_network_without_multicast_for_anyone_is_no_fault(seen: Evidence) -> None:
    (finding,) = diagnose(seen, SETTING._replace(is_everyone_deaf=True))
    assert not finding.is_fault
    assert finding.remedy.startswith("none is needed: targets pass pages on to one another; or ")
    for fault in ({"ttl_needed": 3}, {"heard_from": "eth1"}, {"port": NONE}):
        assert diagnose(seen._replace(**fault), SETTING._replace(is_everyone_deaf=True))[0].is_fault


def test_a_disk_that_counts_no_inodes_is_not_full() -> None:
    assert diagnose(with_disk(free_inodes=-1), SETTING) == []


def test_faults_come_before_notes() -> None:
    seen = with_facts(WELL._replace(mtu_passed=1300, fast=Throughput(7000)), has_cryptography=False, is_wireless=True)
    assert [finding.cause for finding in diagnose(seen, SETTING)] == ["MTU", "WiFi", "not encrypted"]


def test_deaf_target_gets_one_finding_only() -> None:
    assert [finding.cause for finding in diagnose(DEAF, SETTING)] == ["network does not forward the group"]
    wrong = DEAF._replace(heard_from="eth1", port=MUTE, own=MUTE)
    assert [finding.cause for finding in diagnose(wrong, SETTING)] == ["wrong interface"]


def test_where_reports_are_dropped() -> None:
    mute = WELL._replace(group=MUTE, port=MUTE, own=MUTE)
    own = mute._replace(counters=HostCounters(300, 2, 0, 0, 30, "Operation not permitted"))
    assert diagnose(own, SETTING)[0].detail == "its own firewall refuses to send (Operation not permitted)"
    everyone = diagnose(mute, SETTING._replace(is_everyone_mute=True))[0]
    assert everyone.remedy == "allow UDP port 8887 on the master"


def test_no_membership_reports_on_loopback() -> None:
    assert diagnose(with_facts(WELL._replace(counters=HostCounters()), is_loopback=True), SETTING) == []


def test_ipv6_has_mld() -> None:
    seen = DEAF._replace(counters=HostCounters())
    assert diagnose(seen, SETTING._replace(group="ff15::1"))[0].cause == "firewall drops MLD"
