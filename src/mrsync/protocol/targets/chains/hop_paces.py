"""Hop paces: how fast relays pass pages on, to find one that is much slower than the others.

A slow relay holds up everybody: its child waits, and by flow control all those before it. Pages wait at every hop from
there up to the caster, so the slow hop is the last one at which they wait. It is compared with the best rate that any
hop has shown in this session, because at the moment all of them are as slow as it is. If several chains are held up at
the same time, it must be slower than most of their slow hops, too: they may all be slow for the same reason.

A hop that is three times slower is worth another order of the chain, but all may have become that slow, as where
processors have other work. Then another order does not help. So after each change, all hops are compared only with the
rates shown since then, and nobody is blamed twice for the same slowness. Ten times slower is no accident.

Where hosts wait for a processor, a rate over a short span shows only who got one. There it is measured over a longer
span, and must be smaller.
"""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.protocol.core.lateness import median
from mrsync.tuples import NamedTuple
from mrsync.wire.messages import Hop

SPAN_S = 0.5  # over which a rate is measured, at least; relays report every 0.3 to 1 s
SPAN_WAITS = 10  # for a processor, of those that are typical
WAIT_S = 0.1  # waits of this length make rates differ by as much again
WAITING_MIN, WAITING_MAX = 16, 64  # pages; fewer are the noise of two hosts' schedulers,
WAITING_S = 0.4  # or what the best hop passes on in this time
SLOWER = 3  # times slower than the best hop is too slow; since the last change,
MUCH_SLOWER = 10  # or than the best one ever


class _Mark(NamedTuple):
    """Progress of a relay at one time."""

    at: float
    pages: int
    is_waiting: bool
    pages_s: float = 0.0  # up to then
    was_waiting: bool = False  # at this mark and at the one before


class HopPaces:
    """Rates of hops, by the relay that passes on."""

    def __init__(self) -> None:
        self.late_s = 0.0  # for how long hosts typically wait for a processor
        self._marks: dict[int, _Mark] = {}
        self._best = 0.0  # pages per second,
        self._best_lately = 0.0  # since the last change
        self._best_of_caster = 0.0
        self._arrived: _Mark | None = None
        self._has_compared = False  # a relay was found slow

    def receive(self, relay: int, hop: Hop, now: float) -> None:
        """Take a report of a relay."""
        is_waiting = hop.pages_waiting >= max(WAITING_MIN, min(WAITING_MAX, WAITING_S * self._best))
        mark = self._marks.get(relay)
        if mark is None:
            self._marks[relay] = _Mark(now, hop.pages_forwarded, is_waiting)
        elif now - mark.at >= self._span_s:
            pages_s = (hop.pages_forwarded - mark.pages) / (now - mark.at)
            was_waiting = is_waiting and mark.is_waiting
            self._marks[relay] = _Mark(now, hop.pages_forwarded, is_waiting, pages_s, was_waiting)
            self._best = max(self._best, pages_s)
            self._best_lately = max(self._best_lately, pages_s)

    def note_arrived(self, pages: int, now: float) -> None:
        """Note how many pages the caster has brought to a target: the first of a chain may be slow from the beginning.

        That counts until one was found slow: where all uplinks are slower than downlinks, the next one is no better.
        """
        mark = self._arrived
        if mark is None or pages < mark.pages:
            self._arrived = _Mark(now, pages, is_waiting=False)
        elif now - mark.at >= self._span_s:
            self._best_of_caster = max(self._best_of_caster, (pages - mark.pages) / (now - mark.at))
            self._arrived = _Mark(now, pages, is_waiting=False)

    @property
    def _span_s(self) -> float:
        """Seconds over which a rate is measured, at least."""
        return SPAN_S + SPAN_WAITS * self.late_s

    def forget(self, relay: int) -> None:
        """Forget a relay that gets another child, or none, and with what the others were compared."""
        self._has_compared |= self.is_slow(relay)
        self._marks.pop(relay, None)
        self._best_lately = 0.0

    def waits(self, relay: int) -> bool:
        """Return whether pages wait at this relay for its child."""
        mark = self._marks.get(relay)
        return mark is not None and mark.is_waiting

    def is_slow(self, relay: int) -> bool:
        """Return whether pages wait at this relay, and it passes them on much more slowly than the best one did."""
        mark = self._marks.get(relay)
        if mark is None or not mark.was_waiting:
            return False
        pages_s = mark.pages_s * (1 + self.late_s / WAIT_S)
        lately = self._best_lately if self._has_compared else max(self._best_lately, self._best_of_caster)
        return pages_s * SLOWER < lately or pages_s * MUCH_SLOWER < self._best

    def is_slowest(self, relay: int, others: Iterable[int]) -> bool:
        """Return whether it is much slower than most of these relays at which pages wait as well, if there are any."""
        waiting = [mark.pages_s for mark in map(self._marks.get, others) if mark is not None and mark.was_waiting]
        return not waiting or self._marks[relay].pages_s * SLOWER < median(waiting)
