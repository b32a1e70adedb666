"""What rsync itself makes of two trees: the oracle for every option that has rsync's name."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

BASE_NS = 1_500_000_000_123_456_789
SECOND_NS = 1_000_000_000


def rsync(source: Path, dest: Path, *options: str, statuses: Sequence[int] = (0,)) -> str:
    """Run rsync as mrsync works without options: -aH --delete, times to the nanosecond; what it prints.

    Takes mrsync's --no-delete and --no-hard-links too, and a --modify-window of its own in place of the one above.
    """
    base = {"--no-delete": "--delete", "--no-hard-links": "-H"}
    command = ["rsync", "-a", *(own for no, own in base.items() if no not in options), "--modify-window=-1"]
    command += [option for option in options if option not in base] + [f"{source}/", f"{dest}/"]
    done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", errors="surrogateescape")
    assert done.returncode in statuses, done.stderr
    return done.stdout


def build_pair(source: Path, dest: Path, seed: int, *, files: int = 60, least_ns: int = 1, swaps: bool = True) -> None:
    """Two trees that agree in some entries and differ in others in every way that options speak of.

    least_ns: no two times are closer than that. swaps: some have a directory where the other has none.
    """
    chance = _Chance(seed, least_ns, swaps)
    for top in (source, dest):
        top.mkdir()
    directories = [Path(".")]
    for number in range(files):
        if chance.random() < 0.2:
            directories.append(chance.choice(directories) / f"d{number}")
            for top in _tops(source, dest, chance):
                (top / directories[-1]).mkdir(parents=True, exist_ok=True)
        path = chance.choice(directories) / f"f{number}"
        for top in _tops(source, dest, chance):
            _make(top / path, chance)
    for number in range(files // 6):
        _make_group([chance.choice(directories) / f"g{number}{letter}" for letter in "abc"], source, dest, chance)
    for top in (source, dest):
        for path in [top, *top.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                os.utime(path, ns=(0, BASE_NS + chance.choice((0, 0, 3 * SECOND_NS))))


class _Chance(random.Random):
    def __init__(self, seed: int, least_ns: int, swaps: bool) -> None:
        super().__init__(seed)
        self.least_ns = least_ns
        self.swaps = swaps


def _tops(source: Path, dest: Path, chance: _Chance) -> tuple[Path, ...]:
    return chance.choice(((source, dest), (source, dest), (source, dest), (source,), (dest,)))


def _make(path: Path, chance: _Chance) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if chance.random() < 0.1:
        path.symlink_to(chance.choice(("here", "there")))
        _dress(path, chance)
        return
    if chance.random() < 0.05 and chance.swaps:
        path.mkdir()
        if chance.random() < 0.5:
            (path / "below").write_bytes(b"below")
            _dress(path / "below", chance)
        return
    path.write_bytes(chance.choice((b"", b"abc", b"abc", b"abc", b"xyz", b"longer than that")))
    _dress(path, chance)


def _dress(path: Path, chance: _Chance) -> None:
    """Owner, mode and time, most often the same."""
    if os.geteuid() == 0:
        owner = chance.choice(((0, 0), (0, 0), (0, 0), (1, 0), (0, 2), (4242, 65534)))
        os.chown(path, *owner, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(chance.choice((0o644, 0o644, 0o644, 0o600, 0o755, 0o4755, 0o2711)))
    apart = chance.choice((0, 0, 0, 1, -1, SECOND_NS, -SECOND_NS, 2 * SECOND_NS, -5 * SECOND_NS))
    os.utime(path, ns=(0, BASE_NS + (apart if abs(apart) >= chance.least_ns else 0)), follow_symlinks=False)


def _make_group(paths: list[Path], source: Path, dest: Path, chance: _Chance) -> None:
    """Names that are one file in the source; in dest some of them are, some are files of their own, some are absent."""
    for path in paths:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
    (source / paths[0]).write_bytes(b"abc")
    _dress(source / paths[0], chance)
    for path in paths[1:]:
        os.link(source / paths[0], source / path)
    there = [dest / path for path in paths if chance.random() < 0.7]
    for number, path in enumerate(there):
        path.parent.mkdir(parents=True, exist_ok=True)
        if number and chance.random() < 0.5:
            os.link(there[0], path)
        else:
            path.write_bytes(chance.choice((b"abc", b"abc", b"abc", b"longer than that")))
            _dress(path, chance)
