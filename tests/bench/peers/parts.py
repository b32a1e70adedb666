"""The parts of the comparison: what is varied in each, with which tools, and what comes of it as rows."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench.impairments import long_path, missing_compiler
from tests.bench.links import MIB, warm
from tests.bench.peers.field import Field, field
from tests.bench.peers.race import Lap, median_ratio, race
from tests.bench.peers.tools import CHAIN, MRSYNC, MRSYNC_BY_SSH, RSYNC, Tool
from tests.netns.lab import Lab, run

SIZE, LARGE = 64 * MIB, 512 * MIB
SLOW_LINK = "200mbit"
TARGETS = 4
ROUNDS = 3
SMALL_FILES, UNCHANGED_FILES = 20_000, 50_000
FIRST_PAGE = f"{MRSYNC_BY_SSH.name}: first page"
TCP_AND_UDP = "{ tcp, udp }"


class Row(NamedTuple):
    """One figure. x: where on the axis of its part; values: one per round; ratio: times better than rsync x N.

    failed: why there are no values. unit: what the values are; less is better for all of them.
    """

    x: float
    tool: str
    values: list[float]
    ratio: float | None
    unit: str = "s"
    failed: str = ""


class Part(NamedTuple):
    """conditions: one sentence for the page. axis: what a point is; empty for a part with a single one.

    measure: called with one of the points, so that a long part can be measured piece by piece, and with the tools that
    may take part, rsync among them.
    """

    title: str
    conditions: str
    axis: str
    points: tuple[float, ...]
    measure: Callable[[float, Sequence[Tool]], Iterator[Row]]


def rows(x: float, found: dict[str, list[Lap] | str], value: Callable[[Lap], float], unit: str = "s") -> Iterator[Row]:
    """Yield a row for each tool of a race; the ratio is that of the same round of rsync."""
    reference = found[RSYNC.name]
    if isinstance(reference, str):
        raise RuntimeError(f"rsync: {reference}")
    for name, laps in found.items():
        if isinstance(laps, str):
            yield Row(x, name, [], None, unit, laps)
            continue
        values = [value(lap) for lap in laps]
        yield Row(x, name, values, median_ratio(map(value, reference), values), unit)


def seconds(lap: Lap) -> float:
    return lap.seconds


@contextmanager
def prepared(
    count: int, tools: Sequence[Tool], *, rate: str | None = None, has_bursts: bool = True, has_meters: bool = False,
    impair: Callable[[Lab, Path], None] = lambda lab, folder: None,
) -> Iterator[Field]:  # fmt: skip
    """Make a lab of this many targets, with servers of ssh if a tool needs them. impair: what is done to it first."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(count, rate=rate, has_bursts=has_bursts))
        impair(lab, Path(stack.enter_context(TemporaryDirectory())))
        needs_ssh = any(tool.is_over_ssh for tool in tools)
        yield stack.enter_context(field(lab, has_ssh=needs_ssh, has_meters=has_meters))


def one_file(place: Field, size: int) -> None:
    """Make the source one file, after this machine touched memory for all its copies."""
    warm(place.folder / "warm", size * (len(place.lab.targets) + 1))
    place.source.mkdir()
    with open(place.source / "file", "wb") as file:
        for _ in range(0, size, MIB):
            file.write(os.urandom(MIB))


def by_count(count: float, able: Sequence[Tool]) -> Iterator[Row]:
    for_many = (MRSYNC, MRSYNC_BY_SSH, RSYNC, CHAIN)
    tools = [tool for tool in able if count <= 8 or tool in for_many]
    with prepared(int(count), tools, rate="1000mbit") as place:
        one_file(place, SIZE)
        yield from rows(count, race(place, tools, 1 if count > TARGETS else 2), seconds)


