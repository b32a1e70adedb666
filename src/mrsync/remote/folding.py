"""Fold names of hosts into a node set, in time that grows with their number only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mrsync.remote.targets import DIGITS_MAX, NAME

_NUMBER = re.compile(r"(\d+)", re.ASCII)

_Row = tuple[str, ...]  # what stands at each number of a name: the number, or ranges of several names


def fold(names: list[str]) -> str:
    """Fold names into a node set: node[1-97]. Leave names that no host can have as they are.

    ClusterShell folds several numbers of a name better, but takes quadratic time: 10 s for 2000 addresses.
    """
    if len(names) == 1 or not all(map(NAME.fullmatch, names)):
        return ",".join(names)
    rows: dict[_Row, list[_Row]] = {}  # by the texts around the numbers
    for name in dict.fromkeys(names):
        parts = _NUMBER.split(name)
        rows.setdefault(tuple(parts[::2]), []).append(tuple(parts[1::2]))
    return ",".join(_spelled(texts, row) for texts in sorted(rows) for row in _merged(rows[texts]))


def _merged(rows: list[_Row]) -> list[_Row]:
    """Merge rows that differ at one place only: first at the last place, then at the one before it, and so on."""
    rows = sorted(rows, key=lambda row: list(map(_order, row)))
    for place in reversed(range(len(rows[0]))):
        numbers: dict[tuple[_Row, _Row], list[str]] = {}
        for row in rows:
            numbers.setdefault((row[:place], row[place + 1 :]), []).append(row[place])
        rows = [(*before, _ranges(some), *after) for (before, after), some in numbers.items()]
    return rows


def _order(number: str) -> tuple[int, int]:
    return int(number), len(number)


def _ranges(numbers: Iterable[str]) -> str:
    """Return the ranges of numbers: 1-3,7."""
    runs: list[list[str]] = []
    for number in sorted(numbers, key=_order):
        if runs and _continues(number, *runs[-1]):
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(first if first == last else f"{first}-{last}" for first, last in runs)


def _continues(number: str, first: str, last: str) -> bool:
    """Return whether a range can go on with a number: all of them have the same width, or none has leading zeros."""
    has_one_form = len(number) == len(last) or (number == str(int(number)) and first == str(int(first)))
    return int(number) == int(last) + 1 and has_one_form and len(number) <= DIGITS_MAX


def _spelled(texts: _Row, row: _Row) -> str:
    cells = [f"[{cell}]" if "-" in cell or "," in cell else cell for cell in row]
    return "".join(text + cell for text, cell in zip(texts, [*cells, ""], strict=True))
