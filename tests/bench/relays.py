"""Where no target hears multicast: mrsync beside what else brings a tree to N hosts, by the time it takes.

All links, the master's too, carry LINK both ways. Beside mrsync run N rsyncs at once, each to a daemon, and a chain of
`nc | tee | tar` by which each host passes the stream on to the next. Every copy is compared with the source.

`python -m tests.bench.relays JSON SVG` draws what `./run bench relays --json JSON` measured.
"""

from __future__ import annotations

import html
import json
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mrsync.cli.output.chart import line_chart
from tests.bench.figures import Figure
from tests.bench.links import MIB, fill
from tests.netns.fleet import Fleet
from tests.netns.lab import Host, Lab, run
from tests.netns.process import Process
from tests.netns.test_networks import start_mrsync
from tests.trees import remove_tree

LINK, LINK_BYTES_S = "25mbit", 25e6 / 8  # little enough that two cores carry seventeen hosts
COUNTS = (1, 2, 4, 8, 16)
SIZE = 16 * MIB
PORT = 9000
PATIENCE_S = 600

STYLE = """<style>
svg { background: #ffffff; font: 12px sans-serif; }
.grid { stroke: #d8dee4; } text { fill: #57606a; }
.line { fill: none; stroke-width: 2.5; }
.mrsync { stroke: #0969da; } .rsync { stroke: #cf222e; } .pipes { stroke: #8250df; }
text.mrsync { fill: #0969da; } text.rsync { fill: #cf222e; } text.pipes { fill: #8250df; } text.name { stroke: none; }
</style>"""


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
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, Lab(count) as lab:
        shape(lab)
        fleet = Fleet(lab, Path(folder))
        fill(fleet.source, size)
        for host in lab.targets:
            (Path(folder) / host.address).symlink_to(fleet.dest(host))
        for name, start in TOOLS.items():
            for host in lab.targets:
                fleet.dest(host).mkdir()
            helpers = daemons(fleet) if name == "rsync" else []
            started = time.monotonic()
            running = start(fleet)
            statuses = [process.wait(timeout_s=PATIENCE_S) for process in running]
            taken = time.monotonic() - started
            if any(statuses) or fleet.differences():
                raise RuntimeError(f"{name}: {statuses} {fleet.differences()} {running[0].output}")
            yield name, taken
            for process in helpers:
                process.close()
            for host in lab.targets:
                remove_tree(fleet.dest(host))


def shape(lab: Lab) -> None:
    """Give every link its rate both ways, with queues of 100 ms, and have no target hear multicast."""
    for host in lab.hosts:
        host.slow_down(LINK)
        run("tc", "-n", host.namespace, *f"qdisc add dev eth0 root tbf rate {LINK} burst 128k latency 100ms".split())
    for host in lab.targets:
        run(*host.command("ethtool", "-K", "eth0", "tx-udp-segmentation", "off"))
        host.deafen()


def mrsync(fleet: Fleet) -> list[Process]:
    return [start_mrsync(fleet, [host.address for host in fleet.lab.targets], "--progress", "none")]


def daemons(fleet: Fleet) -> list[Process]:
    """A daemon of rsync on each target."""
    started = []
    for host in fleet.lab.targets:
        config = fleet.source.parent / f"{host.name}.conf"
        module = f"[dest]\npath = {fleet.dest(host)}\nread only = no\nuid = 0\ngid = 0\n"
        config.write_text(f"use chroot = no\npid file = {config}.pid\nreverse lookup = no\n{module}")
        started.append(host.start("rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={PORT}"))
        wait_for_port(host)
    return started


def rsyncs(fleet: Fleet) -> list[Process]:
    """All at once, as one would start them in the background."""
    master = fleet.lab.master
    return [
        master.start("rsync", "-a", "--delete", f"{fleet.source}/", f"rsync://{host.address}:{PORT}/dest/")
        for host in fleet.lab.targets
    ]


def pipes(fleet: Fleet) -> list[Process]:
    """From the end of the chain to its beginning: each one must listen before the one before it connects."""
    following: Host | None = None
    started = []
    for host in reversed(fleet.lab.targets):
        onward = f"| tee >(nc -N {following.address} {PORT}) " if following is not None else ""
        unpack = f"tar -xp -C {shlex.quote(str(fleet.dest(host)))}"
        started.append(host.start("bash", "-o", "pipefail", "-c", f"nc -l {PORT} {onward}| {unpack}; wait"))
        wait_for_port(host)
        following = host
    assert following is not None  # there are targets
    pack = f"tar -c --format=posix -C {shlex.quote(str(fleet.source))} . | nc -N {following.address} {PORT}"
    return [fleet.lab.master.start("bash", "-o", "pipefail", "-c", pack), *started]


def wait_for_port(host: Host) -> None:
    deadline = time.monotonic() + 10
    while f":{PORT} " not in host.run("ss", "-ltn").stdout:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{host.name}: nothing listens on port {PORT}")
        time.sleep(0.005)


TOOLS: dict[str, Callable[[Fleet], list[Process]]] = {"mrsync": mrsync, "rsync": rsyncs, "pipes": pipes}
LABELS = {"mrsync": "mrsync", "rsync": "rsync x N", "pipes": "nc | tee | tar"}


def picture(figures: list[dict[str, Any]]) -> str:
    """Return an SVG of seconds against the number of targets. figures: as `./run bench relays` wrote them."""
    lines = [(name, label, sorted(_points(figures, name))) for name, label in LABELS.items()]
    legend = "".join(
        f'<text class="name {name}" x="84" y="{26 + 17 * row}">{html.escape(label)}</text>'
        for row, (name, label, _) in enumerate(lines)
    )
    drawn = line_chart(lines, lambda seconds: f"{seconds:g} s", "targets")
    head, _, body = drawn.partition(">")
    return f'{head} xmlns="http://www.w3.org/2000/svg" width="720" height="200">{STYLE}{legend}{body}\n'


def _points(figures: list[dict[str, Any]], name: str) -> Iterator[tuple[float, float]]:
    for figure in figures:
        if found := re.search(rf" to (\d+) deaf targets, .*: {name}$", figure["what"]):
            yield float(found[1]), figure["value"]


if __name__ == "__main__":  # draws the second file from the first one
    measured = json.loads(Path(sys.argv[1]).read_text())["figures"]
    Path(sys.argv[2]).write_text(picture(measured))
