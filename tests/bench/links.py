"""Casting over the lab's links: a slow one with losses, and one as fast as the machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.netns.fleet import Fleet
from tests.netns.lab import Lab
from tests.trees import remove_tree

MB = 1_000_000
MIB = 1 << 20
LINK = "200mbit"
LINK_BYTES_S = 23.8 * MB  # payload that it can carry, headers and sealing taken off
LOSSES = {0.0: 97, 0.001: 96, 0.01: 94}  # -> goal in % of the link
REPAIRS_MAX = 2.0  # % of packets at 1 % loss
UNSHAPED_GOAL = 650
SEEN_IN = ("--encrypt", "-w", "30", "--progress", "none")


def slow_links() -> Iterator[Figure]:
    for loss in LOSSES:
        yield from slow_link(loss)


def slow_link(loss: float, size: int = 128 * MIB, targets: int = 8) -> tuple[Figure, Figure]:
    """One file over 200 Mbit/s to targets that each lose packets of their own: share of the link, share of repairs."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, Lab(targets, rate=LINK) as lab:
        fleet = Fleet(lab, Path(folder))
        fill(fleet.source, size)
        for host in lab.targets:
            host.lose(loss)
        report = cast(fleet)
    rate = size / report["seconds"]["cast"]
    repairs = 100 * report["packets_repaired"] / report["packets_sent"]
    what = f"{size // MIB} MiB to {targets} targets, {LINK}, {loss:.1%} loss"
    note = f"{rate / MB:.1f} MB/s, {dropped(report)} packets dropped by sockets"
    limit = REPAIRS_MAX if loss == 0.01 else None
    return (
        Figure(f"{what}: of the link", 100 * rate / LINK_BYTES_S, "%", LOSSES[loss], note=note),
        Figure(f"{what}: repairs", repairs, "%", limit, is_less_better=True),
    )


def fast_links() -> Iterator[Figure]:
    for pages in ("4 KB", "huge"):
        yield fast_link(pages)


def fast_link(pages: str, size: int = 512 * MIB, targets: int = 4, rounds: int = 5) -> Figure:
    """One file to 4 targets, unshaped and encrypted, onto memory in pages of 4 KB or huge ones.

    What the file system does with its pages of 4 KB costs as much as all that a catcher does;
    file systems on disks use larger ones.
    """
    rates = []
    with memory_folder(pages == "huge") as folder, Lab(targets, has_bursts=True) as lab:
        fleet = Fleet(lab, folder)
        fill(fleet.source, size)
        for _ in range(rounds):
            warm(folder / "warm", size * targets)
            report = cast(fleet)
            rates.append(size / report["seconds"]["cast"] / MB)
            for host in lab.targets:
                remove_tree(fleet.dest(host))
    note = f"median of {', '.join(f'{rate:.0f}' for rate in rates)}"
    what = f"{size // MIB} MiB to {targets} targets, unshaped, AES-GCM, onto {pages} pages: to each"
    return Figure(what, statistics.median(rates), "MB/s", UNSHAPED_GOAL, note=note)


@contextmanager
def memory_folder(has_huge_pages: bool) -> Iterator[Path]:
    """A file system in memory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        options = f"huge={'always' if has_huge_pages else 'never'},size=60%"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def warm(path: Path, size: int) -> None:
    """Have a virtual machine touch memory beforehand: the first time is several times slower."""
    with open(path, "wb") as file:
        for _ in range(0, size, MIB):
            file.write(bytes(MIB))
    path.unlink()


def cast(fleet: Fleet) -> dict[str, Any]:
    """One cast to all, which must end exact; its report."""
    fleet.start_catchers()
    caster = fleet.start_caster(*SEEN_IN)
    status = caster.wait(timeout_s=300)
    if status or fleet.differences():
        raise RuntimeError(f"multicaster ended with {status}: {caster.output}")
    return fleet.report()


def dropped(report: dict[str, Any]) -> int:
    """Packets that the sockets of targets dropped."""
    return sum(target["kernel_drops"] for target in report["targets"].values())


def fill(source: Path, size: int) -> None:
    source.mkdir()
    with open(source / "file", "wb") as file:
        for _ in range(0, size, MIB):
            file.write(os.urandom(MIB))
