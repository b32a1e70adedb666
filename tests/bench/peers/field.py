"""Where tools compete: a lab, one source, a tree on each target, and servers of ssh for those that need them."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bench.peers import meter
from tests.netns.lab import Host, Lab
from tests.netns.process import Process
from tests.remote.estate import Estate
from tests.trees import remove_tree

PORT = 9000
MEMORY = "/dev/shm"
PIECE = 1 << 20


class Usage(NamedTuple):
    """What processes took: seconds of processor, and the sum of the largest memory of each command."""

    cpu_s: float
    peak_mb: float


class Field:
    """source, tree(host): directories of this machine. has_meters: every program's usage is written down."""

    def __init__(self, lab: Lab, folder: Path, *, has_ssh: bool, has_meters: bool = False) -> None:
        self.lab = lab
        self.folder = folder
        self.estate = Estate(lab, folder)
        self.source = self.estate.source
        self.key = folder / "key"
        self.key.write_text("the key of this measurement, and no other")
        self.key.chmod(0o600)
        self.has_meters = has_meters
        self._metered: list[tuple[Host, Path]] = []
        if has_ssh:
            self.estate.serve_all()
        else:
            for host in lab.targets:
                self.tree(host).mkdir(parents=True)

    def tree(self, host: Host) -> Path:
        return self.estate.tree(host)

    def start(self, host: Host, *command: str | Path) -> Process:
        if not self.has_meters:
            return host.start(*command)
        path = self.folder / f"usage-{len(self._metered)}"
        self._metered.append((host, path))
        return host.start(sys.executable, meter.__file__, path, *command)

    def usage(self) -> tuple[Usage, Usage]:
        """Return what the master and what one target used, on average, since the last call; all must have ended."""
        totals = {True: [0.0, 0.0], False: [0.0, 0.0]}
        for host, path in self._metered:
            used = json.loads(path.read_text())
            totals[host is self.lab.master][0] += used["cpu_s"]
            totals[host is self.lab.master][1] += used["peak_mb"]
        self._metered.clear()
        count = len(self.lab.targets)
        return Usage(*totals[True]), Usage(*(total / count for total in totals[False]))

    def clear(self) -> None:
        """Empty all trees; the directories stay, for they may be mounted elsewhere."""
        for host in self.lab.targets:
            for entry in self.tree(host).iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    remove_tree(entry)
                else:
                    entry.unlink()

    def differing(self, expected: str) -> list[str]:
        """Return the targets whose tree has another digest."""
        return [host.name for host in self.lab.targets if digest(self.tree(host)) != expected]


@contextmanager
def field(lab: Lab, *, has_ssh: bool, has_meters: bool = False) -> Iterator[Field]:
    """Make a field in memory, in a lab that is up already."""
    folder = Path(tempfile.mkdtemp(prefix="mrsync-peers-", dir=MEMORY))
    folder.chmod(0o755)  # servers of ssh look into it as another user
    try:
        yield Field(lab, folder, has_ssh=has_ssh, has_meters=has_meters)
    finally:
        remove_tree(folder)


def digest(tree: Path) -> str:
    """Return one digest of all names and contents; attributes are left out, as not every tool copies them."""
    found = hashlib.sha256()
    for folder, folders, names in os.walk(tree):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            found.update(b"%s\0%d\0" % (os.fsencode(path.relative_to(tree)), path.stat().st_size))
            with open(path, "rb", buffering=0) as file:
                while piece := file.read(PIECE):
                    found.update(piece)
    return found.hexdigest()


def wait_for_port(host: Host, port: int = PORT) -> None:
    deadline = time.monotonic() + 10
    while f":{port} " not in host.run("ss", "-ltnu").stdout:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{host.name}: nothing listens on port {port}")
        time.sleep(0.005)
