"""./run bench peers [PART...]: mrsync beside its peers, into docs/benchmarks; --check compares and writes nothing."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.peers import page
from tests.bench.peers.parts import PARTS, Row, missing_for
from tests.bench.peers.record import Record, falls, this_machine
from tests.bench.peers.tools import TOOLS, lacking
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
    fallen = []
    for name, point in wanted:
        found = measured(name, point)
        if options.check:
            fallen += [f"{name}: {sentence}" for sentence in falls(record.rows(name), found)]
        elif found:
            record.keep(name, found)
            record.save()
            page.write(record, FOLDER)
    for sentence in fallen:
        print(sentence, file=sys.stderr)
    return 1 if fallen else 0


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


def measured(name: str, point: float) -> list[Row]:
    """Return the rows of one point of a part; show each."""
    if reason := missing_for(name):
        print(f"{name}: skipped, {reason}")
        return []
    found = []
    for row in PARTS[name].measure(point):
        found.append(row)
        print(f"{name:<9}{row.x:>7g} {page.label(row.tool):<26}{row.unit:<18}{page.cell(row)}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
