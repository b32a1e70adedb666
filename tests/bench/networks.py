"""./run bench networks: one cast through each bad network, and the table of docs/networks.md that comes of it.

It takes about eight minutes. `--only TEXT` measures the conditions whose names contain TEXT; the other rows stay.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.conditions import CONDITIONS, Cast, Condition
from tests.bench.figures import Figure
from tests.bench.impairments import missing_compiler
from tests.bench.links import fill
from tests.netns.lab import Lab

SHARE_GOAL = 90.0
PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
BEGIN, END = "<!-- written by ./run bench networks -->", "<!-- end of what it writes -->"
TIMEOUT_S = 300.0
HEAD = (
    "| condition | time | of what is possible | repairs | exact | status | remark |",
    "|---|---|---|---|---|---|---|",
)


class Row:
    """What one condition came to."""

    def __init__(self, condition: Condition, status: int, report: dict[str, Any], differing: list[str]) -> None:
        self.condition = condition
        self.status = status
        self.seconds = report["seconds"]["cast"]
        self.share = 100 * condition.possible_s / self.seconds
        self.repairs = 100 * report["packets_repaired"] / max(1, report["packets_sent"])
        self.differing = differing

    @property
    def exact(self) -> str:
        return f"all but {', '.join(self.differing)}" if self.differing else "all"

    def __str__(self) -> str:
        said = (
            f"| {self.condition.what} | {self.seconds:.1f} s | {min(100.0, self.share):.0f} % | {self.repairs:.1f} % "
        )
        return said + f"| {self.exact} | {self.status} | {self.condition.remark} |"

    @property
    def figure(self) -> Figure:
        note = f"{self.seconds:.1f} s, {self.repairs:.1f} % repairs, exact: {self.exact}, status {self.status}"
        return Figure(self.condition.what, self.share, "%", SHARE_GOAL, note=note)


def bad_networks(only: Sequence[str] = ()) -> Iterator[Figure]:
    """Yield the share of what is possible in each condition; then write the table.

    only: parts of names of conditions; empty: all.
    """
    rows, skipped = [], []
    for condition in CONDITIONS:
        if only and not any(part in condition.what for part in only):
            continue
        if condition.needs_compiler and missing_compiler():
            skipped.append(f"{condition.what}: {missing_compiler()}")
            continue
        rows.append(measure(condition))
        yield rows[-1].figure
    for reason in skipped:
        print(f"not run: {reason}")
    write_table(rows)


def measure(condition: Condition) -> Row:
    """One cast in a lab of its own."""
    folder = tempfile.TemporaryDirectory(dir="/dev/shm")
    with folder as place, Lab(condition.targets, rate=condition.rate) as lab:
        cast = Cast(lab, Path(place))
        fill(cast.fleet.source, condition.size)
        condition.before(cast)
        cast.start(condition.options)
        condition.during(cast)
        status = cast.caster.wait(timeout_s=TIMEOUT_S)
        return Row(condition, status, cast.fleet.report(), sorted(cast.fleet.differences()))


def write_table(rows: list[Row]) -> None:
    """Put the rows in place of those that the page has for the same conditions."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    PAGE.write_text("\n".join([before + BEGIN, *merged(old.strip().splitlines(), rows), END + after]))


def merged(old: list[str], rows: list[Row]) -> list[str]:
    """Return a table with a row for each condition that was measured now, or has a row in the old table."""
    lines = {line.split("|")[1].strip(): line for line in old}
    lines |= {row.condition.what: str(row) for row in rows}
    return [*HEAD, *(lines[condition.what] for condition in CONDITIONS if condition.what in lines)]
