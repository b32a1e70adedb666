"""The workers that run tests keep apart: see tests/support."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.netns.process import Process
from tests.support import namespaces, turnstile

PROJECT = Path(__file__).parents[1]
IN_TURNSTILE = Path(turnstile.__file__)


def can_lock(mode: int) -> bool:
    """Whether another worker could take this lock now."""
    with open(IN_TURNSTILE) as file:
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_others_may_run_beside_most_tests_but_none_that_must_be_alone() -> None:
    assert can_lock(fcntl.LOCK_SH)
    assert not can_lock(fcntl.LOCK_EX)


@pytest.mark.alone
def test_exclusive_test_runs_alone() -> None:
    assert not can_lock(fcntl.LOCK_SH)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has namespaces")
def test_a_worker_has_namespaces_of_its_own() -> None:
    outside = subprocess.run(
        namespaces.command_outside("readlink", "/proc/self/ns/net"), capture_output=True, text=True
    )
    assert outside.stdout.strip() not in ("", os.readlink("/proc/self/ns/net"))
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert all(f"-{os.getpid()}-" in line for line in listed.splitlines())


HANGS = """
import time
def test_fails():
    assert 0
def test_hangs():
    time.sleep(1000)
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_failure_is_named_at_once(tmp_path: Path, workers: str) -> None:
    """So it is even where the run never comes to its summary."""
    (tmp_path / "test_it.py").write_text(HANGS)
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_configure\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", workers, f"--rootdir={tmp_path}"]
    run = Process("pytest", ["env", f"PYTHONPATH={PROJECT}", *command, str(tmp_path)])
    try:
        run.wait_for(r"^FAILED .*test_it.py::test_fails \(call, ")
    finally:
        run.close()


ALONE = """
import pytest
@pytest.mark.alone
@pytest.mark.parametrize("number", range(3))
def test_alone(number): ...
@pytest.mark.parametrize("number", range(2))
def test_beside_others(number): ...
"""


def test_tests_that_run_alone_come_last(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(ALONE)
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import pytest_collection_modifyitems, pytest_configure\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-n", "1", "--dist", "loadgroup"]
    done = subprocess.run(
        [*command, f"--rootdir={tmp_path}", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    order = re.findall(r"PASSED .*test_it\.py::test_(\w+)\[", done.stdout)
    assert order == ["beside_others"] * 2 + ["alone"] * 3, done.stdout + done.stderr
