"""Meetings: which targets reach which others, as they must to pass pages on where the group reaches none.

Each target is asked to ping some others, once for each request. Both of a pair are asked, so that a firewall that lets
answers in is open as it is in a sync. Chains follow addresses, so the neighbours by address matter most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mrsync.transport.pages.forwarding import endpoint
from mrsync.wire.messages import Assign, Peer

FIRST_NUMBER = 1 << 30  # of pings between targets; the master's own are below
ALL_MAX = 16  # up to this many targets try all others,
NEAR = 8  # if there are more targets, each tries this many neighbours by address on either side

_Place = tuple[str, int]  # address and port


class Meetings:
    """Pings from targets to targets. places: where the probe of each target receives unicast."""

    def __init__(self, places: Mapping[int, _Place]) -> None:
        order = sorted(places, key=lambda target: endpoint(places[target]))
        self._pairs = [(order[at], other) for at in range(len(order)) for other in _others(order, at)]
        self._places = places
        self._arrived: set[int] = set()
        self._counter = 0

    def requests(self) -> Iterator[Assign]:
        """Yield requests to targets: to ping their child, with the number of the request."""
        for number, (target, other) in enumerate(self._pairs, FIRST_NUMBER):
            peer = Peer(other, 0, *endpoint(self._places[other]))
            self._counter += 1
            yield Assign(0, self._counter, target, number, 0, None, peer)

    def on_received(self, number: int) -> None:
        """Note that the ping with this number arrived where it was to."""
        self._arrived.add(number)

    def unreached(self, target: int) -> tuple[int, ...]:
        """Return the targets that got no ping from this one, sorted."""
        pairs = enumerate(self._pairs, FIRST_NUMBER)
        return tuple(sorted(other for number, (one, other) in pairs if one == target and number not in self._arrived))


def _others(order: list[int], at: int) -> list[int]:
    if len(order) <= ALL_MAX:
        return order[:at] + order[at + 1 :]
    return order[max(0, at - NEAR) : at] + order[at + 1 : at + 1 + NEAR]
