"""A catcher as it starts on a target: any Python from 3.9 on, its standard library, and nothing installed."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from mrsync.remote.keyfile import read_keys
from mrsync.run.settings import Invitation, Network
from tests.loopback.interpreters import MINORS, find_interpreter
from tests.programs import SOURCE, program
from tests.support.waiting import HANG_S
from tests.trees import build_awkward_tree, differences, remove_tree

START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from mrsync.run.catch.catch import catch_from_stdin as c; sys.exit(c('a'))"
)
CATCHER_WAIT_S = HANG_S
POOR_SEAL = "pages are authenticated but not encrypted: the Python package cryptography is missing or broken on a"
CURE = "; install python3-cryptography there, or accept it with --no-encrypt\n"


@pytest.mark.parametrize("minor", MINORS)
def test_a_catcher_runs_on_python_3(minor: int, tmp_path: Path) -> None:
    interpreter = find_interpreter(minor)
    if interpreter is None:
        pytest.skip(f"there is no Python 3.{minor} on this machine")
    build_awkward_tree(tmp_path / "source", seed=minor)
    key = tmp_path / "key"
    key.write_text("the key of this test, and no other")
    key.chmod(0o600)
    network = Network(f"239.255.{minor}.{random.randrange(1, 255)}", random.randrange(20000, 32000, 2), interface="lo")
    invitation = Invitation(("a",), os.fsencode(tmp_path / "dest"), read_keys(str(key)).group, network)
    command = [interpreter, "-I", "-S", "-W", "error", "-c", START, str(SOURCE)]  # -S: without installed packages
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as catcher:
        assert catcher.stdin is not None
        catcher.stdin.write(invitation.encode())
        catcher.stdin.flush()
        cast = program(
            "multicaster", "-m", "a", "-s", tmp_path / "source", "--key-file", key,
            "-A", str(network.group), "-P", network.port, "-I", "lo", "-L", "-w", 60, "--progress", "none",
        )  # fmt: skip
        caster = subprocess.run(cast, capture_output=True, text=True, check=False, timeout=CATCHER_WAIT_S)
        said, _ = catcher.communicate(timeout=CATCHER_WAIT_S)
    assert (caster.returncode, caster.stderr) == (0, f"multicaster: {POOR_SEAL}{CURE}"), said.decode()
    assert catcher.returncode == 0, said.decode()
    assert differences(tmp_path / "source", tmp_path / "dest") == []
    for tree in ("source", "dest"):
        remove_tree(tmp_path / tree)
