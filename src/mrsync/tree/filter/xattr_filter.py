"""Apply filter rules with the modifier x to names of extended attributes."""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.tree.filter import rules
from mrsync.tree.filter.matching import compile_runs
from mrsync.tree.filter.rules import Rule


class AttributeFilter:
    """Decide which names are excluded on one side, rules.SENDER or rules.RECEIVER; ignore per-directory merges."""

    def __init__(self, ordered: Iterable[Rule], side: int) -> None:
        other = rules.SIDES - side
        self._runs = compile_runs(
            rule for rule in ordered if rule.flags & rules.ATTRIBUTES and rule.flags & rules.SIDES != other
        )
        self._excluded: dict[bytes, bool] = {}

    @property
    def is_idle(self) -> bool:
        """Return whether there are no rules for attributes."""
        return not self._runs

    def excludes(self, name: bytes) -> bool:
        if name not in self._excluded:
            self._excluded[name] = self._decide(name)
        return self._excluded[name]

    def _decide(self, name: bytes) -> bool:
        for run in self._runs:
            if any(name in matcher.matches([name], b"", b"") for matcher in run.for_files):
                return not run.is_include
        return False


def attribute_filter(ordered: Iterable[Rule], side: int) -> AttributeFilter | None:
    """Return the filter of one side, or None if no rule is for attributes."""
    found = AttributeFilter(ordered, side)
    return None if found.is_idle else found
