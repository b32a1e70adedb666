"""The doctor, and faults that were really made: its first finding names each."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.loopback.interpreters import OLDEST_MINOR, find_interpreter
from tests.netns.conftest import MakeLab
from tests.netns.lab import Host, Lab
from tests.netns.subnets import Subnets, namespace_shell
from tests.programs import program
from tests.support import namespaces

pytestmark = pytest.mark.netns


def examine(lab: Lab, folder: Path, *options: str, status: int | None) -> dict[str, Any]:
    """What the doctor tells of all targets; status None: whatever it ends with."""
    names = ",".join(host.name for host in lab.targets)
    shell = str(namespace_shell(lab, folder))
    command = program("mrsync", "doctor", "-m", names, "-r", shell, "-t", "/dev/shm", *options)
    if "-I" not in options:
        command += ["-I", "eth0"]
    run = lab.master.run(*command, "--json", timeout_s=120)
    print(run.stdout, run.stderr)
    assert status in (None, run.returncode)
    outcome: dict[str, Any] = json.loads(run.stdout)
    return outcome


def firewall(host: Host, chain: str, rule: str) -> None:
    """A rule of a host's own firewall."""
    text = f"table inet doctor {{ chain {chain} {{ type filter hook {chain} priority 0; {rule} drop; }}; }}"
    assert host.run("nft", text).returncode == 0


def switch_firewall(host: Host, hook: str, rule: str) -> None:
    """A rule at a host's port of the switch."""
    chain = f"chain {hook} {{ type filter hook {hook} device {host.port} priority 0; {rule} drop; }}"
    host.at_switch("nft", f"table netdev doctor-{host.name} {{ {chain}; }}")


def no_fault(host: Host) -> None:
    pass


def data_dropped_there(host: Host) -> None:
    firewall(host, "input", "udp dport 8888")


def data_dropped_on_the_way(host: Host) -> None:
    switch_firewall(host, "egress", "udp dport 8888")


def answers_dropped_there(host: Host) -> None:
    firewall(host, "input", "meta l4proto udp udp dport != 8888")


def all_udp_dropped(host: Host) -> None:
    host.lose(1.0)


def reports_dropped_there(host: Host) -> None:
    firewall(host, "output", "udp dport 8887")


def reports_dropped_on_the_way(host: Host) -> None:
    switch_firewall(host, "ingress", "udp dport 8887")


def igmp_dropped(host: Host) -> None:
    firewall(host, "output", "ip protocol igmp")


def small_mtu(host: Host) -> None:
    host.at_switch("ip", "link", "set", host.port, "mtu", "1300")


def slow_link(host: Host) -> None:
    host.slow_down("20mbit")


def lossy(host: Host) -> None:
    host.lose(0.1)


FAULTS: dict[Callable[[Host], None], tuple[str, str]] = {  # what is done, and what the doctor says
    no_fault: ("", ""),
    data_dropped_there: ("firewall drops data", "reaches the host, but not the program"),
    data_dropped_on_the_way: ("firewall drops data", "nothing arrives at UDP port 8888, not even unicast"),
    answers_dropped_there: ("firewall drops answers", "nothing from port 8887 here"),
    all_udp_dropped: ("firewall drops data", "no UDP arrives there"),
    reports_dropped_there: ("firewall drops reports", "Operation not permitted"),
    reports_dropped_on_the_way: ("firewall drops reports", "no report comes back"),
    igmp_dropped: ("firewall drops IGMP", "no report of it left the host"),
    small_mtu: ("MTU", "packets of 1500 bytes do not arrive there, packets of 1300 do"),
    slow_link: ("slow link", "Mbit/s; it was sent 200 Mbit/s"),
    lossy: ("loss", "% of the packets are lost at any rate"),
}


@pytest.mark.alone  # it measures rates and losses
def test_its_first_finding_names_each_fault(make_lab: MakeLab, tmp_path: Path) -> None:
    """In one lab, in which every host has another fault."""
    lab = make_lab(len(FAULTS))
    for host, make in zip(lab.targets, FAULTS, strict=True):
        make(host)
    targets = examine(lab, tmp_path, status=23)["targets"]
    for host, (make, (cause, detail)) in zip(lab.targets, FAULTS.items(), strict=True):
        target = targets[host.name]
        if not cause:
            assert (target["findings"], target["is_fit"]) == ([], True), make.__name__
            continue
        first = target["findings"][0]
        assert (first["cause"], detail in first["detail"]) == (cause, True), f"{make.__name__}: {first}"
        assert first["remedy"]


