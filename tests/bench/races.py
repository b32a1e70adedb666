"""mrsync beside four rsyncs at once, to the daemons of rsync, taking turns in one run."""

from __future__ import annotations

import os
import random
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import Figure
from tests.programs import program

HOSTS = "abcd"
DAEMON = """
use chroot = no
uid = {uid}
gid = {gid}
pid file = {folder}/pid
log file = {folder}/log
reverse lookup = no
max connections = 0
""" + "".join(f"[{host}]\npath = {{folder}}/rsync-{host}\nread only = no\n" for host in HOSTS)  # fmt: skip


def small_files(files: int = 20_000, size: int = 4096, pairs: int = 5) -> Iterator[Figure]:
    """The whole command, into nothing."""
    yield from race(f"{files} files of {size} B to {len(HOSTS)} targets", files, size, pairs, is_fresh=True)


def nothing_to_do(files: int = 100_000, pairs: int = 5) -> Iterator[Figure]:
    """The whole command, on trees that are equal."""
    yield from race(f"nothing to do, {files} files, {len(HOSTS)} targets", files, 100, pairs, is_fresh=False)


def race(what: str, files: int, size: int, pairs: int, *, is_fresh: bool) -> Iterator[Figure]:
    """Medians and their ratio; a first pair that is not counted warms the memory of this machine."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as root, daemon(Path(root)) as port:
        folder = Path(root)
        fill(folder / "source", files, size)
        ours = [local_cast(HOSTS, folder / "source", folder / "mrsync-{host}")]
        source = f"{folder}/source/"
        theirs = [["rsync", "-a", "--delete", source, f"rsync://localhost:{port}/{host}/"] for host in HOSTS]
        took: dict[str, list[float]] = {"mrsync": [], "rsync": []}
        for number in range(pairs + 1):
            turns = [("mrsync", ours), ("rsync", theirs)]
            for runner, commands in turns if number % 2 else reversed(turns):
                make_dests(folder, runner, is_fresh=is_fresh)
                seconds = run_all(commands, as_installed(folder))
                if number:
                    took[runner].append(seconds)
    medians = {name: statistics.median(values) for name, values in took.items()}
    for name, values in took.items():
        rounds = ", ".join(f"{value:.2f}" for value in values)
        yield Figure(f"{what}: {name}", medians[name], "s", note=f"median of {rounds}")
    ratio = medians["mrsync"] / medians["rsync"]
    yield Figure(f"{what}: mrsync / rsync x{len(HOSTS)}", ratio, "", 1.0, is_less_better=True)


@contextmanager
def daemon(folder: Path) -> Iterator[int]:
    """A daemon of rsync on a port of its own, as long as the context."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "rsyncd.conf"
    config.write_text(DAEMON.format(folder=folder, uid=os.geteuid(), gid=os.getegid()))
    command = ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={port}", "--address=127.0.0.1"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise RuntimeError("the daemon of rsync does not listen")
        time.sleep(0.01)


def local_cast(hosts: Iterable[str], source: Path, dest: Path) -> list[str]:
    """mrsync to targets on this host, on a port where no other session is likely to be."""
    places = ("-m", ",".join(hosts), "-s", source, "-t", dest, "-P", random.randrange(20000, 32000, 2))
    return program("mrsync", "-r", "local", *places, "--progress", "none")


def make_dests(folder: Path, runner: str, *, is_fresh: bool) -> None:
    for host in HOSTS:
        dest = folder / f"{runner}-{host}"
        if is_fresh and dest.exists():
            shutil.rmtree(dest)
        dest.mkdir(exist_ok=True)


def as_installed(folder: Path) -> dict[str, str]:
    """An environment in which Python keeps bytecode, as it does for an installed mrsync.

    Without, each start compiles all modules, which is a quarter of the processor time of small races.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}


def run_all(commands: list[list[str]], environment: Mapping[str, str] | None = None) -> float:
    """All at once; seconds until the last has ended."""
    started = time.monotonic()
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) for command in commands]
    statuses = [process.wait() for process in processes]
    seconds = time.monotonic() - started
    if any(statuses):
        raise RuntimeError(f"{commands[0][0]} ended with {statuses}")
    return seconds


def fill(source: Path, files: int, size: int, *, in_each: int = 200) -> None:
    """Make directories of this many files each."""
    data = bytes(range(256)) * (size // 256 + 1)
    for first in range(0, files, in_each):
        folder = source / f"d{first // in_each:05}"
        folder.mkdir(parents=True)
        for number in range(first, min(first + in_each, files)):
            with open(folder / f"file{number}", "wb") as file:
                file.write(data[number % 256 : number % 256 + size])
