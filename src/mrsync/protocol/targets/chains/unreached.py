"""Unreached: pairs of targets that did not reach each other, as where a firewall stands between them.

They are not linked again for a while. A target with several such pairs is most likely closed to all others. To try it
with each of them would take long, so it is linked to none.
"""

from __future__ import annotations

from collections import Counter

PARTNERS_MAX = 2  # that a target did not reach; it is tried with no others


class UnreachedPairs:
    """Pairs of target ids, in any order, each until some time."""

    def __init__(self) -> None:
        self._until: dict[frozenset[int], float] = {}
        self._partners: Counter[int] = Counter()  # target -> in how many pairs it is

    def add(self, one: int, other: int, until: float) -> None:
        """Note that two targets, one and other, did not reach each other. until: when they may be tried again."""
        pair = frozenset((one, other))
        if pair not in self._until:
            self._partners.update(pair)
        self._until[pair] = until

    def until(self, one: int, other: int) -> float | None:
        """Return when a pair may be tried again, or None if it may be tried now."""
        return self._until.get(frozenset((one, other)))

    def may_link(self, one: int, other: int) -> bool:
        """Return whether one target may feed the other."""
        is_closed = max(self._partners[one], self._partners[other]) >= PARTNERS_MAX
        return not is_closed and self.until(one, other) is None

    def expire(self, now: float) -> bool:
        """Forget pairs that may be tried again. Return whether there were any."""
        old = [pair for pair, until in self._until.items() if now > until]
        for pair in old:
            del self._until[pair]
            self._partners.subtract(pair)
        return bool(old)
