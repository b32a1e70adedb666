"""Delay: how long packets queue on their way to one listener: its round trips above the shortest one of late."""

from __future__ import annotations

FLOOR_SPAN_S = 10.0  # routes change: an older floor than two of these is forgotten (RFC 6817 keeps some minutes)
QUIET_S = 0.004  # less than that is the noise of two hosts' schedulers
QUIET_SHARE = 8  # of the floor, on a long way


class Delay:
    """Fed with round trips, in seconds, that are without the time for which the listener held its answer."""

    def __init__(self) -> None:
        self.rtt_s = 0.0  # the last one
        self._floors = [float("inf"), float("inf")]  # of the span before this one, and of this one
        self._turned_at = 0.0

    @property
    def floor_s(self) -> float:
        """The shortest one of late: the way itself; 0 while none is known."""
        floor = min(self._floors)
        return floor if floor < float("inf") else 0.0

    @property
    def queue_s(self) -> float:
        """What the last one was longer."""
        return max(0.0, self.rtt_s - self.floor_s)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing queues, as far as can be seen."""
        return self.queue_s < max(QUIET_S, self.floor_s / QUIET_SHARE)

    def add(self, rtt_s: float, now: float) -> None:
        """Another round trip."""
        if now - self._turned_at > FLOOR_SPAN_S:
            self._turned_at = now
            self._floors = [self._floors[1], float("inf")]
        self._floors[1] = min(self._floors[1], rtt_s)
        self.rtt_s = rtt_s
