"""Kernels and sandboxes that lack socket options: sessions work without them, and say so."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from mrsync.transport.network import socket_options
from mrsync.transport.network.socket_options import HelpfulOption
from tests import seccomp
from tests.programs import program
from tests.trees import build_awkward_tree, differences, remove_tree

HELPFUL = [option for option in vars(socket_options).values() if isinstance(option, HelpfulOption)]
WITHOUT = (
    "import os, sys; sys.path[:0] = [sys.argv[1]]; from tests.seccomp import lack;"
    "lack([tuple(map(int, word.split(':'))) for word in sys.argv[2].split(',')]); os.execvp(sys.argv[3], sys.argv[3:])"
)
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not seccomp.is_possible(), reason="the numbers of system calls are not known here")


@pytest.fixture
def port() -> int:
    return random.randrange(20000, 32000, 2)


def run_without(options: list[HelpfulOption], *command: str) -> subprocess.CompletedProcess[str]:
    words = ",".join(f"{option.level}:{option.number}" for option in options)
    whole = [sys.executable, "-c", WITHOUT, str(ROOT), words, *command]
    return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=100, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("options", [*([option] for option in HELPFUL), HELPFUL], ids=lambda found: found[-1].name)
def test_a_sync_does_without(options: list[HelpfulOption], tmp_path: Path, port: int) -> None:
    build_awkward_tree(tmp_path / "source", seed=1)
    targets = "a" if socket_options.SHARED_PORT in options else "a,b"
    sync = program(
        "mrsync", "-r", "local", "-m", targets, "-P", port, "-v", 1,
        "-s", tmp_path / "source", "-t", tmp_path / "to-{host}",
    )  # fmt: skip
    done = run_without(options, *sync)
    assert done.returncode == 0, done.stderr
    for target in targets.split(","):
        assert differences(tmp_path / "source", tmp_path / f"to-{target}") == []
    if socket_options.DROP_COUNT in options:
        assert "this host lacks SO_RXQ_OVFL (drops are not counted)" in done.stderr
        assert "a: this host lacks SO_RXQ_OVFL" in done.stderr
    for tree in tmp_path.iterdir():
        remove_tree(tree)


def test_the_doctor_names_missing_options(tmp_path: Path, port: int) -> None:
    doctor = program("mrsync", "doctor", "-r", "local", "-m", "a", "-P", port, "-t", tmp_path)
    done = run_without([option for option in HELPFUL if option is not socket_options.SHARED_PORT], *doctor)
    assert "a: socket options missing: SO_RXQ_OVFL (drops are not counted), UDP_GRO" in done.stdout, done.stderr