def second_network(*hosts: Host) -> None:
    """Give these hosts an eth1 with 10.78 for 10.77, in a network of its own."""
    hosts[0].at_switch("ip", "link", "add", "br1", "type", "bridge", "mcast_snooping", "0")
    hosts[0].at_switch("ip", "link", "set", "br1", "up")
    for host in hosts:
        port = f"{host.port}-1"
        ends = f"link add {port} type veth peer name eth1 netns {host.namespace}"
        host.at_switch("ip", *ends.split())
        host.at_switch("ip", "link", "set", port, "master", "br1", "up")
        host.run("ip", "addr", "add", f"{host.address.replace('10.77.', '10.78.')}/16", "dev", "eth1")
        host.run("ip", "link", "set", "eth1", "up")


def snoop(lab: Lab) -> None:
    """From now on the switch forwards groups only to ports that reported them; it queries at once."""
    for settings in (
        "mcast_query_response_interval 10 mcast_startup_query_interval 10",
        "mcast_snooping 1 mcast_querier 1",
    ):
        lab.master.at_switch("ip", "link", "set", "br0", "type", "bridge", *settings.split())


def first_finding(outcome: dict[str, Any]) -> dict[str, str]:
    finding: dict[str, str] = outcome["targets"]["t1"]["findings"][0]
    return finding


