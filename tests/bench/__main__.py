"""./run bench: what mrsync needs in a lab and on this host, beside rsync where it can do the same."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.netns.fleet import Fleet
from tests.netns.lab import Lab, missing_requirement
from tests.programs import program

HOSTS = "abcd"
MEGABYTE = 1 << 20
ROUNDS = 5


class Result(NamedTuple):
    """One line of the table."""

    what: str
    seconds: float
    bytes_sent: int = 0
    note: str = ""

    def __str__(self) -> str:
        rate = f"{self.bytes_sent / self.seconds / 1e6:8.1f} MB/s" if self.bytes_sent else " " * 13
        return f"{self.what:<58} {self.seconds:8.3f} s {rate}  {self.note}"


def links() -> None:
    """128 MB to 8 targets over 200 Mbit/s, with loss at every target; the link carries 23.8 MB/s of payload."""
    for loss in (0.0, 0.001, 0.01):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, Lab(8, rate="200mbit") as lab:
            fleet = Fleet(lab, Path(folder))
            fill(fleet.source, 1, 128 * MEGABYTE)
            for host in lab.targets:
                host.lose(loss)
            fleet.start_catchers()
            expect(fleet.start_caster().wait() == 0)
            report = fleet.report()
            repaired = 100 * report["packets_repaired"] / report["packets_sent"]
            what = f"128 MB to 8 targets, 200 Mbit/s, {loss:.1%} loss"
            print(Result(what, report["seconds"]["cast"], 128 * MEGABYTE, f"repaired {repaired:.2f} % of packets"))


def unshaped() -> None:
    """512 MB to 4 targets, as fast as this machine goes."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, Lab(4, has_bursts=True) as lab:
        fleet = Fleet(lab, Path(folder))
        fill(fleet.source, 1, 512 * MEGABYTE)
        fleet.start_catchers()
        expect(fleet.start_caster().wait() == 0)
        print(Result("512 MB to 4 targets, unshaped", fleet.report()["seconds"]["cast"], 512 * MEGABYTE))


def small_files() -> None:
    """20 000 files of 4 KB to 4 targets on this host, then nothing to do; rsync four times at once."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        fill(folder / "source", 20_000, 4096)
        race("20 000 files of 4 KB to 4 targets here", folder, rounds=1)
        race("the same again, nothing to do", folder, rounds=ROUNDS)


def race(what: str, folder: Path, *, rounds: int) -> None:
    """Best of some rounds, each program into trees of its own."""
    ours = program("mrsync", "-m", ",".join(HOSTS), "-r", "local", "-s", folder / "source", "-t", folder / "m-{host}")
    print(Result(f"{what}: mrsync", best(rounds, lambda: run_all([ours]))))
    theirs = [["rsync", "-aH", "--delete", f"{folder}/source/", f"{folder}/r-{host}/"] for host in HOSTS]
    print(Result(f"{what}: rsync x4", best(rounds, lambda: run_all(theirs))))


def best(rounds: int, action: Callable[[], None]) -> float:
    seconds = []
    for _ in range(rounds):
        started = time.monotonic()
        action()
        seconds.append(time.monotonic() - started)
    return min(seconds)


def run_all(commands: list[list[str]]) -> None:
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    expect([process.wait() for process in processes] == [0] * len(processes))


def fill(source: Path, files: int, size: int) -> None:
    for number in range(files):
        folder = source / f"d{number // 200}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_bytes(os.urandom(size))


def expect(is_so: bool) -> None:
    if not is_so:
        sys.exit("bench: a program failed, so there is nothing to compare")


BENCHES = {"links": links, "unshaped": unshaped, "small": small_files}
IN_LAB = ("links", "unshaped")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run bench")
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"{', '.join(BENCHES)}; default: all")
    wanted = parser.parse_args().benches or list(BENCHES)
    if unknown := set(wanted) - set(BENCHES):
        parser.error(f"unknown: {', '.join(unknown)}")
    reason = missing_requirement()
    for name in wanted:
        if reason and name in IN_LAB:
            print(f"{name}: skipped, {reason}")
        else:
            BENCHES[name]()


main()
