"""rtt and doctor on this host: whole programs, targets as processes here."""

from __future__ import annotations

import json
import random
import signal
import subprocess

import pytest

from tests.programs import Argument, program
from tests.support.waiting import HANG_S


def command(*arguments: Argument) -> list[str]:
    """A tool of mrsync, on a group and a port of its own."""
    group = f"239.255.{random.randrange(256)}.{random.randrange(1, 255)}"
    port = random.randrange(20000, 32000, 2)
    return program("mrsync", *arguments, "-r", "local", "-m", "a,b", "-A", group, "-P", port)


def test_rtt_measures_local_targets() -> None:
    done = subprocess.run(command("rtt", "-n", 50, "--json"), capture_output=True, text=True, check=True)
    outcome = json.loads(done.stdout)
    assert [target["missing"] for target in outcome["targets"].values()] == [0, 0]
    assert all(0 < target["rtt_us"]["p50"] <= target["rtt_us"]["max"] for target in outcome["targets"].values())


def test_doctor_examines_local_targets() -> None:
    done = subprocess.run(command("doctor", "-t", "/dev/shm", "--json"), capture_output=True, text=True, check=False)
    outcome = json.loads(done.stdout)
    for target in outcome["targets"].values():
        assert target["group"] == {"sent": 10, "heard": 10, "echoed": 10}
        assert target["mtu_passed"] == target["mtu_sent"] == 9216
        assert target["disk"]["path"] == "/dev/shm"
        assert abs(target["clock_offset_s"]) < 10  # a busy machine blurs it; another clock would be far away
        # what this host is like is not the test's business, but firewalls and interfaces are no matter on loopback
        assert {one["cause"] for one in target["findings"]} <= {"small buffers", "slow link", "disk full", "slow disk"}
    assert done.returncode == (0 if all(target["is_fit"] for target in outcome["targets"].values()) else 23)


def test_a_rate_that_no_host_reaches_does_not_keep_doctor() -> None:
    words = command("doctor", "-t", "/dev/shm", "--rate", "1T", "--json")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode in (0, 23), done.stderr
    assert all(target["fast"]["packets_sent"] > 0 for target in json.loads(done.stdout)["targets"].values())


@pytest.mark.parametrize("tool", ["rtt", "doctor"])
def test_an_interrupt_ends_rtt_and_doctor_with_20(tool: str) -> None:
    arguments = ["-n", 1000000] if tool == "rtt" else ["-t", "/dev/shm"]
    wanted = "Sending data" if tool == "rtt" else "pinging"
    with subprocess.Popen(
        command(tool, *arguments, "-v", 1), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        assert any(wanted in line for line in run.stderr)
        run.send_signal(signal.SIGINT)
        said, complaint = run.communicate(timeout=HANG_S)
    assert run.returncode == 20
    assert complaint.splitlines()[-1] == f"{tool if tool == 'rtt' else 'mrsync doctor'}: interrupted"
    assert bool(said) == (tool == "rtt")  # what half an examination seems to show is not told


def test_a_reader_that_goes_away_early() -> None:
    with subprocess.Popen(command("rtt", "-n", 10), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline().startswith("using local to invoke")
        run.stdout.close()
        complaint = run.stderr.read().removeprefix("Sending data...\n")
        assert complaint == "mrsync: cannot write to stdout: Broken pipe\n"
        assert run.wait(timeout=HANG_S) == 0  # the measurement went well
