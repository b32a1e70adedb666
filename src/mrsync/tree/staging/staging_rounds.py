"""Combine the two rounds of a session into one numbering of plan files.

The first round stages what was planned at the start. A second round may follow for source files that changed while they
were read. Its files are numbered on from those of the first round, so spans in messages (ready, commit, sat out) never
mean two files. That is sound because the second round is added only when the first plan is final: its file count is the
base of the new numbers.

An entry may be in both rounds. It counts as placed if it was placed in either, and the later stage decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mrsync.tree.fs.writing import Data
from mrsync.tree.model.failure import Failure
from mrsync.tree.staging.commit import Commit
from mrsync.tree.staging.stage import Stage


class StagingRound(NamedTuple):
    """One stage with its commits. first: the number of its first plan file."""

    first: int
    stage: Stage
    commit: Commit


class StagingRounds:
    """The stage of the first plan, and perhaps that of the second round."""

    def __init__(self, stage: Stage) -> None:
        self._rounds = [StagingRound(0, stage, Commit(stage))]

    def add(self, stage: Stage) -> None:
        """Add the stage of the second round. Its plan files are numbered on from those of the first."""
        self._rounds.append(StagingRound(self.first.plan.file_count, stage, Commit(stage)))

    @property
    def first(self) -> Stage:
        return self._rounds[0].stage

    @property
    def again(self) -> Stage | None:
        """The stage of the second round, or None."""
        return self._rounds[1].stage if len(self._rounds) > 1 else None

    @property
    def ready(self) -> int:
        """Return the number below which every plan file is complete or sat out.

        A second round begins only when the first one is ready, so that of the latest round suffices.
        """
        last = self._rounds[-1]
        return last.first + last.stage.ready

    def is_end(self, end: int) -> bool:
        """Return whether `end` is at or behind the last plan file of the latest round."""
        last = self._rounds[-1]
        return end >= last.first + last.stage.plan.file_count

    @property
    def files_updated(self) -> int:
        return sum(each.commit.files_updated for each in self._rounds)

    @property
    def bytes_written(self) -> int:
        return sum(each.stage.bytes_written for each in self._rounds)

    def unplaced(self) -> set[int]:
        """Return the entries that were needed here and were not put into place by either round."""
        left: set[int] = set()
        for each in self._rounds:
            left.difference_update(each.stage.placed())
            left.update(each.stage.unplaced())
        return left

    def missed(self) -> list[int]:
        """Return the entries that were neither placed nor sat out nor discarded. Call this after the last commit."""
        return [entry for each in self._rounds for entry in each.stage.missed()]

    def write_many(self, number: int, pages: Iterable[tuple[int, Data]]) -> None:
        """Write pages of one round's contents. pages: (offset in the contents, bytes)."""
        self._rounds[number].stage.write_many(pages)

    def advance(self) -> bool:
        """Call `Stage.advance` of the latest round."""
        return self._rounds[-1].stage.advance()

    def take_sat_out(self) -> list[tuple[int, int]]:
        """Return (plan file, errno) of each file sat out since the last call."""
        return [(each.first + file, reason) for each in self._rounds for file, reason in each.stage.take_sat_out()]

    def commit(self, first: int, end: int, exceptions: Sequence[tuple[int, int]]) -> list[Failure]:
        """Call `Commit.commit` of each round for its part of [first, end)."""
        failures = []
        for base, stage, commit in self._rounds:
            low, high = max(first, base) - base, min(end, base + stage.plan.file_count) - base
            if low < high:
                failures += commit.commit(low, high, [(max(0, a - base), b - base) for a, b in exceptions if b > base])
        return failures

    def cleanup(self) -> None:
        """Call `Stage.cleanup` of each round."""
        for each in self._rounds:
            each.stage.cleanup()
