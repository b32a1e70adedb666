"""Grants: turn what a status allows into events for the application, each of them once."""

from __future__ import annotations

from typing import Callable

from mrsync.protocol.core.events import CatcherEvent, CommitGranted, FinishGranted, Withdrawn
from mrsync.protocol.receiving.reception import Reception
from mrsync.protocol.receiving.reporter import Reporter
from mrsync.ranges import RangeSet
from mrsync.wire.messages import Phase, Status


class Grants:
    """Commits that were granted, as a plan file, and whether the end was. tell: called with events for the driver."""

    def __init__(self, reception: Reception, reporter: Reporter, tell: Callable[[CatcherEvent], None]) -> None:
        self._reception = reception
        self._reporter = reporter
        self._tell = tell
        self._end = 0
        self._is_over = False  # the finish was granted, or the session withdrawn

    def take(self, status: Status) -> None:
        """Let the application commit files that this status allows and that are here, and then finish."""
        span, first = status.commit, self._end
        reach = max(span.end, span.ahead) if self._reception.is_first_reading else span.end
        end = min(reach, self._reporter.ready)  # more may be granted, ahead or after we were dropped
        if span.first <= first < end:
            self._end = end
            exceptions = RangeSet(span.exceptions).clipped(first, end)
            self._tell(CommitGranted(first, end, tuple(exceptions)))
        is_due = status.phase is Phase.FINISHING and self._reporter.committed >= status.plan_files
        if is_due and not self._is_over:
            self._is_over = True
            self._tell(FinishGranted())
        if status.phase is Phase.WITHDRAWING and not self._is_over:
            self._is_over = True
            self._tell(Withdrawn())
