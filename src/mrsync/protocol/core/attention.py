"""Attention: the clock of a state machine, which stands still while the process does not listen.

A process that was stopped (Ctrl-Z, a paused machine) or busy for long has not read what others sent meanwhile, and
must not take that for silence. So this time does not count: not for deadlines, the rate cap, or the silence of others.
Lapses are found by looking at each reading of the clock: the time between two readings is a planned wait, a little
work, or a lapse.
"""

from __future__ import annotations

LAPSE_S = 0.5  # longer than one pass of the loop on a busy host, and much shorter than all deadlines


class Attention:
    """Count the seconds of listening. `raw` are seconds of a monotonic clock."""

    def __init__(self, raw: float) -> None:
        self.lapsed_s = 0.0  # sum of all lapses
        self._raw = raw  # when the clock was read last

    def now(self, raw: float) -> float:
        """Return the time for the state machines, if there was no wait since the last reading of the clock."""
        lapse = raw - self._raw
        if lapse > LAPSE_S:
            self.lapsed_s += lapse
        self._raw = raw
        return raw - self.lapsed_s

    def woke(self, raw: float, due: float | None) -> float:
        """Return the time for the state machines after a wait until `due` (raw) at most.

        None: until something arrived.
        """
        self._raw = raw if due is None else max(due, self._raw)
        return self.now(raw)
