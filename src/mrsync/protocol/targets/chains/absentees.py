"""Absentees: targets that take no part in the chains for now, and when they may again.

A target is *barred* when no parent can feed it or it is left behind; the caster serves it meanwhile. It is *parked*
while it does not answer. It is *stuck* while it has pages and writes none, because its parent would have to wait for
it.
"""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.protocol.targets.roster import Target


class Absentees:
    """The targets that take no part, by id. barred: target -> reason."""

    def __init__(self) -> None:
        self.barred: dict[int, str] = {}
        self._barred_until: dict[int, float] = {}
        self._parked: dict[int, float] = {}  # since when
        self._stuck: dict[int, int] = {}  # its activity then

    def bar(self, target: Target, reason: str, until: float | None = None) -> None:
        """Keep a target out. until: when it may take part again; None: never."""
        self.barred[target.id] = reason
        if until is not None:
            self._barred_until[target.id] = until

    def park(self, target: Target, now: float) -> None:
        """Keep a target out until it answers. A target that receives the group is not in a chain anyway."""
        if target.path.is_unicast:
            self._parked[target.id] = now

    def set_aside(self, target: Target) -> None:
        """Give nothing to a target that cannot write, until it does."""
        assert target.report is not None  # it says how much waits there
        self._stuck[target.id] = target.report.activity

    def is_parked(self, target: Target) -> bool:
        return target.id in self._parked

    def is_parked_or_stuck(self, target: Target) -> bool:
        return target.id in self._parked or target.id in self._stuck

    def forget(self, target: Target) -> None:
        """Forget a target that has ended, or was replaced by another process."""
        for kept in (self.barred, self._barred_until, self._parked, self._stuck):
            kept.pop(target.id, None)

    def readmit(self, live: Iterable[Target], now: float) -> None:
        """Let those take part again that answer, that write, or whose time is over."""
        for target in live:
            if target.flow.answered_at > self._parked.get(target.id, now):
                del self._parked[target.id]
            if target.id in self._stuck and self._can_write(target):
                del self._stuck[target.id]
        for target_id, until in list(self._barred_until.items()):
            if now > until:
                del self._barred_until[target_id], self.barred[target_id]

    def _can_write(self, target: Target) -> bool:
        """Return whether a stuck target has written something, or rejected all that it had to write."""
        report = target.report
        return report is not None and (report.activity != self._stuck[target.id] or not report.queue_pages)
