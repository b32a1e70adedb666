"""Plausibility: whether an honest target can have sent a record of its log.

A target that cannot be trusted may send anything under its own key. Most lies harm only itself. But a need of an entry
without contents would make a plan that all other targets reject, a target with a result before the end would never
count as lost, one that refuses to delete after files were changed would end the session with a false report, and lists
without bounds would fill the master's memory. A log without an end would also hold up the session, as every arriving
byte of a log shows that its target is at work (patience.py). So each kind of record has its limit.
"""

from __future__ import annotations

from typing import Callable

from mrsync.wire.limits import CHANGES_BYTES_MAX, ERRORS_MAX
from mrsync.wire.messages import Phase
from mrsync.wire.records import (
    BasisRecord,
    ChangesRecord,
    ComparedRecord,
    DeletionsRecord,
    ErrorRecord,
    FailedRecord,
    FailureCause,
    LogRecord,
    NeedsRecord,
    ResultRecord,
    SatOutRecord,
    WantsRecord,
)

EMPTY_MAX = 8  # records of ranges without any: an honest target sends one of each kind
SAT_OUT_MAX = 2  # records for each planned file: it may fail again when it is to be renamed
CHANGES_COST_MIN = 1024  # of a record: only the last ones of an honest target are smaller

AreFiles = Callable[[int, int], bool]  # whether all entries [a, b) of the manifest are regular files


class Bounds:
    """The sizes of a session that bound honest reports. pages: of the contents of the first round, 0 before the plan.

    files: planned ones, of both rounds. itemizes: whether targets report every change. guards_deletions: whether one
    that would delete most of what it has refuses, which ends the session.
    """

    def __init__(self, *, itemizes: bool = True, guards_deletions: bool = True) -> None:
        self.phase = Phase.GATHERING
        self.are_files: AreFiles = lambda first, end: False
        self.pages = 0
        self.files = 0
        self.itemizes = itemizes
        self.guards_deletions = guards_deletions


class _Counts:
    """How many records of each kind there were so far."""

    errors: int = 0
    results: int = 0
    compared: int = 0
    sat_out: int = 0
    empty: int = 0
    changes_bytes: int = 0


class Plausibility:
    """Judge the log of one target, record by record."""

    def __init__(self) -> None:
        self._counts = _Counts()
        self._range_ends: dict[type, int] = {}  # kind of ranges -> the end of the last one

    def holds(self, record: LogRecord, bounds: Bounds) -> bool:
        """Return whether this record may come next."""
        counts = self._counts
        if isinstance(record, ErrorRecord):
            counts.errors += 1
            return counts.errors <= ERRORS_MAX
        if isinstance(record, ResultRecord):
            counts.results += 1
            return counts.results == 1 and bounds.phase in (Phase.FINISHING, Phase.WITHDRAWING)
        if isinstance(record, ComparedRecord):
            counts.compared += 1
            return counts.compared == 1 and bounds.phase is not Phase.GATHERING
        if isinstance(record, FailedRecord) and record.cause is FailureCause.DELETIONS:
            return bounds.guards_deletions and counts.compared == 0 and bounds.phase is not Phase.GATHERING
        if isinstance(record, SatOutRecord):
            counts.sat_out += 1
            return counts.sat_out <= SAT_OUT_MAX * bounds.files
        if isinstance(record, (ChangesRecord, DeletionsRecord)):
            counts.changes_bytes += max(len(record.data), CHANGES_COST_MIN)
            return bounds.itemizes and counts.changes_bytes <= CHANGES_BYTES_MAX + 2 * CHANGES_COST_MIN
        if isinstance(record, WantsRecord):
            return record.end <= bounds.pages and self._follows(record)
        if isinstance(record, (NeedsRecord, BasisRecord)):
            return self._follows(record) and all(bounds.are_files(*pair) for pair in record.ranges)
        return True

    def _follows(self, record: NeedsRecord | BasisRecord | WantsRecord) -> bool:
        """Return whether its ranges come after all earlier ones, so that adding them costs little."""
        if not record.ranges:
            self._counts.empty += 1
            return self._counts.empty <= EMPTY_MAX
        last_end, self._range_ends[type(record)] = self._range_ends.get(type(record), 0), record.ranges[-1][1]
        return record.ranges[0][0] >= last_end
