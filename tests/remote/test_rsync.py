"""The real rsync over a real OpenSSH server says what the first target lacks, and all targets get it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.awful import AwfulPair
from tests.netns.lab import Host
from tests.remote.conftest import MakeEstate
from tests.remote.estate import Estate
from tests.support.waiting import HANG_S

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed"),
]


def fill(estate: Estate, seed: int) -> Path:
    """A source; the folder with what targets have in its stead."""
    pair = estate.folder / "pair"
    pair.mkdir()
    made = AwfulPair(os.fsencode(pair), seed)
    estate.source = Path(os.fsdecode(made.source))
    return Path(os.fsdecode(made.dest))


def serve(estate: Estate, old: Path, *hosts: Host, has_rsync: bool = True) -> None:
    for host in hosts:
        estate.serve(host, python=sys.executable if has_rsync else None)
        if not has_rsync:
            python = estate.folder / host.name / "bin" / "python3"
            python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            python.chmod(0o755)
        subprocess.run(["cp", "-a", f"{old}/.", estate.tree(host)], check=True)  # it is mounted already


def test_all_targets_get_what_the_first_one_lacks(make_estate: MakeEstate) -> None:
    estate = make_estate(3)
    old = fill(estate, 1)
    serve(estate, old, *estate.lab.targets)
    run = estate.start("--compare", "rsync", "-v", "1")
    assert run.wait() == 0, run.output
    assert "t1: compared by rsync" in run.output.splitlines()
    assert estate.differences() == {}
    assert estate.processes() == {}
    assert estate.report()["warnings"] == []
    assert estate.sync("-o", "-c --exclude='x *'", "-v", "1") == 0
    assert estate.report()["entries"] == 1  # nothing but the root


def test_targets_that_rsync_cannot_compare_are_skipped_and_named(make_estate: MakeEstate) -> None:
    estate = make_estate(3)
    old = fill(estate, 2)
    refused, bare, good = estate.lab.targets
    serve(estate, old, bare, has_rsync=False)
    serve(estate, old, good)
    run = estate.start("--compare", "rsync", "-v", "1")
    assert run.wait() == 23, run.output
    lines = run.output.splitlines()
    assert "t2: cannot be compared by rsync: there is no rsync; install it there" in lines
    assert "t3: compared by rsync" in lines
    assert estate.reasons() == {refused.name: "Connection refused; does sshd run there, on this port?"}
    assert estate.differences([bare, good]) == {}


def test_no_target_has_rsync_or_answers(make_estate: MakeEstate) -> None:
    estate = make_estate(2)
    old = fill(estate, 3)
    assert estate.sync("--compare", "rsync") == 5
    serve(estate, old, estate.lab.targets[1], has_rsync=False)
    run = estate.start("--compare", "rsync")
    assert run.wait() == 3, run.output
    assert (
        run.output.splitlines()[-1]
        == "mrsync: no target could be compared by rsync: t2: there is no rsync; install it there"
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 20), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_rsync_outlives_the_master(make_estate: MakeEstate, number: signal.Signals, status: int) -> None:
    estate = make_estate(1)
    old = fill(estate, 4)
    host = estate.lab.targets[0]
    serve(estate, old, host)
    slow = estate.folder / host.name / "bin" / "rsync"
    # As the real one, it ends with its input.
    slow.write_text(f"#!/bin/sh\necho $$ > {estate.folder}/started\nexec cat > /dev/null\n")
    slow.chmod(0o755)
    run = estate.start("--compare", "rsync", "-v", "2")
    run.wait_for("t1: joined")
    deadline = time.monotonic() + HANG_S
    while not (estate.folder / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.signal(number)
    assert run.wait() == status
    estate.await_silence(30)
