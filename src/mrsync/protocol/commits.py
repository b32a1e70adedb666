"""The commit rule `file`: a planned file goes into place when every live target holds it whole, or nowhere."""

from __future__ import annotations

from mrsync.protocol.ranges import RangeSet
from mrsync.protocol.roster import Roster
from mrsync.wire.messages import CommitSpan

EXCEPTIONS_MAX = 100  # ranges that fit a status


class Commits:
    """Which planned files may be renamed into place; what one target sits out, none changes."""

    def __init__(self, file_count: int) -> None:
        self.file_count = file_count
        self.exceptions = RangeSet()
        self.span = CommitSpan()

    def except_file(self, index: int) -> None:
        """Nobody changes this file. Comes before any target is told to commit it."""
        self.exceptions.add(index, index + 1)

    def update(self, roster: Roster) -> bool:
        """Widen the span to what all live targets are ready for; True when it grew."""
        end = max(self.span.end, roster.lowest(lambda target: target.ready))
        first = min(roster.lowest(lambda target: target.committed), end)
        ranges = self.exceptions.clipped(first, end)
        if len(ranges) > EXCEPTIONS_MAX:
            end = max(self.span.end, ranges[EXCEPTIONS_MAX][0])
            ranges = self.exceptions.clipped(first, end)
        grew = end > self.span.end
        self.span = CommitSpan(first, end, tuple(ranges[:EXCEPTIONS_MAX]))
        return grew
