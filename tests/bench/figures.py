"""What a measurement found, beside what it should have found."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the table; a goal is reached by being at least it, or at most it where less is better."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    is_less_better: bool = False
    note: str = ""

    @property
    def is_reached(self) -> bool:
        return self.misses_by <= 0

    @property
    def misses_by(self) -> float:
        """As a share of the goal; 0 or less where it is reached."""
        if self.goal is None:
            return 0.0
        beyond = self.value - self.goal if self.is_less_better else self.goal - self.value
        return beyond / self.goal

    def __str__(self) -> str:
        goal = ""
        if self.goal is not None:
            goal = f"{'<=' if self.is_less_better else '>='} {self.goal:g}"
            goal += "" if self.is_reached else f"  MISSED by {self.misses_by:.0%}"
        return f"{self.what:<56}{self.value:>10.4g} {self.unit:<6}{goal:<22}{self.note}".rstrip()


def write(figures: Iterable[Figure], path: Path) -> None:
    fields = [{**figure._asdict(), "is_reached": figure.is_reached} for figure in figures]
    path.write_text(json.dumps({"figures": fields}, indent=1) + "\n")
