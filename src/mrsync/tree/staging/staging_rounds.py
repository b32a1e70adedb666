"""The rounds of a session at a target: what is staged and put in place, under one numbering of plan files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mrsync.tree.model.failure import Failure
from mrsync.tree.staging.commit import Commit
from mrsync.tree.staging.stage import Data, Stage


class StagingRound(NamedTuple):
    """first: the number of its first plan file."""

    first: int
    stage: Stage
    commit: Commit


class StagingRounds:
    """The stage of what was planned at first, and perhaps another one of what is cast once more."""

    def __init__(self, stage: Stage) -> None:
        self._rounds = [StagingRound(0, stage, Commit(stage))]

    def add(self, stage: Stage) -> None:
        """The stage of the second round; its plan files are numbered on from those of the first."""
        self._rounds.append(StagingRound(self.first.plan.file_count, stage, Commit(stage)))

    @property
    def first(self) -> Stage:
        return self._rounds[0].stage

    @property
    def again(self) -> Stage | None:
        """That of the second round."""
        return self._rounds[1].stage if len(self._rounds) > 1 else None

    @property
    def ready(self) -> int:
        """Every plan file below is staged whole or sat out; a second round begins when that is so of the first."""
        last = self._rounds[-1]
        return last.first + last.stage.ready

    def is_end(self, end: int) -> bool:
        """Whether no plan file of the round under way is at this number or above it."""
        last = self._rounds[-1]
        return end >= last.first + last.stage.plan.file_count

    @property
    def files_updated(self) -> int:
        return sum(each.commit.files_updated for each in self._rounds)

    @property
    def bytes_written(self) -> int:
        return sum(each.stage.bytes_written for each in self._rounds)

    @property
    def digest(self) -> bytes:
        """Over what was put in place: the first round's, or SHA-256 over those of both."""
        digests = [each.commit.digest for each in self._rounds]
        return digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()

    def unplaced(self) -> set[int]:
        """Entries that were needed here and did not get into place in either round."""
        left: set[int] = set()
        for each in self._rounds:
            left.difference_update(each.stage.placed())
            left.update(each.stage.unplaced())
        return left

    def missed(self) -> list[int]:
        """As the stages'; to be asked when all is put in place."""
        return [entry for each in self._rounds for entry in each.stage.missed()]

    def write_many(self, number: int, pages: Iterable[tuple[int, Data]]) -> None:
        """Take pages of a round's contents, as (offset, bytes)."""
        self._rounds[number].stage.write_many(pages)

    def advance(self) -> bool:
        """As the stage's, of the round that is under way."""
        return self._rounds[-1].stage.advance()

    def take_sat_out(self) -> list[tuple[int, int]]:
        """(plan file, errno) of files sat out since the last call."""
        return [(each.first + file, reason) for each in self._rounds for file, reason in each.stage.take_sat_out()]

    def commit(self, first: int, end: int, exceptions: Sequence[tuple[int, int]]) -> list[Failure]:
        """Put plan files in place, but for the exceptions, as of either round."""
        failures = []
        for base, stage, commit in self._rounds:
            low, high = max(first, base) - base, min(end, base + stage.plan.file_count) - base
            if low < high:
                failures += commit.commit(low, high, [(max(0, a - base), b - base) for a, b in exceptions if b > base])
        return failures

    def cleanup(self) -> None:
        """As the stages'."""
        for each in self._rounds:
            each.stage.cleanup()
