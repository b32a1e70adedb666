"""Coded repair: XOR lost packets of different targets, so that one packet repairs many.

Nguyen, Tran, Nguyen, Bose, "Wireless Broadcast Using Network Coding", IEEE Trans. Veh. Tech. 58(2), 2009: a combination
helps every target that misses exactly one of its terms. First fit over the loss map stays close to the bound, which is
the number of packets that the unluckiest target lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.tuples import NamedTuple
from mrsync.wire.terms import Term

OPEN_MAX = 64  # combinations to look at for each lost packet


class Loss(NamedTuple):
    """A lost packet and the bit set of the targets that miss it."""

    page: int
    packet: int
    targets: int


def combine(losses: Iterable[Loss], *, terms_max: int, distance_max: int) -> list[tuple[Term, ...]]:
    """Return combinations of at most terms_max lost packets. No target misses two packets of one combination.

    losses: in the order of pages, which combinations keep. distance_max: largest distance between the pages of a
    combination. Combinations of one term are plain repairs.
    """
    finished: list[list[Term]] = []
    open_: list[list[Term]] = []
    missed_by: list[int] = []
    for page, packet, targets in losses:
        for at, taken in enumerate(missed_by):
            if terms_max > 1 and not taken & targets and page - open_[at][0][0] <= distance_max:
                open_[at].append((page, packet))
                missed_by[at] = taken | targets
                if len(open_[at]) == terms_max:
                    finished.append(open_.pop(at))
                    missed_by.pop(at)
                break
        else:
            if len(open_) == OPEN_MAX:
                finished.append(open_.pop(0))
                missed_by.pop(0)
            open_.append([(page, packet)])
            missed_by.append(targets)
    return [tuple(terms) for terms in finished + open_]
