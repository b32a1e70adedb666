"""Delete the paths that a synclist names, one by one and never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.columns import PathTree
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import DIRECTORY, Manifest


class ListedDeletions:
    """The listed deletions below an open root. A dry run only counts them.

    A directory is deleted only if it is empty by then. remove_entry: called with (descriptor of the directory, name,
    path) to remove an entry that is not a directory.
    """

    def __init__(
        self,
        root_fd: int,
        manifest: Manifest,
        deletions: DeletionLimit,
        remove_entry: Callable[[int, bytes, bytes], object],
        *,
        is_dry_run: bool,
    ) -> None:
        assert manifest.listed is not None  # constructed only for manifests made from a list
        self._manifest = manifest
        self._tree = PathTree()
        self._listed = [self._tree.add(path) for path in manifest.listed.deletions]
        self._deletions = deletions
        self._remove_entry = remove_entry
        self._is_dry_run = is_dry_run
        self._directories = Directories(root_fd, self._tree.names, self._tree.parents, is_loosening=not is_dry_run)

    def existing(self) -> list[bytes]:
        """Return the listed paths that exist, in the order of the list."""
        return [self._tree.path(number) for number in self._listed if self._status(number) is not None]

    def delete(self, path: bytes) -> bool:
        """Delete the entry at a path. Return False if there is none or the limit is reached.

        Raise OSError, in particular ENOTEMPTY. Paths below a file or link of the manifest are not deleted here: they
        are in its way, and `delete_below` removes them when it is put in place.
        """
        above = self._deepest_entry(os.path.dirname(path))
        return self._manifest.kind(above) == DIRECTORY and self._delete(self._tree.add(path))

    def delete_below(self, path: bytes) -> None:
        """Delete all listed paths below a path, deepest first. Raise OSError for the first that cannot be deleted."""
        listed = set(self._listed)
        for number in reversed(list(self._below(self._tree.add(path)))):
            if number in listed:
                self._delete(number)

    def restore(self) -> list[Failure]:
        """Undo temporary modes and return the failures."""
        return [Failure(reason, self._tree.path(number), "change") for number, reason in self._directories.restore()]

    def close(self) -> None:
        self._directories.close()

    def _deepest_entry(self, path: bytes) -> int:
        """Return the deepest entry of the manifest on the way to a path."""
        while (entry := self._manifest.find(path)) < 0:
            path = os.path.dirname(path)
        return entry

    def _below(self, number: int) -> Iterator[int]:
        """Yield the numbers of all paths below one, parents first."""
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
                self._remove_entry(fd, name, self._tree.path(number))

        try:
            remove(self._directories.open(parent))
        except PermissionError:
            if not self._directories.loosen(parent):
                raise
            remove(self._directories.open(parent))
