"""Commits: a planned file goes into place when every live target holds it whole, or nowhere."""

from __future__ import annotations

from mrsync.protocol.ranges import RangeSet
from mrsync.protocol.roster import Roster
from mrsync.wire.limits import EXCEPTIONS_MAX
from mrsync.wire.messages import CommitSpan


class Commits:
    """Which planned files may be renamed into place; what one target sits out, none changes."""

    def __init__(self, file_count: int) -> None:
        self.file_count = file_count
        self.span = CommitSpan()
        self._exceptions = RangeSet()

    def except_file(self, index: int) -> bool:
        """Nobody changes this file; False when it is too late, because targets were told to commit it."""
        is_open = self.span.end <= index < self.file_count
        if is_open:
            self._exceptions.add(index, index + 1)
        return is_open

    def update(self, roster: Roster) -> bool:
        """Widen the span to what all live targets are ready for; True when it grew."""
        known = self.span
        end = max(known.end, min(self.file_count, roster.lowest(lambda target: target.ready)))
        first = max(known.first, min(known.end, roster.lowest(lambda target: target.committed)))
        if (first, end) == (known.first, known.end):
            return False
        ranges = self._exceptions.clipped(first, end)
        if len(ranges) > EXCEPTIONS_MAX:
            end = ranges[EXCEPTIONS_MAX][0]  # beyond known.end: what was said before fitted
            ranges = ranges[:EXCEPTIONS_MAX]
        self.span = CommitSpan(first, end, tuple(ranges))
        return end > known.end
