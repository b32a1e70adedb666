"""Rollback: undo the traces of staging when nothing is committed: times of directories, and a new destination."""

from __future__ import annotations

import os
from contextlib import suppress

from mrsync.tree.staging.stage import Stage
from mrsync.tree.staging.staged_files import UNWANTED


class Rollback:
    """The times of all directories in which files will be staged. Construct it before the first file is staged."""

    def __init__(self, stage: Stage) -> None:
        self._destination = stage.destination
        self._times: dict[int, tuple[int, int]] = {}  # directory entry -> atime and mtime in ns
        self.add(stage)

    def add(self, stage: Stage) -> None:
        """Remember the directories of another stage. Times that are already known are older and are kept."""
        parents = stage.manifest.parents
        entries = (entry for entry, state in zip(stage.plan.entries, stage.states) if state != UNWANTED)
        self._note(0)  # it has the journal
        for parent in {parents[entry] for entry in entries}:
            with suppress(OSError):  # nothing can be staged there either, which is reported
                self._note(stage.files.homes.ancestor(parent))

    def _note(self, directory: int) -> None:
        if directory not in self._times:
            status = os.fstat(self._destination.directories.open(directory))
            self._times[directory] = (status.st_atime_ns, status.st_mtime_ns)

    def restore(self) -> None:
        """Restore everything. Call this after the stages have been cleaned up.

        A destination that was made stays if the journal has kept files in it for a later run.
        """
        directories = self._destination.directories
        for directory, times in self._times.items():
            with suppress(OSError):  # it was removed, or is no longer ours
                os.utime(directories.open(directory), ns=times)
        if self._destination.is_new:
            with suppress(OSError):
                os.rmdir(self._destination.path)
