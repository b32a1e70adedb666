"""Attention: time as a core is told it: the caller's clock without the lapses in which nobody listened.

Whoever was stopped (Ctrl-Z, a paused machine) or busy for long has not heard what was said meanwhile, and must not
take that for silence. So that time does not count: not for deadlines, not for the rate cap, not for the patience with
others. It is enough to see every moment at which the clock is read: between two of them lies a planned wait, a little
work, or a lapse.
"""

from __future__ import annotations

LAPSE_S = 0.5  # longer than any turn's work on a busy host, and short beside every patience


class Attention:
    """Seconds of listening; `raw` are those of a monotonic clock."""

    def __init__(self, raw: float) -> None:
        self.lapsed_s = 0.0  # in all
        self._raw = raw  # when the clock was read last

    def now(self, raw: float) -> float:
        """What the cores are told; nothing was waited for since the clock was read last."""
        return self.woke(raw, self._raw)

    def woke(self, raw: float, due: float | None) -> float:
        """The same after a wait that was to end at `due` (raw) at the latest; None: whenever something comes."""
        if due is not None:
            lapse = raw - max(due, self._raw)
            if lapse > LAPSE_S:
                self.lapsed_s += lapse
        self._raw = raw
        return raw - self.lapsed_s
