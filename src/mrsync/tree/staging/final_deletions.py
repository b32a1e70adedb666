"""Delete extraneous entries, leftovers of earlier sessions, and entries that a list names.

Deletions come after the commits, so that nothing is removed before its replacement has arrived. With --delete, the
rules that protect entries are read again first, because a merge file may have arrived in this very session.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest


class FinalDeletions:
    """The deletions at the end of a run. count: called with the number of entries deleted or looked at."""

    def __init__(
        self, destination: Destination, manifest: Manifest, comparison: Comparison, count: Callable[[int], None]
    ) -> None:
        self._destination = destination
        self._removals = destination.removals
        self._manifest = manifest
        self._comparison = comparison
        self._count = count
        self._failures: list[Failure] = []
        self._rereads_rules = manifest.policy.rereads_rules and self._removals.protection is not None

    def run(self) -> list[Failure]:
        """Delete everything. Return what could not be deleted."""
        comparison = self._comparison
        rules = self._removals.read_rules() if self._rereads_rules else None
        for directory, name in comparison.extraneous:
            self._delete(directory, name)
        self._empty_lasting()
        if comparison.stale:
            from mrsync.tree.staging.resume import StaleFiles  # most runs find none

            self._failures += StaleFiles(self._destination, self._manifest, comparison.stale).remove()
        if comparison.listed_deletions:
            self._delete_listed(comparison.listed_deletions)
        if rules is not None:
            known = frozenset(comparison.failures)
            self._failures += [failure for failure in rules.failures if failure not in known]
        return self._failures

    def _empty_lasting(self) -> None:
        """Empty directories that block a file because a protected entry is in them; like rsync, delete the rest."""
        manifest = self._manifest
        for entry in sorted(self._destination.placement.blocked if manifest.policy.clears_directories else ()):
            with suppress(OSError):  # that the file could not be put in place was already reported
                self._removals.clear(manifest.parents[entry], manifest.names[entry])

    def _delete_listed(self, paths: list[bytes]) -> None:
        listed_deletions = self._removals.listed_deletions
        assert listed_deletions is not None  # it made the list of paths
        for path in paths:
            self._count(1)
            try:
                if listed_deletions.delete(path):
                    self._destination.directories.touched.add(self._manifest.find(os.path.dirname(path)))
            except OSError as error:
                if error.errno != errno.ENOTEMPTY or not self._removals.has_backups_beside:
                    self._failures.append(Failure.of(error, path, "delete"))
        self._destination.directories.touched.discard(-1)  # the parent is not in the manifest, or was deleted as well
        self._failures += listed_deletions.restore()

    def _delete(self, directory: int, name: bytes) -> None:
        self._count(1)
        try:
            self._destination.directories.change(directory, lambda fd: self._delete_in(directory, fd, name))
        except FileNotFoundError:
            return
        except OSError as error:
            self._note_failure(directory, error, name)

    def _note_failure(self, directory: int, error: OSError, path: bytes) -> None:
        """Note that something below a directory cannot be deleted."""
        whole = os.path.join(self._manifest.path(directory), path)
        self._failures.append(Failure.of(error, whole, "delete"))

    def _delete_in(self, directory: int, fd: int, name: bytes) -> None:
        deletions = self._removals.deletions
        is_directory = stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
        if self._rereads_rules and self._removals.is_protected(directory, name, is_directory=is_directory):
            return
        if is_directory:
            self._delete_directory(directory, fd, name)
        elif deletions.allows():
            self._removals.remove(directory, fd, name)
            deletions.note(directory, name, is_directory=False)

    def _delete_directory(self, directory: int, fd: int, name: bytes) -> None:
        deletions = self._removals.deletions
        if self._manifest.policy.clears_directories:
            note = partial(self._note_failure, directory)
            self._removals.remove_tree(directory, fd, name, self._count, on_failure=note)
        elif deletions.allows():  # --delete-missing-args alone, which deletes nothing that came into it meanwhile
            os.rmdir(name, dir_fd=fd)
            deletions.note(directory, name, is_directory=True)
