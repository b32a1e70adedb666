"""docs/benchmarks/README.md and its plots, made of what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill

from tests.bench.peers.parts import PARTS, Row
from tests.bench.peers.record import OURS, Record
from tests.bench.peers.tools import TOOLS
from tests.bench.plot import plot

HEAD = """# mrsync beside its peers

`./run bench peers` made this page and [peers.json](peers.json). Every figure is a ratio to **rsync x N**: one rsync for
each target, all at once, to daemons that wait on the targets. 2.0 means half of the time, processor or memory that
rsync x N took, 0.5 means twice as much. rsync is always 1. What was measured stands in brackets, as the median.

The machine: {machine}.

How it was measured:

- All hosts are network namespaces of one machine, behind a bridge. What a real switch and real network cards would do
  costs the same {cores} here.
- In each round the tools take turns on the same tree, forwards and backwards, and the ratio is to the rsync of the same
  round. The table has the median of one to three rounds, after one more that is not counted. The machine serves others,
  too: a tenth more or less means nothing.
- The time is that of the whole command, until the last target has everything. The receivers of "mrsync, catchers wait",
  rsync's daemons, udpcast, UFTP and the chain of `nc | tee | tar` were started before. mrsync, rsync and clush by ssh
  start everything themselves, as part of the time.
- After every copy the digest of all names and contents on every target is compared with that of the source; where there
  is nothing to do, only after the last round. A tool that did not bring them there is said to have failed.
- Processor is that of all processes of a host. Memory is the largest that each command had; how it is measured, no
  command has less than 12 MB.
- All trees are in memory. mrsync and ssh encrypt, the others do not. UFTP is told nine tenths of the link's rate; all
  others find out by themselves.

"""
LOSSES = """## Where mrsync loses

Where the rounds above took mrsync longer than rsync x N, or more processor or memory:

"""
LINE_WIDTH = 120
LABELS = {tool.name: tool.label for tool in TOOLS}


def write(record: Record, folder: Path) -> None:
    """Write the page and one plot for each part that has an axis."""
    machine = ", ".join(f"{name} {value}" for name, value in record.machine.items())
    sections = [HEAD.format(machine=machine, cores=record.machine["processor"].split(",")[0])]
    for name, part in PARTS.items():
        if not (found := record.rows(name)):
            continue
        sections.append(f"## {part.title}\n\n{part.conditions} Measured on {record.measured(name)}.\n\n")
        if part.axis:
            drawn = plot(lines(found), lambda ratio: f"{ratio:g} x", part.axis)
            (folder / f"peers-{name}.svg").write_text(drawn)
            sections.append(f"![{part.title}: times as good as rsync x N]({f'peers-{name}.svg'})\n\n")
        sections.append("\n".join(table(found, part.axis)) + "\n\n")
    sections += [LOSSES, *defeats(record), "\n"]
    if record.skipped:
        reasons = "; ".join(f"{name}: {why}" for name, why in record.skipped.items())
        sections.append(f"Not run here: {reasons}.\n\n")
    (folder / "README.md").write_text(wrapped("".join(sections).rstrip()) + "\n")


def lines(found: Sequence[Row]) -> list[tuple[str, list[tuple[float, float]]]]:
    """Return (label, points) of each tool."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in found:
        if row.ratio is not None:
            points.setdefault(row.tool, []).append((row.x, row.ratio))
    return [(label(tool), of_tool) for tool, of_tool in points.items()]


def table(found: Sequence[Row], axis: str) -> Iterator[str]:
    """Yield the lines of a table: a row for each tool, a column for each x."""
    columns = list(dict.fromkeys((row.x, row.unit) for row in found))
    heads = [f"{x:g}" if axis else unit if unit != "s" else "the whole command" for x, unit in columns]
    yield f"| {axis} | " + " | ".join(heads) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    by_place = {(row.tool, row.x, row.unit): row for row in found}
    for tool in dict.fromkeys(row.tool for row in found):
        cells = [cell(by_place.get((tool, x, unit))) for x, unit in columns]
        yield f"| {label(tool).replace('|', chr(92) + '|')} | " + " | ".join(cells) + " |"


def defeats(record: Record) -> Iterator[str]:
    """Yield a line of a list for each part, unit and way to start mrsync with a ratio below 1."""
    for name, part in PARTS.items():
        found: dict[tuple[str, str], list[Row]] = {}
        for row in record.rows(name):
            if row.tool in OURS and row.ratio is not None and row.ratio < 1:
                found.setdefault((row.tool, row.unit), []).append(row)
        for (tool, unit), lost in found.items():
            where = f" at {', '.join(f'{row.x:g}' for row in lost)} {part.axis}" if part.axis else ""
            what = "" if unit == "s" else f", {unit.split(':')[0]}'s {unit.split(': ')[1]}"
            yield f"- {part.title}, {label(tool)}{what}{where}: {', '.join(cell(row) for row in lost)}\n"


def cell(row: Row | None) -> str:
    if row is None:
        return ""
    if row.ratio is None:
        return f"failed: {row.failed}"
    digits = f"{row.ratio:.2f}" if row.ratio < 10 else f"{row.ratio:.1f}"
    return f"{digits} ({statistics.median(row.values):.3g}{' s' if row.unit == 's' else ''})"


def label(tool: str) -> str:
    return LABELS.get(tool) or tool.replace("mrsync-ssh", LABELS["mrsync-ssh"])


def wrapped(text: str) -> str:
    """Return a page with its overlong paragraphs wrapped, as all documents are."""
    blocks = text.split("\n\n")
    return "\n\n".join(
        block if block.startswith(("|", "-", "!", "#")) else fill(block, LINE_WIDTH, break_long_words=False)
        for block in blocks
    )
