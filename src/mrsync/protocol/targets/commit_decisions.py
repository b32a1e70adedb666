"""CommitDecisions: which planned files targets may commit, by the commit rule. Why no target gets ahead of another.

Invariant: the decision on a plan file below `end` is final: it is granted, or an exception. So STATUS can repeat the
span from the lowest `committed` on, in any order and any number of times, and a target that was silent for a while does
the same as the others.

Why it holds: `end` grows up to what every live target is ready for. `ready` counts only if the log up to the same
report has arrived, with all sit-outs, so that no target can sit out a file afterwards. A source file that is found
changed before `end` reaches it becomes an exception. After that every live target has it as it was, because `ready`
means that the whole file is staged. Lost targets do not count. They are dismissed, and one that comes back under the
same id is refused.

What would break it: a span with more than EXCEPTIONS_MAX ranges (it is cut there, and continued later), a `ready` that
counts before its sit-outs are known, or a grant that ignores a live target that has not reported. Under the rule
`each`, targets may differ in `ahead`. So it covers only files that were read once and had not changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from errno import errorcode

from mrsync.escaping import escape_controls
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.ranges import RangeSet
from mrsync.wire.limits import EXCEPTIONS_MAX
from mrsync.wire.messages import CommitSpan
from mrsync.wire.records import SatOutRecord


class CommitRule(Enum):
    """When a target commits a file."""

    FILE = "file"  # when every live target has all of it; a file that one target sits out changes nowhere
    EACH = "each"  # when this target has all of it
    END = "end"  # when every live target has all of all files
    JOB = "job"  # all files on all targets, or nothing


class CommitDecisions:
    """The span of planned files that targets may commit, and its exceptions.

    changed: plan files that are exceptions because their source changed, and that were not cast again.
    """

    def __init__(self, file_count: int, rule: CommitRule = CommitRule.FILE) -> None:
        self.rule = rule
        self.file_count = file_count
        self.span = CommitSpan()
        self.changed: set[int] = set()
        self.has_second_chance = True  # changed files may be cast again
        self._exceptions = RangeSet()
        self._read_end = 0

    def begin(self, file_count: int) -> None:
        """Set the number of planned files, of which none has been granted."""
        self.file_count = file_count

    @property
    def is_whole(self) -> bool:
        """Whether all planned files are granted or exceptions."""
        return self.span.end == self.file_count

    @property
    def is_flipping(self) -> bool:
        """Whether all targets are committing all files now (rule `job`)."""
        return self.rule is CommitRule.JOB and self.span.first < self.span.end

    def sit_out(self, index: int) -> bool:
        """Note that a target sits out a file. Return False if it is too late, because its commit was granted."""
        is_open = self.span.end <= index < self.file_count
        if self.rule is CommitRule.EACH:
            return index < self.file_count
        if is_open:
            self._exceptions.add(index, index + 1)
        return is_open

    def note_sat_out(self, target: Target, record: SatOutRecord) -> bool:
        """Do the same as sit_out, and note it for the target. If it is too late, only this target lacks the file."""
        if record.file < self.file_count:
            target.sat_out[record.file] = record.errno
        return self.sit_out(record.file)

    def invalidate(self, index: int) -> bool:
        """Note that the source of a file changed while it was read.

        Return False if it is too late, because all targets have the file as it was.
        """
        is_open = self.span.end <= index < self.file_count
        if is_open:
            self.changed.add(index)
            self._exceptions.add(index, index + 1)
        return is_open

    def cast_again(self, files: Sequence[int], file_count: int) -> None:
        """Cast these changed files again, and no others. file_count: number of plan files of the second round."""
        self.has_second_chance = False
        self.changed.difference_update(files)
        self.file_count += file_count

    def mark_read(self, end: int) -> None:
        """Note that all plan files below `end` were read once. Those that had changed are exceptions."""
        self._read_end = max(self._read_end, end)

    def veto(self, roster: Roster) -> str:
        """Return why nothing may be changed on any target, or "". Only under the rule `job`, before the first grant."""
        if self.rule is not CommitRule.JOB or self.span.end:
            return ""
        if self.changed and not self.has_second_chance:
            return "a source file vanished, cannot be read, or changes again and again"
        return next(filter(None, map(_objection, roster)), "")

    def update(self, roster: Roster) -> bool:
        """Extend the span to what all live targets are ready for. Return whether it grew."""
        known = self.span
        ready = min(self.file_count, roster.lowest(lambda target: target.ready))
        is_held_back = self.rule in (CommitRule.END, CommitRule.JOB) and ready < self.file_count
        if is_held_back or (self.rule is CommitRule.JOB and self.changed):
            ready = 0
        end = max(known.end, ready)
        first = max(known.first, min(known.end, roster.lowest(lambda target: target.committed)))
        self.span = self._span(first, end)
        return self.span.end > known.end

    def look_ahead(self) -> None:
        """Update `ahead` and the exceptions since the last update, but not `first` and `end`."""
        if self.rule is CommitRule.EACH:
            self.span = self._span(self.span.first, self.span.end)

    def _span(self, first: int, end: int) -> CommitSpan:
        ahead = max(end, min(self.file_count, self._read_end)) if self.rule is CommitRule.EACH else 0
        ranges = self._exceptions.clipped(first, max(end, ahead))
        if len(ranges) > EXCEPTIONS_MAX:
            limit = ranges[EXCEPTIONS_MAX][0]  # targets that were granted more by `ahead` keep it
            end, ahead = min(end, limit), min(ahead, limit)
            ranges = ranges[:EXCEPTIONS_MAX]
        return CommitSpan(first, end, tuple(ranges), ahead)


def _objection(target: Target) -> str:
    """Return why this target cannot become equal to the source, or "" if no reason is known."""
    if target.is_ended:
        return f"{target.name} is {target.state.name.lower()}: {target.reason}"
    if target.sat_out:
        return f"{target.name} cannot take a file: {_error_name(next(iter(target.sat_out.values())))}"
    if target.errors:
        error = target.errors[0]
        return f"{escape_controls(error.path)} on {target.name}: cannot {error.action}: {_error_name(error.errno)}"
    return ""


def _error_name(number: int) -> str:
    return errorcode.get(number, f"error {number}")
