"""Commits: which planned files may be put in place, and by whom; the rule of a session.

Invariant: what was said of a plan file below `end` is said for good: granted, or an exception. So STATUS may repeat the
span from the slowest one's `committed` on, in any order and as often as it likes, and whoever comes back after a while
does what the others did.

Why it holds: `end` grows up to what every live target is ready for, and `ready` counts only once the log up to the same
report is known, sit-outs included: nobody can sit out a file afterwards. A source file that is found changed before
`end` reaches it is an exception; after that, every live target has it as it was, for `ready` says that it is staged
whole. Targets that are lost do not count, and are told so; one that comes back under the same number is refused.

What would break it: a span beyond EXCEPTIONS_MAX ranges (it is cut there, and goes on later), a `ready` believed before
its sit-outs, or a grant that forgets a target that is live but has not reported. Under the rule `each`, `ahead` is the
one thing that may differ among targets, and so it is given only for what was read once and not found changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from errno import errorcode

from mrsync.protocol.core.ranges import RangeSet
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.limits import EXCEPTIONS_MAX
from mrsync.wire.messages import CommitSpan, SatOutRecord


class CommitRule(Enum):
    """When a target puts a file in place."""

    FILE = "file"  # when every live target holds it whole; what one sits out, none changes
    EACH = "each"  # when this target holds it whole
    JOB = "job"  # all files on all targets, or none on any


class Commits:
    """The span of planned files that targets are told to put in place, and its exceptions.

    changed: plan files that are excepted because their source changed, and that were not cast once more.
    """

    def __init__(self, file_count: int, rule: CommitRule = CommitRule.FILE) -> None:
        self.rule = rule
        self.file_count = file_count
        self.span = CommitSpan()
        self.changed: set[int] = set()
        self.has_second_chance = True  # what changed may be cast once more
        self._exceptions = RangeSet()
        self._vouched = 0

    @property
    def is_whole(self) -> bool:
        """Every planned file is granted, or excepted."""
        return self.span.end == self.file_count

    @property
    def is_flipping(self) -> bool:
        """All targets put all files in place now."""
        return self.rule is CommitRule.JOB and self.span.first < self.span.end

    def sit_out(self, index: int) -> bool:
        """One target cannot take this file; False when it is too late, because targets were told to commit it."""
        is_open = self.span.end <= index < self.file_count
        if self.rule is CommitRule.EACH:
            return index < self.file_count
        if is_open:
            self._exceptions.add(index, index + 1)
        return is_open

    def note_sat_out(self, target: Target, record: SatOutRecord) -> bool:
        """As sit_out; when it is too late for all others, only this target is behind."""
        if record.file < self.file_count:
            target.sat_out[record.file] = record.errno
        return self.sit_out(record.file)

    def void(self, index: int) -> bool:
        """The source of this file changed while it was read; False when it is too late: all have it as it was."""
        is_open = self.span.end <= index < self.file_count
        if is_open:
            self.changed.add(index)
            self._exceptions.add(index, index + 1)
        return is_open

    def cast_again(self, files: Sequence[int], file_count: int) -> None:
        """These of the changed files, and no others, are cast once more, among so many plan files that come now."""
        self.has_second_chance = False
        self.changed.difference_update(files)
        self.file_count += file_count

    def vouch(self, end: int) -> None:
        """All that is to be cast of the files below was read once; those that had changed are void."""
        self._vouched = max(self._vouched, end)

    def veto(self, roster: Roster) -> str:
        """Under the rule `job`, until the first file is granted: why nothing must be changed anywhere; empty if so."""
        if self.rule is not CommitRule.JOB or self.span.end:
            return ""
        if self.changed and not self.has_second_chance:
            return "a source file vanished, cannot be read, or changes again and again"
        return next(filter(None, map(_objection, roster)), "")

    def update(self, roster: Roster) -> bool:
        """Widen the span to what all live targets are ready for; True when it grew."""
        known = self.span
        ready = min(self.file_count, roster.lowest(lambda target: target.ready))
        if self.rule is CommitRule.JOB and (self.changed or ready < self.file_count):
            ready = 0
        end = max(known.end, ready)
        first = max(known.first, min(known.end, roster.lowest(lambda target: target.committed)))
        self.span = self._span(first, end)
        return self.span.end > known.end

    def look_ahead(self) -> None:
        """What was vouched for, and found void, since the last update; leaves first and end, as they were not told."""
        if self.rule is CommitRule.EACH:
            self.span = self._span(self.span.first, self.span.end)

    def _span(self, first: int, end: int) -> CommitSpan:
        ahead = max(end, min(self.file_count, self._vouched)) if self.rule is CommitRule.EACH else 0
        ranges = self._exceptions.clipped(first, max(end, ahead))
        if len(ranges) > EXCEPTIONS_MAX:
            limit = ranges[EXCEPTIONS_MAX][0]  # where ahead was beyond it, nobody is called back
            end, ahead = min(end, limit), min(ahead, limit)
            ranges = ranges[:EXCEPTIONS_MAX]
        return CommitSpan(first, end, tuple(ranges), ahead)


def _objection(target: Target) -> str:
    """Why this target cannot become equal to the source, as far as is known; empty if it can."""
    if target.is_ended:
        return f"{target.name} is {target.state.name.lower()}: {target.reason}"
    if target.sat_out:
        return f"{target.name} cannot take a file: {_error_name(next(iter(target.sat_out.values())))}"
    if target.errors:
        return f"{target.name} cannot {target.errors[0].action} something: {_error_name(target.errors[0].errno)}"
    return ""


def _error_name(number: int) -> str:
    return errorcode.get(number, f"error {number}")
