"""What trust costs: waiting for the disk, checking who sent a page, and proving a tree days later."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.races import fill, local_cast, run_all
from tests.programs import program

MEMORY = "/dev/shm"
DISK = Path.cwd()  # the repository is expected on one
MEGABYTE = 1 << 20


def cost_of_trust(
    file_megabytes: int = 512, files: int = 20_000, tree_megabytes: int = 1024, pairs: int = 5
) -> Iterator[Figure]:
    """To one target on this machine, so that a core is free for it."""
    yield from ratio(f"{file_megabytes} MB onto a disk, --durable", DISK, big(file_megabytes), "--durable", pairs, 1.1)
    yield from ratio(f"{files} files onto a disk, --durable", DISK, small(files), "--durable", pairs, 1.5)
    yield from ratio(
        f"{file_megabytes} MB in memory, --trust-targets", MEMORY, big(file_megabytes), "--trust-targets", pairs
    )
    yield from verification(tree_megabytes, pairs)


def big(megabytes: int) -> tuple[int, int]:
    """One file: how many, bytes of each."""
    return 1, megabytes * MEGABYTE


def small(files: int) -> tuple[int, int]:
    """Many files: how many, bytes of each."""
    return files, 4096


def ratio(
    what: str, place: Path | str, shape: tuple[int, int], option: str, pairs: int, goal: float | None = None
) -> Iterator[Figure]:
    """The time of a sync into nothing with an option, against the time without it, taking turns."""
    took: dict[tuple[str, ...], list[float]] = {(): [], (option,): []}
    with tempfile.TemporaryDirectory(dir=place, prefix=".bench-") as root:
        folder = Path(root)
        files, size = shape
        fill(folder / "source", files, size)
        for number in range(pairs + 1):
            for options in took if number % 2 else reversed(took):
                shutil.rmtree(folder / "dest", ignore_errors=True)
                (folder / "dest").mkdir()
                os.sync()  # what the last one left to the disk is not this one's
                seconds = run_all([local_cast("a", folder / "source", folder / "dest") + list(options)])
                if number:
                    took[options].append(seconds)
    without, with_it = (statistics.median(times) for times in took.values())
    note = f"{with_it:.2f} s and {without:.2f} s, medians of {pairs}"
    yield Figure(f"{what}: time with / without", with_it / without, "", goal, is_less_better=True, note=note)


def verification(megabytes: int, rounds: int) -> Iterator[Figure]:
    """`mrsync verify` of files of 16 MB in memory, the start of the command included."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        folder = Path(root)
        fill(folder / "source", megabytes // 16, 16 * MEGABYTE)
        run_all([local_cast("a", folder / "source", folder / "dest")])
        command = program("mrsync", "verify", "-r", "local", "-m", "a", "-t", folder / "dest")
        times = [run_all([command]) for _ in range(rounds)]
    took = statistics.median(times)
    yield Figure("a tree proven by mrsync verify", megabytes / 1024 / took, "GB/s", 1.0, note=f"{took:.2f} s")
