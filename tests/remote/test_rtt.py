"""rtt over a real OpenSSH server: its part of the target is pushed, runs on the oldest Python, and is gone after."""

from __future__ import annotations

import json

import pytest

from tests.loopback.interpreters import OLDEST_MINOR, find_interpreter
from tests.programs import program
from tests.remote.conftest import MakeEstate

pytestmark = pytest.mark.netns


def test_two_targets_and_an_absent_one(make_estate: MakeEstate) -> None:
    estate = make_estate(3)
    oldest = find_interpreter(OLDEST_MINOR)
    if oldest is None:
        pytest.skip(f"there is no Python 3.{OLDEST_MINOR} on this machine")
    estate.serve(estate.lab.targets[0])
    estate.serve(estate.lab.targets[1], python=oldest)
    command = program("rtt", "-m", "t[1-3]", "-n", 50, "-I", "eth0", "-r", f"ssh -F {estate.keys}/config", "--json")
    mount = f"mount --bind {estate.folder}/hosts /etc/hosts && "
    done = estate.lab.master.run("sh", "-c", mount + 'exec "$@"', "sh", *command)
    print(done.stdout, done.stderr)
    assert done.returncode == 23
    targets = json.loads(done.stdout)["targets"]
    assert {name: (target["state"], target["missing"]) for name, target in targets.items()} == {
        "t1": ("done", 0), "t2": ("done", 0), "t3": ("unreachable", 50),
    }  # fmt: skip
    assert targets["t3"]["reason"].startswith("Connection refused; ")
    assert "rtt: no echo from t3" in done.stderr
    estate.await_silence()
