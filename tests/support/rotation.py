"""Long lists of which CI runs a part each day, because it has no time for more.

MRSYNC_DAY in the environment is the number of the day; conftest.py sets it once for all workers. With MRSYNC_ALL_SEEDS,
every part counts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def of_today(cases: Sequence[T], parts: int = 2) -> Sequence[T]:
    """Return every second case, or every third one and so on, and the others on the days that follow."""
    if os.environ.get("MRSYNC_ALL_SEEDS"):
        return cases
    return cases[int(os.environ["MRSYNC_DAY"]) % parts :: parts]
