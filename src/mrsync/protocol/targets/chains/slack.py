"""Slack: the additional patience with links where many targets answer one after the other, or all answers are late.

Without it, healthy links would be blamed on overloaded hosts, and each copy that replaces a link would make all answers
later still.
"""

from __future__ import annotations

from mrsync.protocol.core.lateness import Lateness
from mrsync.protocol.core.timers import TURN_S
from mrsync.protocol.targets.chains.link import Link
from mrsync.protocol.targets.roster import Roster

USUAL_S = 0.2  # of lateness: statuses and reports are 0.1 s apart
SMOOTHING = 0.1
TIMES = 4  # the lateness: a link is tried, and its ends answer, in several messages that are late
KEEPALIVES_MAX = 4  # less patience than liveness has with a target


class Slack:
    """The slack of all links. lateness: that of targets. keepalive_s: between two reports of an idle target."""

    def __init__(self, roster: Roster, lateness: Lateness, keepalive_s: float) -> None:
        self._roster = roster
        self._lateness = lateness
        self._most_s = KEEPALIVES_MAX * keepalive_s
        self._late_s = 0.0  # what answers typically are, smoothed

    def note(self, pause_s: float) -> None:
        """Follow the lateness, with each status. pause_s: typical time in which children get nothing that they lack."""
        late_s = max(self._lateness.typical_s, pause_s)
        self._late_s += SMOOTHING * (late_s - self._late_s)

    @property
    def late_s(self) -> float:
        """For how long hosts typically wait for a processor, here or at targets."""
        return max(self._lateness.own_s, self._late_s - USUAL_S)

    @property
    def typical_s(self) -> float:
        """The seconds for a link whose ends are no later than others."""
        late_s = max(USUAL_S + self._lateness.own_s, self._late_s)
        return 4 * len(self._roster.live) * TURN_S + self._for(late_s)

    def of(self, link: Link) -> float:
        """Return the seconds for a link, whose ends may be busier than others."""
        late_s = max(self._lateness.of(link.parent.id), self._lateness.of(link.child.id))
        return self.typical_s + max(0.0, self._for(late_s) - self._for(self._late_s))

    def _for(self, late_s: float) -> float:
        return min(self._most_s, TIMES * max(0.0, late_s - USUAL_S))
