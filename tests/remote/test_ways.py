"""Other ways to the targets than one ssh each: through gateways, and by a remote shell of another kind."""

from __future__ import annotations

import socket
import sys

import pytest

from tests.remote.conftest import MakeEstate
from tests.remote.estate import Estate
from tests.remote.test_ssh import REFUSED
from tests.trees import build_awkward_tree

pytestmark = pytest.mark.netns

# What shared clusters have for rsh: HOST is a namespace here, and its private directory is at its place there.
NAMESPACE_RSH = """#!/bin/sh
host=$1; shift
own={folder}/$host
there='mount --bind "$0/dest" {folder}/dest && PATH=$0/bin:$PATH exec sh -c "$1"'
exec ip netns exec {lab}-$host sh -c "$there" $own "$*"
"""
GATEWAYS = ("t1", "t2")


def write_topology(estate: Estate, *gateways: str) -> str:
    path = estate.folder / "topology.conf"
    master = socket.gethostname().partition(".")[0]
    behind = ",".join(host.name for host in estate.lab.targets if host.name not in GATEWAYS)
    path.write_text(f"[routes]\n{master}: {','.join(gateways)}\n{','.join(gateways)}: {behind}\n")
    return str(path)


@pytest.fixture
def gateway_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateways need ClusterShell: where the tests have it."""
    monkeypatch.setenv("CLUSTERSHELL_GW_PYTHON_EXECUTABLE", sys.executable)


@pytest.mark.usefixtures("gateway_python")
def test_two_gateways(make_estate: MakeEstate) -> None:
    estate = make_estate(8)
    build_awkward_tree(estate.source, seed=20)
    estate.serve_all(estate.lab.targets[:7])
    estate.serve(estate.lab.targets[7], python=None)
    topology = write_topology(estate, *GATEWAYS)
    run = estate.start("-v", "2", "--topology", topology, targets="t[3-8]")
    run.wait_for("t3: joined")
    assert estate.exposures() == []
    seen = " ".join(estate.processes().values())
    assert "ClusterShell.Gateway" in seen
    assert run.wait() == 23, run.output
    print(run.output)
    assert estate.differences(estate.lab.targets[2:7]) == {}
    assert estate.reasons() == {
        "t8": "there is no python3; install Python 3.9 or later there, or name one with --remote-python"
    }
    estate.await_silence()


@pytest.mark.usefixtures("gateway_python")
def test_a_gateway_that_cannot_be_reached_is_named(make_estate: MakeEstate) -> None:
    estate = make_estate(4)
    build_awkward_tree(estate.source, seed=21)
    estate.serve_all(estate.lab.targets[1:])
    topology = write_topology(estate, *GATEWAYS)
    assert estate.sync("--topology", topology, targets="t[3-4]") == 23  # one came by the other gateway
    assert list(estate.reasons().values()) == [f"gateway t1: {REFUSED}"]
    topology = write_topology(estate, "t1")
    assert estate.sync("--topology", topology, targets="t[3-4]") == 5
    assert estate.reasons() == dict.fromkeys(("t3", "t4"), f"gateway t1: {REFUSED}")
    estate.await_silence()


def test_an_invalid_topology(make_estate: MakeEstate) -> None:
    estate = make_estate(1)
    build_awkward_tree(estate.source, seed=22)
    (estate.folder / "topology.conf").write_text("nonsense\n")
    run = estate.start("--topology", str(estate.folder / "topology.conf"))
    assert run.wait() == 5
    assert "topology" in run.output


def test_any_command_can_be_the_remote_shell(make_estate: MakeEstate) -> None:
    estate = make_estate(3)
    build_awkward_tree(estate.source, seed=23)
    estate.serve_all()
    rsh = estate.folder / "nsrsh"
    rsh.write_text(NAMESPACE_RSH.format(folder=estate.folder, lab=estate.lab.name))
    rsh.chmod(0o755)
    assert estate.sync(shell=str(rsh)) == 0
    assert estate.differences() == {}
    assert estate.processes() == {}
    assert estate.sync("--encrypt", shell=f"sh {rsh}") == 0
