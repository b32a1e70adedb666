"""A source and several targets on this host, and runs of the real mrsync between them."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.programs import Argument, program
from tests.support.waiting import HANG_S
from tests.trees import differences

LOOPBACK = "127.0.0.1"
STAGED = ".mrsync-"
MEGABYTE = 1 << 20


class Ended(NamedTuple):
    """A run that is over; report is what --report wrote, empty if it wrote none."""

    status: int
    stdout: str
    stderr: str
    report: dict[str, Any]

    def target(self, host: str) -> dict[str, Any]:
        fields: dict[str, Any] = self.report["targets"][host]
        return fields


class Site:
    """Where runs take place: every one has a group and a port of its own, so that tests may run side by side."""

    def __init__(self, folder: Path, hosts: Sequence[str] = ("a", "b", "c")) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.hosts = tuple(hosts)
        self.group = f"239.255.{random.randrange(256)}.{random.randrange(1, 255)}"
        self.port = random.randrange(20000, 32000, 2)
        (folder / "dest").mkdir()

    def dest(self, host: str) -> Path:
        return self.folder / "dest" / host

    def start(self, *options: Argument, name: str = "mrsync", prefix: Sequence[str] = ()) -> Run:
        """Start a cast to all targets; options come on top."""
        command = self.command("--progress", "none", *options, name=name)
        return Run([*prefix, *command], self.folder / "report.json")

    def command(self, *options: Argument, name: str = "mrsync") -> list[str]:
        """A cast to all targets. Options come on top; targets and directories among them replace those of the site."""
        places: dict[str, Argument] = {
            "-m": ",".join(self.hosts),
            "-s": self.source,
            "-t": self.folder / "dest" / "{host}",
        }
        missing: list[Argument] = [word for each in places if each not in options for word in (each, places[each])]
        report = self.folder / "report.json"
        return program(name, "-r", "local", *missing, "-A", self.group, "-P", self.port, "--report", report, *options)

    def sync(self, *options: Argument, prefix: Sequence[str] = ()) -> Ended:
        """A whole run."""
        return self.start(*options, prefix=prefix).wait()

    def differences(self, host: str) -> list[str]:
        return differences(self.source, self.dest(host))

    def all_differences(self) -> dict[str, list[str]]:
        """By host, for those that differ."""
        return {host: found for host in self.hosts if (found := self.differences(host))}

    def staged(self) -> list[str]:
        """Staged files that lie about on targets."""
        return [
            os.path.join(folder, name)
            for folder, _, names in os.walk(self.folder / "dest")
            for name in names
            if name.startswith(STAGED)
        ]

    def staged_sizes(self) -> list[int]:
        """Their bytes so far, in a run that goes on."""
        sizes = []
        for path in self.staged():
            with suppress(FileNotFoundError):  # committed meanwhile
                sizes.append(os.path.getsize(path))
        return sizes


class Run:
    """A cast that is going on, and its catchers."""

    def __init__(self, command: list[str], report: Path) -> None:
        report.unlink(missing_ok=True)
        self._report = report
        # Without LANG and COLUMNS of whoever runs the tests; a session of its own, as if started from another terminal.
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=environment,
        )
        self.stderr = ""

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait_for(self, pattern: str, *, timeout_s: float = HANG_S) -> None:
        """Until stderr has this regular expression, or has ended."""
        assert self._popen.stderr is not None
        deadline = time.monotonic() + timeout_s
        while not re.search(pattern, self.stderr, re.MULTILINE):
            ready = select.select([self._popen.stderr], [], [], max(0.0, deadline - time.monotonic()))[0]
            data = os.read(self._popen.stderr.fileno(), 65536) if ready else b""
            self.stderr += data.decode(errors="replace")
            if not data:
                self.close()
                raise AssertionError(f"mrsync never said {pattern!r}, but:\n{self.stderr}")

    def catchers(self, count: int, *, timeout_s: float = HANG_S) -> list[int]:
        """Return the process ids of the catchers in the order of targets, once there are this many."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = children(self.pid)
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, f"there are only {len(found)} catchers"
            assert self._popen.poll() is None, "mrsync has ended"
            time.sleep(0.001)

    def interrupt(self) -> None:
        """What Ctrl-C does: the whole process group of the terminal gets it."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, *, timeout_s: float = HANG_S) -> Ended:
        try:
            stdout, stderr = self._popen.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.close()
            raise
        self.stderr += stderr.decode(errors="replace")
        report = json.loads(self._report.read_bytes()) if self._report.exists() else {}
        return Ended(self._popen.returncode, stdout.decode(errors="replace"), self.stderr, report)

    def close(self) -> None:
        """Kill it with its catchers."""
        for pid in (*children(self.pid), self.pid):
            os.kill(pid, signal.SIGKILL)
        self._popen.communicate()


def children(pid: int) -> list[int]:
    """Process ids, in the order of their start; empty for a process that is gone."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_alive(pid: int) -> bool:
    """Whether this process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids: Sequence[int], *, timeout_s: float = HANG_S) -> None:
    deadline = time.monotonic() + timeout_s
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"{len(alive)} of {len(pids)} processes are still there"
        time.sleep(0.01)


def write_files(tree: Path, sizes: dict[str, int]) -> None:
    """Random contents, so that no file equals another or itself in an earlier version."""
    tree.mkdir(exist_ok=True)
    for name, size in sizes.items():
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_bytes(os.urandom(size))
