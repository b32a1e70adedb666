"""Rename staged files to their final names, in both rounds of a session.

A file is renamed and not written in place, so that it is the old or the new version, whole, at any time: for readers,
for a run that breaks off, and after a power cut (with --durable). It can be replaced while it is executed or open, and
a program that has it open keeps the old version. `overwriting` is the exception that --inplace asks for.

The first round stages what was planned at the start. A second round may follow for source files that changed while they
were read. Its files are numbered on from those of the first round, so spans in messages (ready, commit, sat out) never
mean two files. That is sound because the second round is added only when the first plan is final: its file count is the
base of the new numbers.

An entry may be in both rounds. It counts as placed if it was placed in either, and the later stage decides.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby

from mrsync.tree.model.failure import Failure
from mrsync.tree.staging.stage import Stage
from mrsync.tree.staging.staged_files import PLACED, UNWANTED, WHOLE
from mrsync.tuples import NamedTuple


class Commit:
    """Rename the staged files of one round into place. files_updated: the number of files renamed."""

    def __init__(self, stage: Stage) -> None:
        self.files_updated = 0
        self._stage = stage

    def commit(self, first: int, end: int, exceptions: Iterable[tuple[int, int]] = ()) -> list[Failure]:
        """Rename the plan files [first, end) into place and return the failures.

        exceptions: ranges [a, b) of plan files not to rename; their staged files are removed. Missing parent
        directories are made; a file or link in the place of one is replaced. A directory in the place of a file is
        removed if it is empty or if the policy clears directories. Repeating a call for the same files has no effect.
        """
        stage = self._stage
        for low, high in exceptions:
            for file in range(max(low, first), min(high, end)):
                if stage.states[file] not in (PLACED, UNWANTED):
                    stage.discard(file)
        entries, parents = stage.plan.entries, stage.manifest.parents
        whole = (file for file in range(first, end) if stage.states[file] == WHOLE)
        failures = []
        for parent, files in groupby(whole, key=lambda file: parents[entries[file]]):
            failures += self._place_all(parent, list(files))
        return failures

    def _place_all(self, parent: int, files: Sequence[int]) -> list[Failure]:
        """Rename files of one directory into place and return the failures."""
        stage = self._stage
        failures = []
        at = 0
        while (at := at + self._rename_plainly(parent, files[at:])) < len(files):
            file = files[at]
            at += 1
            entry = stage.plan.entries[file]
            try:
                self._place(file, entry, parent)
            except OSError as error:
                stage.discard(file)
                failures.append(Failure.of(error, stage.manifest.path(entry), "replace"))
            else:
                self._note_placed([file])
        return failures

    def _rename_plainly(self, parent: int, files: Sequence[int]) -> int:
        """Rename files, as long as nothing but the rename has to be done for them. Return how many of the first.

        Files of one directory are staged in one home, so both are looked up once and not for each of a thousand small
        files. A rename that fails changes nothing, so that `_place` begins anew with that file.
        """
        stage = self._stage
        destination, entries = stage.destination, stage.plan.entries
        if not files or stage.files.overwritten or destination.removals.backups is not None:
            return 0
        home = stage.files.home(files[0])
        staged = map(stage.files.temporary_name, files)
        names = stage.manifest.names.pick([entries[file] for file in files])
        done = 0
        with suppress(OSError):
            if stage.files.homes.is_shared(home):
                return 0  # each file is checked
            home_fd, parent_fd = destination.directories.pair(home, parent)
            destination.directories.touched.add(parent)
            for old, new in zip(staged, names):
                os.rename(old, new, src_dir_fd=home_fd, dst_dir_fd=parent_fd)
                done += 1
        self._note_placed(files[:done])
        return done

    def _note_placed(self, files: Sequence[int]) -> None:
        for file in files:
            self._stage.states[file] = PLACED
        self.files_updated += len(files)

    def _place(self, file: int, entry: int, parent: int) -> None:
        stage = self._stage
        destination = stage.destination
        if file in stage.files.overwritten:
            stage.settle_overwritten(file)
            return
        home = stage.files.home(file)
        name = stage.manifest.names[entry]
        try:
            destination.directories.open(parent)
        except (FileNotFoundError, NotADirectoryError):
            destination.ensure(parent)
        destination.directories.touched.add(parent)
        if file in stage.unchanged:
            stage.unchanged[file] = self._identity(parent, name)
        elif destination.removals.backups is not None:
            destination.removals.back_up(parent, name)
        try:
            self._rename(file, home, parent, name)
            return
        except IsADirectoryError:
            destination.removals.clear(parent, name)
        except PermissionError:
            # A rename changes both directories, so either may need a temporary mode.
            if not destination.directories.loosen(parent) | destination.directories.loosen(home):
                raise
        self._rename(file, home, parent, name)

    def _identity(self, parent: int, name: bytes) -> tuple[int, int] | None:
        """Return (device, inode) of a file. None: there is none."""
        try:
            status = os.stat(name, dir_fd=self._stage.destination.directories.open(parent), follow_symlinks=False)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _rename(self, file: int, home: int, parent: int, name: bytes) -> None:
        """Rename a staged file into place. Raise OSError if another file has been put under its name."""
        stage = self._stage
        home_fd, parent_fd = stage.destination.directories.pair(home, parent)
        is_shared = stage.files.homes.is_shared(home)  # otherwise no other user can have replaced the staged file
        if is_shared:
            stage.files.check(file)
        os.rename(stage.files.name(file), name, src_dir_fd=home_fd, dst_dir_fd=parent_fd)
        if is_shared and home != parent:
            stage.files.check_placed(file, parent_fd, name)


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

    def stage(self, number: int) -> Stage:
        """Return the stage of the first (0) or second (1) round, to which pages of its contents are written."""
        return self._rounds[number].stage

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
        """Return whether `end` is the end of the latest round, or after it."""
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
            left.difference_update(each.stage.states.placed())
            left.update(each.stage.states.unplaced())
        return left

    def missed(self) -> list[int]:
        """Return the entries that were neither placed nor sat out nor discarded. Call this after the last commit."""
        return [entry for each in self._rounds for entry in each.stage.states.missed()]

    def forget_writing(self) -> None:
        """Call `Stage.forget_writing` of each round, if no staged file is left."""
        if not self.missed():
            for each in self._rounds:
                each.stage.forget_writing()

    def advance(self) -> bool:
        """Call `Stage.advance` of the latest round."""
        return self._rounds[-1].stage.advance()

    def take_sat_out(self) -> list[tuple[int, int]]:
        """Return (plan file, errno) of each file sat out since the last call."""
        return [(each.first + file, reason) for each in self._rounds for file, reason in each.stage.take_sat_out()]

    def commit(self, first: int, end: int, exceptions: Sequence[tuple[int, int]]) -> list[Failure]:
        """Call `Commit.commit` of each round for its part of [first, end). exceptions: ranges of plan files in it."""
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
