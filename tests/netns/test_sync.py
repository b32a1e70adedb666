"""Whole syncs between hosts: every byte arrives, is sent once, and every failure is named."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.fleet import Fleet
from tests.netns.lab import Lab
from tests.trees import build_awkward_tree

pytestmark = pytest.mark.netns

MEGABYTE = 1 << 20
WITH_IPV4 = pytest.mark.parametrize("make_lab", ["IPv4"], indirect=True)  # addresses make no difference to these


@pytest.fixture(params=["IPv4", "IPv6"])
def make_lab(request: pytest.FixtureRequest, make_lab: MakeLab) -> Callable[..., Lab]:
    """Return what makes a lab of one family; nobody has addresses of both."""
    return partial(make_lab, is_ipv6=request.param == "IPv6")


def plain_tree(path: Path, size: int) -> None:
    path.mkdir()
    (path / "big").write_bytes(os.urandom(size))


def test_awkward_trees_become_equal(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    build_awkward_tree(fleet.source, seed=1)
    for host in fleet.lab.targets[1:]:
        build_awkward_tree(fleet.dest(host), seed=2)  # another tree, to be mended and emptied of what is not ours
    catchers = fleet.start_catchers()
    assert fleet.cast() == 0
    assert [catcher.wait() for catcher in catchers] == [0, 0, 0]
    assert fleet.differences() == {}


def test_every_byte_is_sent_once(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(4), tmp_path)
    plain_tree(fleet.source, 8 * MEGABYTE)
    fleet.start_catchers()
    before = fleet.lab.master.wire_bytes()[0]
    assert fleet.cast() == 0
    sent = fleet.lab.master.wire_bytes()[0] - before
    assert fleet.differences() == {}
    assert sent < 1.1 * 8 * MEGABYTE
    report = fleet.report()
    assert report["pages"] == report["pages_sent"] > 0


@WITH_IPV4
@pytest.mark.parametrize("options", [("--encrypt",), ("--no-encrypt", "--compress-choice=zlib")])
def test_compressed_pages_are_repaired_too(make_lab: MakeLab, tmp_path: Path, options: tuple[str, ...]) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    fleet.source.mkdir()
    text = b"".join(b"%d green bottles, hanging on the wall\n" % number for number in range(120_000))
    (fleet.source / "text").write_bytes(text)
    (fleet.source / "noise").write_bytes(os.urandom(1 << 20))
    for host in fleet.lab.targets:
        host.lose(0.02, up=0.02)
    fleet.start_catchers()
    assert fleet.cast("-z", "--rate", "1M", *options) == 0
    assert fleet.differences() == {}
    report = fleet.report()
    assert report["bytes_saved"] > len(text) / 2
    assert report["packets_coded"] > 0


@WITH_IPV4
@pytest.mark.parametrize("loss", [0.001, 0.1])
def test_loss_is_repaired(make_lab: MakeLab, tmp_path: Path, loss: float) -> None:
    fleet = Fleet(make_lab(4), tmp_path)
    plain_tree(fleet.source, 8 * MEGABYTE)
    for host in fleet.lab.targets:
        host.lose(loss, up=loss)
    fleet.start_catchers()
    log = tmp_path / "log"
    assert fleet.cast("--log-file", str(log), "--log-format", "json", "--log-level", "debug") == 0
    assert fleet.differences() == {}
    report = fleet.report()
    assert sum(target["packets_lost"] for target in report["targets"].values()) > 0
    assert report["bytes_repaired"] > 0
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert any(record.get("needs") for record in records), "no report claims a loss"
    assert any(record.get("packets", "all") != "all" or record.get("combinations") for record in records), "no repair"


@WITH_IPV4
def test_without_a_monitor_overruns_are_repaired(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    plain_tree(fleet.source, 4 * MEGABYTE)
    fleet.lab.targets[0].slow_down("10mbit")
    fleet.lab.targets[1].lose(0.01, up=0.01)
    fleet.start_catchers()
    assert fleet.cast("-x", "--rate", "4M") == 0
    assert fleet.differences() == {}
    targets = fleet.report()["targets"]
    assert targets["t1"]["packets_lost"] > 0.1 * 4 * MEGABYTE / 1500, "nobody waited for it"
    assert [target["monitor_seconds"] for target in targets.values()] == [0.0] * 3


@WITH_IPV4
def test_a_second_run_has_nothing_to_do(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(2), tmp_path)
    build_awkward_tree(fleet.source, seed=3)
    for _ in range(2):
        fleet.start_catchers()
        assert fleet.cast() == 0
    assert fleet.report()["files_planned"] == 0
    assert {target["files_updated"] for target in fleet.report()["targets"].values()} == {0}


def test_a_target_that_never_comes_is_named_and_the_rest_go_on(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3), tmp_path)
    plain_tree(fleet.source, MEGABYTE)
    here = fleet.lab.targets[:2]
    for host in here:
        fleet.start_catcher(host)
    assert fleet.cast("-w", "2") == 23
    assert list(fleet.differences()) == ["t3"]
    assert {name: target["state"] for name, target in fleet.report()["targets"].items()} == {
        "t1": "done", "t2": "done", "t3": "unreachable",
    }  # fmt: skip


def test_a_target_unplugged_on_the_way_is_dropped_and_named(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(3, rate="50mbit"), tmp_path)
    plain_tree(fleet.source, 12 * MEGABYTE)
    fleet.start_catchers()
    caster = fleet.start_caster("-w", "2", "--progress", "json")
    caster.wait_for('"phase": "casting"')
    fleet.lab.targets[1].unplug()
    assert caster.wait() == 23
    assert fleet.report()["targets"]["t2"]["state"] == "lost"
    assert list(fleet.differences()) == ["t2"]


def test_the_end_of_the_master_leaves_nothing_half_done(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(2, rate="50mbit"), tmp_path)
    plain_tree(fleet.source, 12 * MEGABYTE)
    catchers = fleet.start_catchers()
    caster = fleet.start_caster("--progress", "json", "--no-partial")
    caster.wait_for('"phase": "casting"')
    caster.signal(signal.SIGTERM)
    assert caster.wait() == 20
    assert all(catcher.wait() != 0 for catcher in catchers)
    for host in fleet.lab.targets:
        assert not fleet.dest(host).exists() or list(fleet.dest(host).iterdir()) == []


@WITH_IPV4
def test_a_master_that_is_stopped_for_longer_than_the_ack_wait_drops_no_one(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(4, rate="50mbit"), tmp_path)
    plain_tree(fleet.source, 12 * MEGABYTE)
    for host in fleet.lab.targets:
        host.lose(0.01, up=0.01)
    fleet.start_catchers()
    caster = fleet.start_caster("-w", "2", "--progress", "json")
    caster.wait_for('"phase": "casting"')
    caster.signal(signal.SIGSTOP)
    time.sleep(3.0)  # longer than the ack wait, and shorter than catchers wait for their master
    caster.signal(signal.SIGCONT)
    assert caster.wait() == 0, caster.output
    assert fleet.differences() == {}
    snapshots = [json.loads(line) for line in caster.output.splitlines() if line.startswith('{"event": "progress"')]
    assert max(target["silent_s"] for target in snapshots[-1]["targets"]) < 3.0  # the time of the stop does not count


@WITH_IPV4
def test_a_slow_target_that_comes_back_takes_no_healthy_one_with_it(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(4, rate="50mbit"), tmp_path)
    plain_tree(fleet.source, 12 * MEGABYTE)
    for host in fleet.lab.targets:
        host.lose(0.01)
    fleet.lab.targets[0].slow_down("10mbit")
    catchers = fleet.start_catchers()
    caster = fleet.start_caster("-w", "4", "--progress", "json")
    caster.wait_for('"phase": "casting"')
    catchers[0].signal(signal.SIGSTOP)
    time.sleep(3.0)  # shorter than the ack wait; the others go on at five times its rate
    catchers[0].signal(signal.SIGCONT)
    assert caster.wait(timeout_s=120) == 0, caster.output
    assert fleet.differences() == {}


@WITH_IPV4
def test_all_may_be_stopped_together(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(2, rate="50mbit"), tmp_path)
    plain_tree(fleet.source, 12 * MEGABYTE)
    catchers = fleet.start_catchers()
    caster = fleet.start_caster("-w", "2", "--progress", "json")
    caster.wait_for('"phase": "casting"')
    for process in (caster, *catchers):
        process.signal(signal.SIGSTOP)
    time.sleep(5.0)  # longer than anybody's patience
    for process in (*catchers, caster):
        process.signal(signal.SIGCONT)
    assert caster.wait() == 0, caster.output
    assert fleet.differences() == {}


@WITH_IPV4
def test_another_key_joins_no_session(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(1), tmp_path)
    plain_tree(fleet.source, 1000)
    fleet.start_catchers()
    (tmp_path / "key").write_text("what a stranger may have guessed")
    assert fleet.cast("-w", "1") == 5
    assert fleet.report()["targets"]["t1"]["state"] == "unreachable"
    assert not fleet.dest(fleet.lab.targets[0]).exists()


@WITH_IPV4
def test_a_key_file_may_have_a_line_for_each_target(make_lab: MakeLab, tmp_path: Path) -> None:
    fleet = Fleet(make_lab(2), tmp_path)
    plain_tree(fleet.source, MEGABYTE)
    lines = [f"{label} {os.urandom(32).hex()}" for label in ("group", 0, 1)]
    (tmp_path / "key").write_text("\n".join(lines))
    fleet.start_catcher(fleet.targets[0])
    (tmp_path / "key").write_text("\n".join([lines[0], f"1 {os.urandom(32).hex()}"]))
    fleet.start_catcher(fleet.targets[1])  # it has the group's secret, and not the one of target 1
    (tmp_path / "key").write_text("\n".join(lines))
    assert fleet.cast("-w", "2") == 23
    assert list(fleet.differences()) == ["t2"]
    assert fleet.report()["targets"]["t2"]["state"] == "unreachable"
