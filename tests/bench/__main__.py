"""./run bench: what this machine reaches, beside what it should; each figure is also written as JSON.

`./run bench peers` and `./run bench --check` compare with other tools: tests/bench/peers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.bench.figures import Figure, write
from tests.bench.links import fast_links, slow_links
from tests.bench.memory import million_entries
from tests.bench.networks import bad_networks
from tests.bench.peers.__main__ import main as compare_with_peers
from tests.bench.races import nothing_to_do, small_files
from tests.bench.relays import deaf_targets
from tests.bench.savings import unchanged_bytes
from tests.bench.shares import shares
from tests.bench.starts import many_targets
from tests.bench.trust import cost_of_trust
from tests.netns.lab import missing_requirement
from tests.remote.estate import missing_program

BENCHES: dict[str, Callable[[], Iterator[Figure]]] = {
    "links": slow_links,
    "unshaped": fast_links,
    "small": small_files,
    "noop": nothing_to_do,
    "memory": million_entries,
    "savings": unchanged_bytes,
    "start": many_targets,
    "networks": bad_networks,
    "relays": deaf_targets,
    "trust": cost_of_trust,
    "share": shares,
}
IN_LAB = ("links", "unshaped", "start", "networks", "relays", "share")
OVER_SSH = ("start",)
PROGRAMS = {"small": ("rsync",), "noop": ("rsync",), "relays": ("rsync", "nc", "tee", "ss"), "share": ("iperf3",)}


def main() -> None:
    if sys.argv[1:2] == ["peers"]:
        sys.exit(compare_with_peers(sys.argv[2:]))
    if sys.argv[1:2] == ["--check"]:
        sys.exit(compare_with_peers(sys.argv[1:]))
    parser = argparse.ArgumentParser(prog="./run bench")
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"{', '.join(BENCHES)}; default: all")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE", help="default: bench.json")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="networks: conditions whose names contain TEXT"
    )
    options = parser.parse_args()
    benches: dict[str, Callable[[], Iterator[Figure]]] = {**BENCHES, "networks": partial(bad_networks, options.only)}
    wanted = options.benches or list(BENCHES)
    if unknown := set(wanted) - set(BENCHES):
        parser.error(f"unknown: {', '.join(unknown)}")
    figures = []
    print(f"{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}")
    for name in wanted:
        if reason := missing(name):
            print(f"{name}: skipped, {reason}")
            continue
        for figure in benches[name]():
            figures.append(figure)
            print(figure, flush=True)
    write(figures, options.json)


def missing(name: str) -> str | None:
    """Why a measurement cannot be made here, or None."""
    if name in OVER_SSH and (reason := missing_program()):
        return reason
    if name in PROGRAMS and (lacking := [program for program in PROGRAMS[name] if shutil.which(program) is None]):
        return f"{' and '.join(lacking)} not installed"
    if name in IN_LAB:
        return missing_requirement()
    return None


main()