def test_a_wrong_interface_here(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(1)
    second_network(lab.master)
    found = first_finding(examine(lab, tmp_path, "-I", "eth1", status=23))
    assert (found["cause"], found["remedy"]) == ("wrong interface", "use -I eth0")


@pytest.mark.parametrize(("is_strict", "cause"), [(False, "wrong interface"), (True, "rp_filter drops data")])
def test_the_route_back_is_by_another_interface(make_lab: MakeLab, tmp_path: Path, is_strict: bool, cause: str) -> None:
    lab = make_lab(1)
    target = lab.targets[0]
    second_network(lab.master, target)
    target.run("ip", "route", "add", "10.78.0.1/32", "via", "10.77.0.1")
    for name in ("all", "eth0", "eth1"):
        target.run("sysctl", "-w", f"net.ipv4.conf.{name}.rp_filter={int(is_strict)}")
    found = first_finding(examine(lab, tmp_path, "-I", "eth1", status=23))
    assert found["cause"] == cause
    assert "eth1" in found["detail"]


def test_targets_that_may_not_talk_to_each_other(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(4)
    for host in lab.targets:
        host.deafen()
    for host in lab.targets[2:]:
        firewall(host, "input", f"meta l4proto udp ip saddr != {lab.master.address}")
    targets = examine(lab, tmp_path, status=23)["targets"]
    assert [targets[host.name]["unreached"] for host in lab.targets] == [["t3", "t4"], ["t3", "t4"], ["t4"], ["t3"]]
    found = {one["cause"]: one["detail"] for one in targets["t1"]["findings"]}
    assert found["targets do not reach each other"].startswith("t[3-4] got no UDP from it")


def test_a_switch_that_gets_no_reports(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(2)
    snoop(lab)
    switch_firewall(lab.targets[0], "ingress", "ip protocol igmp")
    outcome = examine(lab, tmp_path, status=23)
    assert first_finding(outcome)["cause"] == "network does not forward the group"
    assert outcome["targets"]["t2"]["findings"] == []


def test_a_switch_that_forgets_its_members(make_lab: MakeLab, tmp_path: Path) -> None:
    """In a second, and not after the 260 s of most, so that the doctor sees it happen.

    When that second ends is chance: between two sizes of probes it looks like a path that is too narrow, and a report
    that the kernel repeats puts it off. One of three switches is seen to forget.
    """
    causes = []
    for turn in range(3):
        lab = make_lab(1)
        lab.forget_members(1)
        folder = tmp_path / str(turn)
        folder.mkdir()
        causes.append([one["cause"] for one in examine(lab, folder, status=None)["targets"]["t1"]["findings"]])
        if causes[-1] == ["switch snoops without a querier"]:
            return
    pytest.fail(f"it was taken for {causes}")


def test_igmp_that_does_not_leave_the_host_is_a_fault_where_a_switch_snoops(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(1)
    snoop(lab)
    igmp_dropped(lab.targets[0])
    found = examine(lab, tmp_path, status=23)["targets"]["t1"]
    assert found["findings"][0]["cause"] == "firewall drops IGMP"
    assert found["findings"][0]["is_fault"]


@pytest.mark.usefixtures("make_lab")
@pytest.mark.parametrize("routes_multicast", [True, False])
def test_a_router_between(tmp_path: Path, routes_multicast: bool) -> None:
    if routes_multicast and shutil.which("smcrouted") is None:
        pytest.skip("smcrouted is not installed")
    lab = Subnets(1, is_routed=True)
    with lab:
        if routes_multicast:
            lab.start_multicast_router("239.255.67.92", tmp_path)
        outcome = examine(lab, tmp_path, status=23)
    assert outcome["targets"]["t1"]["findings"] == []
    found = outcome["targets"]["t2"]["findings"]
    if routes_multicast:
        assert [one["cause"] for one in found] == ["TTL too small"]
        assert found[0]["remedy"] == "use -T 2"
    else:
        assert [one["cause"] for one in found] == ["router does not forward the group"]
        assert found[0]["detail"].startswith("1 between")


@contextmanager
def receive_buffer_max(limit: str) -> Iterator[None]:
    """Set it where the kernel permits that: only in the first network namespace of the machine."""
    sysctl = namespaces.command_outside("sysctl", "-n")
    name = "net.core.rmem_max"
    before = subprocess.run([*sysctl, name], capture_output=True, text=True, check=False).stdout.strip()
    if subprocess.run([*sysctl, "-w", f"{name}={limit}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{name} cannot be set here")
    try:
        yield
    finally:
        subprocess.run([*sysctl, "-w", f"{name}={before}"], capture_output=True, check=True)


@pytest.mark.alone  # it changes a limit of the whole machine
def test_buffers_as_most_kernels_grant_them(make_lab: MakeLab, tmp_path: Path) -> None:
    """Only root may take more than net.core.rmem_max, so the probe is started without that power."""
    lab = make_lab(1)
    shell = tmp_path / "poor"
    shell.write_text(
        f"#!/bin/sh\nhost=$1; shift\nexec ip netns exec {lab.name}-$host setpriv --bounding-set -net_admin"
        ' --inh-caps -net_admin sh -c "$*"\n'
    )
    shell.chmod(0o755)
    with receive_buffer_max("212992"):
        found = first_finding(examine(lab, tmp_path, "-r", str(shell), status=23))
    assert found["cause"] == "small buffers"
    assert "425984 bytes" in found["detail"]
    assert found["remedy"] == "sysctl -w net.core.rmem_max=33554432 there"


def test_the_oldest_python(make_lab: MakeLab, tmp_path: Path) -> None:
    oldest = find_interpreter(OLDEST_MINOR)
    if oldest is None:
        pytest.skip(f"there is no Python 3.{OLDEST_MINOR} on this machine")
    target = examine(make_lab(1), tmp_path, "--remote-python", oldest, status=0)["targets"]["t1"]
    assert target["facts"]["python"].startswith(f"3.{OLDEST_MINOR}.")
    assert target["disk"]["write_bytes_s"] > 0
    assert not any(one["is_fault"] for one in target["findings"])


def test_doctor_finds_faults_of_ipv6_networks(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(3, is_ipv6=True)
    firewall(lab.targets[1], "output", "icmpv6 type mld2-listener-report")
    small_mtu(lab.targets[2])
    targets = examine(lab, tmp_path, status=23)["targets"]
    assert targets["t1"]["findings"] == []
    assert [one["cause"] for one in targets["t2"]["findings"]] == ["firewall drops MLD"]
    assert "packets of 1300 do" in targets["t3"]["findings"][0]["detail"]


def test_report_for_people_begins_with_the_fault(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(3)
    data_dropped_there(lab.targets[1])
    names = ",".join(host.name for host in lab.targets)
    shell = str(namespace_shell(lab, tmp_path))
    command = program("mrsync", "doctor", "-m", f"{names},t9", "-r", shell, "-t", "/dev/shm", "-I", "eth0")
    run = lab.master.run(*command)
    print(run.stdout, run.stderr)
    assert run.returncode == 23
    lines = run.stdout.splitlines()
    assert lines[0].startswith("t2: firewall drops data: ")
    assert lines[1].startswith("t9: not reachable: ")
    assert lines[2] == "t[1,3]: fit"
    assert lines[4].split()[:2] == ["target", "hears"]
    assert run.stderr.endswith("mrsync doctor: not fit: t[2,9]\n")
