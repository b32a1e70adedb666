"""Trace: everything that happens in a run, printed for people, or hashed to compare two runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

Record = Callable[..., None]  # called with the time and the facts


def untraced(now: float, *facts: object) -> None:
    """Keep nothing: most runs are judged by the oracle alone, and repr() takes a twentieth of their time."""


def printed(now: float, *facts: object) -> None:
    print(f"{now:.6f}", *facts)


class HashedTrace:
    """The hash of all that was recorded."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def record(self, now: float, *facts: object) -> None:
        self._hash.update(repr((now, facts)).encode())
