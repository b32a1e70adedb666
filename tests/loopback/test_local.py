"""`mrsync -r local`, the whole program: a master and its targets on this host, over multicast on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trees import build_awkward_tree, differences

MRSYNC = Path(sys.executable).with_name("mrsync")
PORT = 20_000 + 2 * (os.getpid() % 20_000)  # so that two test runs do not meet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_awkward_tree(tmp_path / "source", seed=4)
    return tmp_path


def command(folder: Path, *options: str) -> list[str]:
    fixed = f"-m a,b,c -r local -s {folder}/source -t {folder}/{{host}} -P {PORT} --report {folder}/report.json"
    return [str(MRSYNC), *fixed.split(), *options]


def sync(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, *options), capture_output=True, text=True, check=False, timeout=50)


def test_three_targets_become_equal_then_nothing_is_left_to_do(folder: Path) -> None:
    build_awkward_tree(folder / "b", seed=5)
    done = sync(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3/3 complete; ")
    for host in "abc":
        assert differences(folder / "source", folder / host) == []
    again = sync(folder, "--progress", "json")
    assert again.returncode == 0
    outcome = json.loads(again.stdout.splitlines()[-1])
    assert (outcome["event"], outcome["files_planned"]) == ("outcome", 0)
    assert {target["files_updated"] + target["deleted"] for target in outcome["targets"].values()} == {0}


def test_dry_run_tells_and_changes_nothing(folder: Path) -> None:
    assert sync(folder).returncode == 0
    (folder / "source" / "new").write_bytes(b"1234567")
    (folder / "b" / "extra").touch()
    done = sync(folder, "-n")
    assert done.returncode == 0
    assert done.stdout.startswith("dry run: ")
    assert not (folder / "a" / "new").exists()
    assert (folder / "b" / "extra").exists()
    targets = json.loads((folder / "report.json").read_text())["targets"]
    assert {(target["files_needed"], target["bytes_needed"]) for target in targets.values()} == {(1, 7)}
    assert targets["b"]["changes"] > targets["a"]["changes"]


def test_without_deletion_extras_stay(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "extra").touch()
    assert sync(folder, "--no-delete").returncode == 0
    assert (folder / "a" / "extra").exists()
    assert differences(folder / "source", folder / "b") == []


def test_a_dest_that_cannot_be_is_named_and_the_rest_go_on(folder: Path) -> None:
    (folder / "b").touch()
    done = sync(folder)
    assert done.returncode == 23
    assert done.stderr.splitlines()[-1] == "mrsync: not complete: b"
    assert "b: " in done.stdout
    assert differences(folder / "source", folder / "a") == []


def test_interrupted_it_leaves_no_process_and_nothing_half_done(folder: Path) -> None:
    (folder / "source" / "big").write_bytes(os.urandom(4 << 20))
    with subprocess.Popen(
        command(folder, "--rate", "1M", "--progress", "json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while '"casting"' not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)  # the end of both pipes: no catcher holds them any longer
    assert process.returncode == 20
    assert "interrupted by SIGTERM" in said
    for host in "abc":
        assert not list((folder / host).rglob(".mrsync-*"))
