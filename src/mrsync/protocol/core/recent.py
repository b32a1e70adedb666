"""Recent: the smallest or the largest recent value, for paths that change."""

from __future__ import annotations

from typing import Callable


class Recent:
    """Keep the smallest value (pick: min) or the largest one (max) of the last span and of the one before it.

    So a value counts for at least span_s seconds and is forgotten after twice that. Only two numbers are kept,
    however many come. value: the smallest or largest one; None before the first. It is read several times per page.
    """

    def __init__(self, span_s: float, pick: Callable[[float, float], float] = min) -> None:
        self.value: float | None = None
        self._span_s = span_s
        self._pick = pick
        self._before: float | None = None  # of the span before this one
        self._current: float | None = None
        self._began_at = 0.0

    def add(self, value: float, now: float) -> None:
        """Add a value. now: in seconds, never less than before."""
        if now - self._began_at > self._span_s:
            self._began_at = now
            self._before, self._current = self._current, None
        self._current = value if self._current is None else self._pick(self._current, value)
        self.value = self._current if self._before is None else self._pick(self._before, self._current)
