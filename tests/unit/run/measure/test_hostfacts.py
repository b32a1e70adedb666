"""What a host says of itself in /proc and /sys, here in a directory; and a real disk."""

from __future__ import annotations

import os
import socket
from itertools import count
from pathlib import Path

import pytest

from mrsync.run.measure.facts import HostCounters
from mrsync.run.measure.hostfacts import DISK_TEST_BYTES, Host, disk_facts, since

NETSTAT = """TcpExt: SyncookiesSent IPReversePathFilter Other
TcpExt: 1 7 2
IpExt: InNoRoutes InMcastPkts OutMcastPkts
IpExt: 0 100 3
"""
SNMP6 = "Ip6InMcastPkts \t 12\nIcmp6OutMLDv2Reports \t 4\nIcmp6OutGroupMembResponses 1\n"


def write(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_counters_of_both_families(tmp_path: Path) -> None:
    write(tmp_path, "proc/net/netstat", NETSTAT)
    write(tmp_path, "proc/net/snmp6", SNMP6)
    host = Host(str(tmp_path))
    assert host.counters(socket.AF_INET) == HostCounters(100, 3, 7)
    assert host.counters(socket.AF_INET6) == HostCounters(12, 5, 0)
    assert Host(str(tmp_path / "nowhere")).counters(socket.AF_INET) == HostCounters()
    assert since(HostCounters(10, 1, 7), HostCounters(100, 3, 7)) == HostCounters(90, 2, 0)


def test_the_kernel_here_counts_so(tmp_path: Path) -> None:
    assert "InMcastPkts" in Path("/proc/net/netstat").read_text()
    assert "IPReversePathFilter" in Path("/proc/net/netstat").read_text()


def test_wireless_interfaces_and_bridges_that_forget(tmp_path: Path) -> None:
    (tmp_path / "sys/class/net/wlan0/phy80211").mkdir(parents=True)
    (tmp_path / "sys/class/net/eth0").mkdir(parents=True)
    for name, querier in (("br0", "0\n"), ("br1", "1\n")):
        write(tmp_path, f"sys/class/net/{name}/bridge/multicast_snooping", "1\n")
        write(tmp_path, f"sys/class/net/{name}/bridge/multicast_querier", querier)
    host = Host(str(tmp_path))
    assert [host.is_wireless(name) for name in ("wlan0", "eth0", "none")] == [True, False, False]
    assert [host.is_bridge_deaf(name) for name in ("br0", "br1", "eth0")] == [True, False, False]


@pytest.mark.parametrize(("common", "expected"), [(0, ["a"]), (1, ["a", "c"]), (2, [])])
def test_the_stricter_of_two_settings_counts_and_loose_is_not_strict(
    tmp_path: Path, common: int, expected: list[str]
) -> None:
    for name, value in (("all", common), ("a", 1), ("b", 2), ("c", 0)):
        write(tmp_path, f"proc/sys/net/ipv4/conf/{name}/rp_filter", f"{value}\n")
    assert Host(str(tmp_path)).strict_interfaces(["a", "b", "c", "none"]) == expected + ["none"] * (common == 1)


def test_a_disk_is_written_to_and_nothing_is_left(tmp_path: Path) -> None:
    facts = disk_facts(os.fsencode(tmp_path / "not there yet"))
    assert facts.path == str(tmp_path)
    assert (facts.error, list(tmp_path.iterdir())) == ("", [])
    assert facts.write_bytes_s > 0
    assert 0 < facts.free_bytes <= facts.total_bytes


def test_the_test_of_a_disk_is_bounded(tmp_path: Path) -> None:
    ticks = count()
    assert disk_facts(os.fsencode(tmp_path), clock=lambda: next(ticks)).write_bytes_s <= DISK_TEST_BYTES


def test_a_destination_that_mrsync_would_not_make(tmp_path: Path) -> None:
    facts = disk_facts(os.fsencode(tmp_path / "not" / "there"))
    assert (facts.path, facts.error) == (str(tmp_path / "not" / "there"), "its parent directory does not exist")
    (tmp_path / "file").touch()
    facts = disk_facts(os.fsencode(tmp_path / "file"))
    assert (facts.path, facts.error) == (str(tmp_path / "file"), "it is not a directory")


def test_a_disk_that_cannot_be_written_to(tmp_path: Path) -> None:
    facts = disk_facts(b"/proc/self")
    assert facts.path == "/proc/self"
    assert facts.error
