"""./run bench peers [PART...]: mrsync beside its peers, into docs/benchmarks.

`--check` measures only mrsync and rsync x N, only what has committed figures, and writes nothing. A ratio that fell is
measured once more, because the machine serves others, too: it counts only if it fell both times.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.bench.peers import page
from tests.bench.peers.parts import PARTS, Row, missing_for
from tests.bench.peers.record import OURS, Record, better_of, falls, this_machine
from tests.bench.peers.tools import RSYNC, TOOLS, Tool, able, lacking
from tests.netns.lab import missing_requirement
from tests.remote.estate import missing_program

FOLDER = Path(__file__).parents[3] / "docs" / "benchmarks"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run bench peers")
    parser.add_argument("parts", nargs="*", metavar="PART[:POINT]", help=f"{', '.join(PARTS)}, or loss:5; default: all")
    parser.add_argument("--check", action="store_true", help="fail if a ratio is a fifth lower than the committed one")
    options = parser.parse_args(arguments)
    try:
        wanted = [place for part in options.parts or PARTS for place in chosen(part)]
    except ValueError as error:
        parser.error(str(error))
    if reason := missing_requirement() or missing_program():
        print(f"nothing can be measured: {reason}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that labs end their programs
    record = Record(FOLDER / "peers.json")
    record.machine = this_machine()
    record.skipped = {tool.label: f"{' and '.join(names)} not installed" for tool in TOOLS if (names := lacking(tool))}
    if options.check:
        ours = [tool for tool in able() if tool is RSYNC or tool.name in OURS]
        return check(record, wanted, lambda name, point: measured(name, point, ours))
    for name, point in wanted:
        if found := measured(name, point, able()):
            record.keep(name, found)
            record.save()
            page.write(record, FOLDER)
    return 0


def check(record: Record, wanted: Sequence[tuple[str, float]], measure: Callable[[str, float], list[Row]]) -> int:
    """Return 1 if a ratio is a fifth lower than the record's, or nothing could be compared; tell which."""
    fallen, compared = [], 0
    for name, point in wanted:
        before = [row for row in record.rows(name) if row.x == point and row.ratio is not None]
        found = measure(name, point) if before else []
        if any(falls(before, found)):
            print(f"{name}: once more")
            found = better_of(found, measure(name, point))
        fallen += [f"{name}: {sentence}" for sentence in falls(before, found)]
        compared += bool(found)
    for sentence in fallen:
        print(sentence, file=sys.stderr)
    print(f"points compared: {compared}, ratios that fell: {len(fallen)}" if compared else "nothing to compare with")
    return 1 if fallen or not compared else 0


def chosen(text: str) -> Iterator[tuple[str, float]]:
    """Yield (part, point) for "loss" or "loss:5". Raise ValueError."""
    name, _, point = text.partition(":")
    if name not in PARTS:
        raise ValueError(f"there is no part {name}")
    points = [known for known in PARTS[name].points if not point or point == f"{known:g}"]
    if not points:
        raise ValueError(f"{name} has the points {', '.join(f'{known:g}' for known in PARTS[name].points)}")
    for known in points:
        yield name, known


def measured(name: str, point: float, tools: Sequence[Tool]) -> list[Row]:
    """Return the rows of one point of a part with these tools; show each."""
    if reason := missing_for(name):
        print(f"{name}: skipped, {reason}")
        return []
    found = []
    for row in PARTS[name].measure(point, tools):
        found.append(row)
        print(f"{name:<9}{row.x:>7g} {page.label(row.tool):<26}{row.unit:<18}{page.cell(row)}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
