"""Where no target hears multicast: mrsync beside what else brings a tree to N hosts, by the time it takes.

All links, the master's too, carry LINK both ways. Beside mrsync run N rsyncs at once, each to a daemon, and a chain of
`nc | tee | tar` by which each host passes the stream on to the next. Every copy is compared with the source.

`python -m tests.bench.relays JSON SVG` draws what `./run bench relays --json JSON` measured.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.bench.links import MIB
from tests.bench.peers.field import digest, field
from tests.bench.peers.parts import one_file
from tests.bench.peers.race import lap
from tests.bench.peers.tools import CHAIN, MRSYNC_BY_NAMESPACES, RSYNC
from tests.bench.plot import plot
from tests.netns.lab import Lab, run

LINK, LINK_BYTES_S = "25mbit", 25e6 / 8  # little enough that two cores carry seventeen hosts
COUNTS = (1, 2, 4, 8, 16)
SIZE = 16 * MIB
PATIENCE_S = 600.0


def deaf_targets(counts: tuple[int, ...] = COUNTS, size: int = SIZE) -> Iterator[Figure]:
    """For each number of targets and each tool: seconds from its start to its end, the tree exact everywhere."""
    for count in counts:
        seconds = dict(race(count, size))
        what = f"{size // MIB} MiB to {count} deaf targets, {LINK}"
        for name, taken in seconds.items():
            yield Figure(f"{what}: {name}", taken, "s", note=f"{taken * LINK_BYTES_S / size:.2f} x one copy")
        yield Figure(f"{what}: mrsync / rsync x N", seconds["mrsync"] / seconds["rsync"], "", is_less_better=True)


def race(count: int, size: int) -> Iterator[tuple[str, float]]:
    """Yield (tool, seconds), one after the other in the same lab."""
    with Lab(count) as lab, field(lab, has_ssh=False) as place:
        shape(lab)
        one_file(place, size)
        expected = digest(place.source)
        for tool in TOOLS:
            place.clear()
            yield tool.name, lap(place, tool, expected, patience_s=PATIENCE_S).seconds


def shape(lab: Lab) -> None:
    """Give every link its rate both ways, with queues of 100 ms, and have no target hear multicast."""
    for host in lab.hosts:
        host.slow_down(LINK)
        run("tc", "-n", host.namespace, *f"qdisc add dev eth0 root tbf rate {LINK} burst 128k latency 100ms".split())
    for host in lab.targets:
        run(*host.command("ethtool", "-K", "eth0", "tx-udp-segmentation", "off"))
        host.deafen()


TOOLS = (MRSYNC_BY_NAMESPACES, RSYNC, CHAIN)


def picture(figures: list[dict[str, Any]]) -> str:
    """Return an SVG of seconds against the number of targets. figures: as `./run bench relays` wrote them."""
    return plot(
        [(tool.label, sorted(_points(figures, tool.name))) for tool in TOOLS], lambda taken: f"{taken:g} s", "targets"
    )


def _points(figures: list[dict[str, Any]], name: str) -> Iterator[tuple[float, float]]:
    for figure in figures:
        if found := re.search(rf" to (\d+) deaf targets, .*: {name}$", figure["what"]):
            yield float(found[1]), figure["value"]


if __name__ == "__main__":  # draws the second file from the first one
    measured = json.loads(Path(sys.argv[1]).read_text())["figures"]
    Path(sys.argv[2]).write_text(picture(measured))
