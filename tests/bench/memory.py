"""Memory of caster and catcher with a million entries."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.races import fill, local_cast

GOAL_MB = 200


def million_entries(files: int = 1_000_000) -> Iterator[Figure]:
    """Empty files to one target: all of them new, then nothing to do."""
    with tempfile.TemporaryDirectory() as name:  # on a disk: few file systems in memory have so many inodes
        folder = Path(name)
        fill(folder / "source", files, 0, in_each=1000)
        for what in ("new", "nothing to do"):
            started = time.monotonic()
            caster, *catchers = peaks(local_cast("a", folder / "source", folder / "dest"))
            note = f"whole command {time.monotonic() - started:.1f} s"
            title = f"memory at {files} files, {what}"
            yield Figure(f"{title}: caster", caster, "MB", GOAL_MB, is_less_better=True, note=note)
            yield Figure(f"{title}: catcher", max(catchers), "MB", GOAL_MB, is_less_better=True)


def peaks(command: list[str]) -> list[float]:
    """Run it to its end; MB that it and each of its children had resident at most."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    found: dict[int, float] = {}
    while process.poll() is None:
        for pid in (process.pid, *children(process.pid)):
            if (peak := resident_peak(pid)) is not None:
                found[pid] = peak
        time.sleep(0.02)
    if process.returncode:
        raise RuntimeError(f"mrsync ended with {process.returncode}")
    return list(found.values())


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def resident_peak(pid: int) -> float | None:
    """VmHWM in MB; None for a process that has ended."""
    try:
        match = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(match[1]) * 1024 / 1e6 if match else None
