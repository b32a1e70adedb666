"""The paths that a list dooms, at one destination: found and deleted one by one, never behind a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from mrsync.tree.destination.deletions import Deletions
from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import DIRECTORY, Manifest
from mrsync.tree.model.pathtree import PathTree


class Doomed:
    """Listed deletions below an open root; a dry run only notes them.

    A directory is deleted only when it is empty by then. delete: takes away what is no directory, given the descriptor
    of its directory, its name and path.
    """

    def __init__(
        self,
        root_fd: int,
        manifest: Manifest,
        deletions: Deletions,
        delete: Callable[[int, bytes, bytes], object],
        *,
        is_dry_run: bool,
    ) -> None:
        assert manifest.listed is not None  # where there is a list
        self._manifest = manifest
        self._tree = PathTree()
        self._listed = [self._tree.add(path) for path in manifest.listed.deletions]
        self._deletions = deletions
        self._delete_entry = delete
        self._is_dry_run = is_dry_run
        self._directories = Directories(root_fd, self._tree.names, self._tree.parents, is_loosening=not is_dry_run)

    def existing(self) -> list[bytes]:
        """The paths at which there is something, in the order of the list."""
        return [self._tree.path(number) for number in self._listed if self._status(number) is not None]

    def delete(self, path: bytes) -> bool:
        """Delete what has this path; False if there is nothing, or one deletion too many. OSError, above all ENOTEMPTY.

        What lies in the way of a file or link goes with `delete_below` when that is put in place, or not at all.
        """
        above = self._deepest_entry(os.path.dirname(path))
        return self._manifest.kind(above) == DIRECTORY and self._delete(self._tree.add(path))

    def delete_below(self, path: bytes) -> None:
        """Delete all that is doomed below a path. OSError for the first that cannot be deleted."""
        doomed = set(self._listed)
        for number in reversed(list(self._below(self._tree.add(path)))):
            if number in doomed:
                self._delete(number)

    def restore(self) -> list[Failure]:
        """Give back temporary modes; what failed."""
        return [Failure(reason, self._tree.path(number), "change") for number, reason in self._directories.restore()]

    def close(self) -> None:
        self._directories.close()

    def _deepest_entry(self, path: bytes) -> int:
        """The last entry of the manifest on the way to a path."""
        while (entry := self._manifest.find(path)) < 0:
            path = os.path.dirname(path)
        return entry

    def _below(self, number: int) -> Iterator[int]:
        """Parents first."""
        waiting = list(self._tree.children.get(number, {}).values())
        while waiting:
            number = waiting.pop()
            yield number
            waiting += self._tree.children.get(number, {}).values()

    def _status(self, number: int) -> os.stat_result | None:
        try:
            parent_fd = self._directories.open(self._tree.parents[number])
            return os.stat(self._tree.names[number], dir_fd=parent_fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _delete(self, number: int) -> bool:
        status = self._status(number)
        if status is None or not self._deletions.allows():
            return False
        is_directory = stat.S_ISDIR(status.st_mode)
        if not self._is_dry_run:
            self._remove(number, is_directory=is_directory)
        self._deletions.note(0, self._tree.path(number), is_directory=is_directory)
        return True

    def _remove(self, number: int, *, is_directory: bool) -> None:
        name, parent = self._tree.names[number], self._tree.parents[number]

        def remove(fd: int) -> None:
            if is_directory:
                os.rmdir(name, dir_fd=fd)
            else:
                self._delete_entry(fd, name, self._tree.path(number))

        try:
            remove(self._directories.open(parent))
        except PermissionError:
            if not self._directories.loosen(parent):
                raise
            remove(self._directories.open(parent))
