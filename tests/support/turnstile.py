"""Let tests run side by side, except those that need the whole machine.

The kernel keeps two locks, on this file and on its folder. A test that must be alone holds the gate while it waits for
the tests inside to end; otherwise an endless stream of others could keep it waiting.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def passed(*, alone: bool) -> Iterator[None]:
    """Stay inside while the context lasts: beside the tests of other workers, or without any of them."""
    gate, inside = _locks()
    mode = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    fcntl.flock(gate, mode)
    fcntl.flock(inside, mode)
    fcntl.flock(gate, fcntl.LOCK_UN)
    try:
        yield
    finally:
        fcntl.flock(inside, fcntl.LOCK_UN)


@cache
def _locks() -> tuple[int, int]:
    return os.open(os.path.dirname(__file__), os.O_RDONLY), os.open(__file__, os.O_RDONLY)
