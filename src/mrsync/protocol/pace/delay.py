"""Delay: how long packets queue on their way to one listener, from its round trips and the shortest recent one."""

from __future__ import annotations

from mrsync.protocol.core.recent import Recent

FLOOR_SPAN_S = 10.0  # routes change, so a floor older than two spans is forgotten (RFC 6817 keeps some minutes)
QUIET_S = 0.004  # less is jitter of the schedulers of two hosts
QUIET_SHARE = 8  # of the floor, on long paths


class Delay:
    """The delay of one path, from round trips in seconds without the time for which the listener held its answer."""

    def __init__(self) -> None:
        self.rtt_s = 0.0  # the last round trip
        self._floor = Recent(FLOOR_SPAN_S)

    @property
    def floor_s(self) -> float:
        """The shortest recent round trip, which is that of the empty path. 0: none is known."""
        return self._floor.value or 0.0

    @property
    def queue_s(self) -> float:
        """How much longer the last round trip was."""
        return max(0.0, self.rtt_s - self.floor_s)

    @property
    def is_quiet(self) -> bool:
        """Whether no queue can be seen."""
        return self.queue_s < max(QUIET_S, self.floor_s / QUIET_SHARE)

    def add(self, rtt_s: float, now: float) -> None:
        """Add a round trip."""
        self._floor.add(rtt_s, now)
        self.rtt_s = rtt_s
