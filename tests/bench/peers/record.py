"""docs/benchmarks/peers.json: the machine and the rows of each part, as last measured."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any

from tests.bench.peers.parts import FIRST_PAGE, Row
from tests.bench.peers.tools import MRSYNC, MRSYNC_BY_SSH

FALL_MAX = 0.2
OURS = (MRSYNC.name, MRSYNC_BY_SSH.name, FIRST_PAGE)


class Record:
    """What the file says. save() writes it back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        loaded = json.loads(path.read_text()) if path.exists() else {"parts": {}}
        self.machine: dict[str, str] = loaded.get("machine", {})
        self.skipped: dict[str, str] = loaded.get("skipped", {})
        self._parts: dict[str, dict[str, Any]] = loaded["parts"]

    def rows(self, part: str) -> list[Row]:
        return [Row(*row) for row in self._parts.get(part, {}).get("rows", ())]

    def measured(self, part: str) -> str:
        """Return the day of a part's newest figures."""
        return str(self._parts[part]["day"])

    def keep(self, part: str, found: Sequence[Row]) -> None:
        """Replace the rows of the same points."""
        points = {row.x for row in found}
        old = [row for row in self.rows(part) if row.x not in points]
        new = [row._replace(values=[round(value, 4) for value in row.values]) for row in found]
        kept = sorted([*old, *new], key=attrgetter("x"))
        self._parts[part] = {"day": date.today().isoformat(), "rows": kept}

    def save(self) -> None:
        fields = {"machine": self.machine, "skipped": self.skipped, "parts": self._parts}
        text = json.dumps(fields, indent=1)
        self._path.write_text(re.sub(r"\n {4,}|\n {3}(?=\])", " ", text) + "\n")  # a row is a line


def falls(before: Sequence[Row], now: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence for each ratio of mrsync that is more than a fifth lower than before."""
    known = {(row.x, row.tool, row.unit): row.ratio for row in before}
    for row in now:
        old = known.get((row.x, row.tool, row.unit))
        if row.tool not in OURS or old is None:
            continue
        if row.ratio is None:
            yield f"{row.tool} at {row.x:g}: failed, {row.failed}"
        elif row.ratio < old * (1 - FALL_MAX):
            yield f"{row.tool} at {row.x:g} ({row.unit}): {row.ratio:.2f} times as good as rsync x N, was {old:.2f}"


def better_of(first: Sequence[Row], second: Sequence[Row]) -> list[Row]:
    """Return the rows of two measurements of the same, each with the better ratio of the two."""
    found = {(row.x, row.tool, row.unit): row for row in first}
    for row in second:
        known = found.get((row.x, row.tool, row.unit), row)
        if (row.ratio or 0.0) >= (known.ratio or 0.0):
            found[row.x, row.tool, row.unit] = row
    return list(found.values())


def this_machine() -> dict[str, str]:
    """Describe what the figures depend on."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = int(re.findall(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)[0]) / 1e6
    rsync = subprocess.run(["rsync", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return {
        "processor": f"{os.cpu_count()} cores, {cpu[1] if cpu else platform.machine()}",
        "memory": f"{memory:.0f} GB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "rsync": rsync,
    }