def unshaped(count: float, able: Sequence[Tool]) -> Iterator[Row]:
    tools = [tool for tool in able if not tool.is_over_ssh]
    with prepared(int(count), tools) as place:
        one_file(place, LARGE if count <= TARGETS else LARGE // 4)
        yield from rows(count, race(place, tools, 2), seconds)


def losses(percent: float, able: Sequence[Tool]) -> Iterator[Row]:
    def impair(lab: Lab, _: Path) -> None:
        for host in lab.hosts:
            run(*host.command("ethtool", "-K", "eth0", "tso", "off", "gso", "off"))
        for host in lab.targets:
            host.lose(percent / 100, of=TCP_AND_UDP)

    yield from slow(percent, able, impair)


def delays(round_trip_ms: float, able: Sequence[Tool]) -> Iterator[Row]:
    def impair(lab: Lab, folder: Path) -> None:
        for host in lab.targets:
            long_path(lab, host, folder, delay_ms=round_trip_ms / 2)
        for host in lab.hosts:
            run(*host.command("ethtool", "-K", "eth0", "tx", "off"))  # the path forwards frames as they are

    yield from slow(round_trip_ms, able, impair)


def slow(x: float, able: Sequence[Tool], impair: Callable[[Lab, Path], None]) -> Iterator[Row]:
    with prepared(TARGETS, able, rate=SLOW_LINK, has_bursts=False, impair=impair) as place:
        one_file(place, SIZE // 2)
        yield from rows(x, race(place, able, 1), seconds)


def small_files(count: float, able: Sequence[Tool]) -> Iterator[Row]:
    with prepared(TARGETS, able) as place:
        fill(place.source, int(count))
        yield from rows(count, race(place, able, 1), seconds)


def nothing_to_do(count: float, able: Sequence[Tool]) -> Iterator[Row]:
    tools = [tool for tool in able if tool.is_for_trees]
    with prepared(TARGETS, tools) as place:
        fill(place.source, int(count))
        yield from rows(count, race(place, tools, ROUNDS, is_fresh=False), seconds)


def fill(source: Path, files: int, *, in_each: int = 200, seed: int = 1) -> None:
    """Make files of 0.1 to 8 KB, so many in each directory."""
    draw = random.Random(seed)
    for first in range(0, files, in_each):
        folder = source / f"d{first // in_each:05}"
        folder.mkdir(parents=True)
        for number in range(first, min(first + in_each, files)):
            (folder / f"file{number}").write_bytes(draw.randbytes(draw.randrange(100, 8192)))


def starts(count: float, able: Sequence[Tool]) -> Iterator[Row]:
    """Yield the time of a whole command for a single small file, and of mrsync also until its first page left."""
    tools = [tool for tool in able if tool.is_over_ssh or tool is RSYNC]
    with prepared(int(count), tools) as place:
        place.source.mkdir()
        (place.source / "file").write_bytes(b"small")
        found = race(place, tools, ROUNDS)
    yield from rows(count, found, seconds)
    ours, theirs = found[MRSYNC_BY_SSH.name], found[RSYNC.name]
    if not isinstance(ours, str) and not isinstance(theirs, str):
        first = [lap.first_s or 0.0 for lap in ours]
        yield Row(count, FIRST_PAGE, first, median_ratio(map(seconds, theirs), first))


def costs(count: float, able: Sequence[Tool]) -> Iterator[Row]:
    """Yield processor and memory of the master and of one target."""
    tools = [tool for tool in able if not tool.is_over_ssh]
    with prepared(int(count), tools, has_meters=True) as place:
        one_file(place, LARGE)
        found = race(place, tools, 2)
    gb = LARGE / 1e9
    yield from rows(count, found, lambda lap: lap.master.cpu_s / gb, "master: CPU s/GB")
    yield from rows(count, found, lambda lap: lap.target.cpu_s / gb, "target: CPU s/GB")
    yield from rows(count, found, lambda lap: lap.master.peak_mb, "master: peak MB")
    yield from rows(count, found, lambda lap: lap.target.peak_mb, "target: peak MB")


ON_LINK = f"{SIZE // MIB} MiB in one file, a link of 1 Gbit/s at the master"
ON_SLOW_LINK = f"{SIZE // 2 // MIB} MiB in one file to {TARGETS} targets, a link of 200 Mbit/s at the master"
PARTS = {
    "targets": Part("Number of targets", f"{ON_LINK}.", "targets", (1, 2, 4, 8, 16, 32), by_count),
    "unshaped": Part(
        "No limit but the processor",
        f"{LARGE // MIB} MiB in one file, {LARGE // MIB // 4} MiB to 16 targets; no link has a rate.",
        "targets",
        (1, TARGETS, 16),
        unshaped,
    ),
    "loss": Part(
        "Loss",
        f"{ON_SLOW_LINK}; each target loses this share of the packets that come to it, of TCP and UDP.",
        "% lost",
        (0, 0.1, 1, 5),
        losses,
    ),
    "delay": Part("Delay", f"{ON_SLOW_LINK}; round trips take so long.", "ms", (0, 10, 50, 100), delays),
    "files": Part(
        "Small files",
        f"{SMALL_FILES} files of 0.1 to 8 KB to {TARGETS} targets; no link has a rate.",
        "",
        (SMALL_FILES,),
        small_files,
    ),
    "noop": Part(
        "Nothing to do",
        f"{UNCHANGED_FILES} files of 0.1 to 8 KB that {TARGETS} targets have already.",
        "",
        (UNCHANGED_FILES,),
        nothing_to_do,
    ),
    "start": Part(
        "Start",
        "A tree with a single file of 5 bytes: what a command costs whatever it copies.",
        "targets",
        (1, 8, 32),
        starts,
    ),
    "cost": Part(
        "Processor and memory",
        f"{LARGE // MIB} MiB in one file to {TARGETS} targets; no link has a rate.",
        "",
        (TARGETS,),
        costs,
    ),
}


def missing_for(part: str) -> str:
    """Return why a part cannot be measured here; empty if it can."""
    return missing_compiler() if part == "delay" else ""
