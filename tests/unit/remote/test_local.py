"""Real forks, with small programs in place of the catcher."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mrsync.errors import StartError
from mrsync.remote.launcher import CatcherExited, Launcher, LaunchEvent, LineWritten
from mrsync.remote.lines import LINE_BYTES_MAX
from mrsync.remote.local import LocalLauncher
from tests.support.waiting import HANG_S

WAIT_S = HANG_S


def read_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    return line


def echo_until_end(host: str) -> int:
    os.write(1, host.encode() + b" heard " + read_line())
    while os.read(0, 100):
        pass
    os.write(1, b"cleaned up\n")
    return 0


def clean_up_until(go: Path, host: str) -> int:
    echo_until_end(host)
    while not go.exists():
        time.sleep(0.02)
    return 0


def echo_two_lines(host: str) -> int:
    os.write(1, host.encode() + b" heard " + read_line())
    os.write(1, host.encode() + b" heard " + read_line())
    return 0


def ignore_the_end(_: str) -> int:
    os.write(1, b"here\n")
    signal.pause()
    return 0


def complain(_: str) -> int:
    os.write(2, b"multicatcher: no home\n")
    return 11


def fail(_: str) -> int:
    os.write(2, b"one\ntwo: no space")
    return 11


def crash(_: str) -> int:
    raise ValueError("a bug\udcff")


def kill_itself(_: str) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def long_line(_: str) -> int:
    os.write(1, b"x" * (LINE_BYTES_MAX + 10) + b"\n")
    return 0


class Fleet:
    """A launcher and all that it told."""

    def __init__(self) -> None:
        self.launchers: list[Launcher] = []
        self.events: list[LaunchEvent] = []

    def launch(self, entry: Callable[[str], int], *hosts: str) -> Launcher:
        launcher = LocalLauncher(entry, hosts)
        self.launchers.append(launcher)
        launcher.start(b"parameters\n")
        return launcher

    def wait_for(self, launcher: Launcher, count: int) -> list[LaunchEvent]:
        """Block, as a driver does, on the launcher's descriptor."""
        deadline = time.monotonic() + WAIT_S
        while len(self.events) < count:
            assert select.select([launcher], [], [], deadline - time.monotonic())[0], self.events
            self.events += launcher.take_events()
        return self.events


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet()
    yield fleet
    for launcher in fleet.launchers:
        launcher.stop(0)


def exits(events: list[LaunchEvent]) -> list[CatcherExited]:
    return [event for event in events if isinstance(event, CatcherExited)]


def test_every_catcher_gets_its_line_and_end_of_file(fleet: Fleet) -> None:
    launcher = fleet.launch(echo_until_end, "a", "b", "c")
    heard = fleet.wait_for(launcher, 3)
    assert set(heard) == {LineWritten(i, host + b" heard parameters") for i, host in enumerate([b"a", b"b", b"c"])}
    assert launcher.take_events() == []
    launcher.stop(WAIT_S)
    ended = launcher.take_events()
    assert {event for event in ended if isinstance(event, LineWritten)} == {
        LineWritten(target, b"cleaned up") for target in range(3)
    }
    assert sorted(exits(ended)) == [CatcherExited(target, 0, "ended") for target in range(3)]


def test_a_fork_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    real, before = os.fork, set(os.listdir("/proc/self/fd"))
    forked: list[int] = []

    def fork() -> int:
        if len(forked) == 2:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        forked.append(real())
        return forked[-1]

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(StartError, match="cannot start a catcher on this host"):
        LocalLauncher(echo_until_end, ["a", "b", "c"]).start(b"parameters\n")
    assert set(os.listdir("/proc/self/fd")) == before
    for pid in forked:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_process_that_ignores_the_end_is_killed(fleet: Fleet) -> None:
    launcher = fleet.launch(ignore_the_end, "a")
    fleet.wait_for(launcher, 1)
    launcher.stop(0.05)
    assert launcher.take_events() == [CatcherExited(0, -9, "killed by SIGKILL")]


def test_only_the_chosen_ones_are_waited_for(fleet: Fleet, tmp_path: Path) -> None:
    entries: dict[str, Callable[[str], int]] = {
        "slow": partial(clean_up_until, tmp_path / "go"),
        "hangs": ignore_the_end,
    }
    launcher = fleet.launch(lambda host: entries[host](host), *entries)
    fleet.wait_for(launcher, 2)
    told: list[tuple[list[int], set[int]]] = []

    def choose(running: list[int], talking: set[int]) -> set[int]:
        told.append((running, talking))
        (tmp_path / "go").touch()
        return talking

    launcher.stop(WAIT_S, choose)
    assert told == [([0, 1], {0})]
    ended = sorted(exits(launcher.take_events()))
    assert ended == [CatcherExited(0, 0, "ended"), CatcherExited(1, -9, "killed by SIGKILL")]


@pytest.mark.parametrize(
    ("entry", "status", "reason"),
    [
        (fail, 11, "exit status 11: two: no space"),
        (complain, 11, "no home"),
        (crash, 1, "exit status 1: ValueError: a bug\\udcff"),
        (kill_itself, -9, "killed by SIGKILL"),
    ],
)
def test_exit_has_a_reason(fleet: Fleet, entry: Callable[[str], int], status: int, reason: str) -> None:
    launcher = fleet.launch(entry, "a")
    while not exits(fleet.events):
        fleet.wait_for(launcher, len(fleet.events) + 1)
    assert fleet.events[-1] == CatcherExited(0, status, reason)


def test_an_overlong_line_is_cut(fleet: Fleet) -> None:
    launcher = fleet.launch(long_line, "a")
    while not exits(fleet.events):
        fleet.wait_for(launcher, len(fleet.events) + 1)
    lines = [event.line for event in fleet.events if isinstance(event, LineWritten)]
    assert b"".join(lines) == b"x" * (LINE_BYTES_MAX + 10)
    assert len(lines) > 1


def test_all_catchers_notice_the_death_of_the_master(tmp_path: Path) -> None:
    """Each must see the end of its stdin, though the second was forked while the first one's was open."""

    def leave_a_mark(_: str) -> int:
        while os.read(0, 100):
            pass
        (tmp_path / str(os.getpid())).touch()
        return 0

    master = os.fork()
    if master == 0:
        LocalLauncher(leave_a_mark, ["a", "b"]).start(b"\n")
        os._exit(0)
    os.waitpid(master, 0)
    deadline = time.monotonic() + WAIT_S
    while len(list(tmp_path.iterdir())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_catcher_gets_the_line_of_all_and_its_own(fleet: Fleet) -> None:
    launcher = LocalLauncher(echo_two_lines, ["a", "b"])
    fleet.launchers.append(launcher)
    launcher.start(b"for all\n", [b"for a\n", b"for b\n"])
    events = fleet.wait_for(launcher, 6)
    said = {event.line for event in events if isinstance(event, LineWritten)}
    assert said == {b"a heard for all", b"a heard for a", b"b heard for all", b"b heard for b"}
