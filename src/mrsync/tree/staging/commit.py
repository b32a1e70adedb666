"""Rename staged files to their final names."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mrsync.tree.model.failure import Failure
from mrsync.tree.staging.stage import PLACED, UNWANTED, WHOLE, Stage


class Commit:
    """Rename the staged files of one round into place. files_updated: the number of files renamed."""

    def __init__(self, stage: Stage) -> None:
        self.files_updated = 0
        self._stage = stage

    def commit(self, first: int, end: int, exceptions: Iterable[tuple[int, int]] = ()) -> list[Failure]:
        """Rename the plan files [first, end) into place and return the failures.

        exceptions: ranges [a, b) of plan files not to rename; their staged files are removed. Missing parent
        directories are made; a file or link in the place of one is replaced. A directory in the place of a file is
        removed if it is empty or if the policy deletes. Repeating a call for the same files has no effect.
        """
        stage = self._stage
        for low, high in exceptions:
            for file in range(max(low, first), min(high, end)):
                if stage.states[file] not in (PLACED, UNWANTED):
                    stage.discard(file)
        failures = []
        manifest = stage.manifest
        for file in range(first, end):
            if stage.states[file] != WHOLE:
                continue
            entry = stage.plan.entries[file]
            try:
                self._place(file, entry, manifest.parents[entry])
            except OSError as error:
                stage.discard(file)
                failures.append(Failure(error.errno or 0, manifest.path(entry), "replace"))
                continue
            stage.states[file] = PLACED
            self.files_updated += 1
        return failures

    def _place(self, file: int, entry: int, parent: int) -> None:
        stage = self._stage
        destination = stage.destination
        if file in stage.files.overwritten:
            stage.seal(file)
            return
        room = stage.files.room(file)
        name = stage.manifest.names[entry]
        try:
            destination.directories.open(parent)
        except (FileNotFoundError, NotADirectoryError):
            destination.ensure(parent)
        destination.directories.touched.add(parent)
        if destination.backups is not None and file not in stage.renewed:
            destination.keep_old(parent, name)
        try:
            self._rename(file, room, parent, name)
            return
        except IsADirectoryError:
            destination.make_way(parent, name)
        except PermissionError:
            # A rename changes both directories, so either may need a temporary mode.
            if not destination.directories.loosen(parent) | destination.directories.loosen(room):
                raise
        self._rename(file, room, parent, name)

    def _rename(self, file: int, room: int, parent: int, name: bytes) -> None:
        """Rename a staged file into place. Raise OSError if another file has been put under its name."""
        stage = self._stage
        room_fd, parent_fd = stage.destination.directories.pair(room, parent)
        is_shared = stage.files.homes.is_shared(room)  # otherwise no other user can have replaced the staged file
        if is_shared:
            stage.files.check(file)
        os.rename(stage.files.name(file), name, src_dir_fd=room_fd, dst_dir_fd=parent_fd)
        if is_shared and room != parent:
            stage.files.check_placed(file, parent_fd, name)
