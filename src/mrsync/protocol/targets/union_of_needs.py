"""UnionOfNeeds: what the plan must contain, found out in turns of a few milliseconds.

Uniting what a hundred targets need may take seconds. The caster goes on sending statuses meanwhile, because it unites a
bounded number of ranges at a time.
"""

from __future__ import annotations

from collections.abc import Collection

from mrsync.protocol.targets.roster import Target
from mrsync.ranges import RangeSet, UnionInTurns

RANGES_PER_TURN = 20_000  # which takes some milliseconds


class UnionOfNeeds:
    """The manifest entries that some of these targets need, and those of which some have an older copy (the basis)."""

    def __init__(self, targets: Collection[Target]) -> None:
        self._needs = UnionInTurns([target.needs for target in targets])
        self._basis = UnionInTurns([target.basis for target in targets])

    def work(self) -> bool:
        """Do a turn. Return True when `needs` and `basis` are known."""
        return all([union.work(RANGES_PER_TURN) for union in (self._needs, self._basis)])

    @property
    def needs(self) -> RangeSet:
        return self._needs.result

    @property
    def basis(self) -> RangeSet:
        return self._basis.result
