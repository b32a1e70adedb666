"""rtt between hosts: it shows the delays and losses of the lab."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.lab import Lab
from tests.netns.process import Process
from tests.netns.subnets import namespace_shell
from tests.programs import program

pytestmark = pytest.mark.netns

BUCKET_BYTES = 10 << 10  # what a port of the lab lets pass at once
PAGE_MS = (44 * 1514 - BUCKET_BYTES) * 8 / 100e3  # what a page of 63000 bytes takes at 100 Mbit/s, at least


def start(lab: Lab, folder: Path, *options: str) -> Process:
    targets = ",".join(host.name for host in lab.targets)
    shell = str(namespace_shell(lab, folder))
    return lab.master.start(*program("rtt", "-m", targets, "-r", shell, "-I", "eth0", *options))


def measure(lab: Lab, folder: Path, *options: str, status: int = 0) -> dict[str, Any]:
    run = start(lab, folder, "--progress", "json", *options)
    assert run.wait() == status, run.output
    print(run.output)
    outcome: dict[str, Any] = json.loads(next(line for line in run.output.splitlines() if '"outcome"' in line))
    return outcome


def test_one_target_as_4_0_1_printed_it(make_lab: MakeLab, tmp_path: Path) -> None:
    run = start(make_lab(1), tmp_path, "-n", "200", "-s", "64000")
    assert run.wait() == 0, run.output
    print(run.output)
    for expected in (
        r"^using nsrsh to invoke rttcatcher on t1$",
        r"^Sending data\.\.\.$",
        r"^Missing pages = 0 \( 0\.00%\) out of total pages = 200$",
        r"^rtt histogram\nmsec    counts\n----  --------\n   1 +\d+$",
        r"^p50 \d+ us, p90 \d+ us, p99 \d+ us, max \d+ us$",
        r"^ +\d+  #{50} \d+$",
    ):
        run.wait_for(expected)


@pytest.mark.alone
@pytest.mark.parametrize("is_ipv6", [False, True])
def test_the_histogram_follows_the_delay_of_one_target(make_lab: MakeLab, tmp_path: Path, is_ipv6: bool) -> None:
    lab = make_lab(3, is_ipv6=is_ipv6)
    lab.targets[1].slow_down("100mbit")
    outcome = measure(lab, tmp_path, "-n", "100", "-s", "63000")
    targets = outcome["targets"]
    assert [target["missing"] for target in targets.values()] == [0, 0, 0]
    medians = {name: target["rtt_us"]["p50"] / 1000 for name, target in targets.items()}
    assert medians["t2"] > 0.99 * PAGE_MS  # the link is not faster, however fast the machine is
    assert max(medians["t1"], medians["t3"]) < medians["t2"]
    (bound, _) = max(targets["t2"]["histogram_ms"], key=lambda bar: bar[1])
    assert bound >= int(PAGE_MS)


@pytest.mark.alone
def test_several_targets_come_slowest_first(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(3)
    lab.targets[1].slow_down("100mbit")
    run = start(lab, tmp_path, "-n", "50")
    assert run.wait() == 0, run.output
    run.wait_for(r"^target  missing.*\nt2 .*\nt[13] ")
    run.wait_for(r"on t\[1-3\]$")


def test_loss_is_shown_as_missing_pages(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(2)
    lab.targets[0].lose(up=0.2)  # of echoes
    targets = measure(lab, tmp_path, "-n", "300", "-s", "1000")["targets"]
    assert 30 <= targets["t1"]["missing"] <= 90
    assert targets["t1"]["missing"] + sum(count for _, count in targets["t1"]["histogram_ms"]) == 300
    assert targets["t2"]["missing"] == 0


def test_a_deaf_target_is_named_and_does_not_hold_the_others(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(2)
    lab.targets[0].lose(1.0)
    outcome = measure(lab, tmp_path, "-n", "100", status=23)
    assert outcome["targets"]["t1"]["state"] == "lost"
    assert outcome["targets"]["t1"]["missing"] == 100
    assert "no echo of a ping came back" in outcome["targets"]["t1"]["reason"]
    assert outcome["targets"]["t2"]["missing"] == 0


def test_started_by_hand(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(2)
    key = tmp_path / "key"
    key.write_text("the key of this test, and no other")
    key.chmod(0o600)
    catchers = [
        host.start(*program("rttcatcher", "--key-file", key, "-i", number, "-I", "eth0"))
        for number, host in enumerate(lab.targets)
    ]
    for catcher in catchers:
        catcher.wait_for('"ready"')
    for _ in range(2):  # a catcher serves one measurement after another
        done = lab.master.run(*program("rtt", "-m", "t1,t2", "-n", 20, "--key-file", key, "-I", "eth0", "--json"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pages"] == 20
    key.write_text("what a stranger may have guessed")
    done = lab.master.run(*program("rtt", "-m", "t1,t2", "-n", 20, "--key-file", key, "-I", "eth0"))
    assert done.returncode == 30
    assert "no echo from t[1-2]" in done.stderr
    catchers[0].signal(signal.SIGTERM)
    assert catchers[0].wait() == 20


def test_an_interrupted_run_shows_its_results(make_lab: MakeLab, tmp_path: Path) -> None:
    run = start(make_lab(1), tmp_path, "-n", "1000000")
    run.wait_for("^sending: ")
    run.signal(signal.SIGINT)
    assert run.wait() == 20, run.output
    run.wait_for("^rtt histogram")
