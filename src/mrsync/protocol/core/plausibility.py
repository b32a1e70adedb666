"""Plausibility: whether an honest target can have sent a record of its log.

A target that is not to be trusted may say anything, under its own key. What it says of itself does harm to nobody else.
But a need of an entry without contents would make a plan that all others reject, a result before the end would let it
never be missed, and lists without bounds would fill the master's memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from mrsync.wire.limits import ERRORS_MAX
from mrsync.wire.messages import Phase
from mrsync.wire.records import (
    BasisRecord,
    ComparedRecord,
    ErrorRecord,
    LogRecord,
    NeedsRecord,
    ResultRecord,
    WantsRecord,
)

AreFiles = Callable[[int, int], bool]  # whether all entries [a, b) of the manifest are regular files


@dataclass
class Bounds:
    """What the caster knows of a session. pages: of the contents of the first round, 0 before the plan."""

    phase: Phase = Phase.GATHERING
    are_files: AreFiles = lambda first, end: False
    pages: int = 0


class Plausibility:
    """Judge the log of one target, record by record."""

    def __init__(self) -> None:
        self._errors = 0
        self._told: dict[type, int] = {}  # kind of ranges -> the end of what was told

    def holds(self, record: LogRecord, bounds: Bounds) -> bool:
        """Return whether this record may come next."""
        if isinstance(record, ErrorRecord):
            self._errors += 1
            return self._errors <= ERRORS_MAX
        if isinstance(record, ResultRecord):
            return bounds.phase in (Phase.FINISHING, Phase.WITHDRAWING)
        if isinstance(record, ComparedRecord):
            return bounds.phase is not Phase.GATHERING
        if isinstance(record, WantsRecord):
            return record.end <= bounds.pages and self._follows(record)
        if isinstance(record, (NeedsRecord, BasisRecord)):
            return self._follows(record) and all(bounds.are_files(*pair) for pair in record.ranges)
        return True

    def _follows(self, record: NeedsRecord | BasisRecord | WantsRecord) -> bool:
        """Return whether its ranges come behind those that were told: then adding them costs little."""
        if not record.ranges:
            return True
        told, self._told[type(record)] = self._told.get(type(record), 0), record.ranges[-1][1]
        return record.ranges[0][0] >= told
