"""Stateful firewalls as distributions have them: what comes in must answer something."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.lab import Host, Lab
from tests.netns.subnets import namespace_shell
from tests.programs import program
from tests.trees import differences

pytestmark = pytest.mark.netns


def let_in_only_answers(host: Host) -> None:
    rules = "type filter hook input priority 0; policy drop; ct state established accept; iif lo accept;"
    assert host.run("nft", f"table inet answers {{ chain input {{ {rules} }}; }}").returncode == 0


def sync(lab: Lab, folder: Path, *options: str, name: str = "mrsync") -> subprocess.CompletedProcess[str]:
    names = ",".join(host.name for host in lab.targets)
    shell = str(namespace_shell(lab, folder))
    return lab.master.run(*program(*name.split(), "-m", names, "-r", shell, *options), timeout_s=120)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "dest").mkdir()
    return tmp_path / "source"


@pytest.mark.parametrize("options", [(), ("--unicast",)])
@pytest.mark.parametrize("is_ipv6", [False, True])
def test_the_master_lets_in_only_answers(
    make_lab: MakeLab, tmp_path: Path, source: Path, options: tuple[str, ...], is_ipv6: bool
) -> None:
    lab = make_lab(2, is_ipv6=is_ipv6)
    let_in_only_answers(lab.master)
    if is_ipv6:  # neighbours must be found all the same
        lab.master.run("nft", "add rule inet answers input meta l4proto ipv6-icmp accept")
    done = sync(lab, tmp_path, "-s", str(source), "-t", f"{tmp_path}/dest/{{host}}", *options)
    assert (done.returncode, "no UDP packet arrives" in done.stderr) == (0, False), done.stderr
    assert differences(source, tmp_path / "dest/t1") == differences(source, tmp_path / "dest/t2") == []


def test_all_udp_to_the_master_is_dropped(make_lab: MakeLab, tmp_path: Path, source: Path) -> None:
    """Nothing can be done, but the user need not guess, nor wait."""
    lab = make_lab(2)
    lab.master.run(
        "nft", "table inet closed { chain input { type filter hook input priority 0; meta l4proto udp drop; }; }"
    )
    report = tmp_path / "report.json"
    done = sync(
        lab, tmp_path, "-s", str(source), "-t", f"{tmp_path}/dest/{{host}}", "-w", "20", "--report", str(report),
        "-P", "9000",
    )  # fmt: skip
    sentence = (
        "t[1-2]: started, but no UDP packet arrives at port 8999: too slow, or dropped by a firewall here or there?"
    )
    assert done.returncode == 5
    assert sentence in done.stderr
    assert done.stderr.splitlines()[-1] == "mrsync: no target could be reached"
    assert (
        "it started, but no UDP packet arrives at port 8999"
        in json.loads(report.read_text())["targets"]["t1"]["reason"]
    )


def test_the_tools_know_it(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(2)
    let_in_only_answers(lab.master)
    measured = sync(lab, tmp_path, "-n", "20", "--json", name="mrsync rtt")
    assert measured.returncode == 0, measured.stderr
    examined = sync(lab, tmp_path, "-t", "/dev/shm", "--json", name="mrsync doctor")
    findings = json.loads(examined.stdout)["targets"]["t1"]["findings"]
    assert "firewall accepts only replies" in [finding["cause"] for finding in findings if not finding["is_fault"]]
