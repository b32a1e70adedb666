"""Delete a directory tree that is no longer wanted, but for what filter rules keep safe in it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from mrsync.tree.directories import Directories
from mrsync.tree.protection import Guard


def weed_tree(
    parent_fd: int,
    guard: Guard,
    on_activity: Callable[[int], None] = lambda count: None,
    *,
    is_dry: bool = False,
) -> tuple[int, bool]:
    """Delete what a guard does not keep safe in its directory, and the directory if nothing stays in it.

    How many entries went (would go, if is_dry), and whether the directory stays. Nothing behind a soft link or a mount
    point is touched (OSError EBUSY for a mount). OSError for the first thing that cannot be deleted.
    """
    weeding = _Weeding(parent_fd, guard, is_dry)
    try:
        return weeding.run(on_activity)
    finally:
        weeding.close()


class _Weeding:
    """The directories of the tree, by number from 1; stays: those that hold something that does."""

    def __init__(self, parent_fd: int, guard: Guard, is_dry: bool) -> None:
        self._names = [b"", os.path.basename(guard.path)]
        self._parents = [0, 0]
        self._guards = [guard, guard]
        self._stays: set[int] = set()
        self._is_dry = is_dry
        self._device = os.fstat(parent_fd).st_dev
        self._directories = Directories(parent_fd, self._names, self._parents, is_loosening=not is_dry)
        self._count = 0

    def run(self, on_activity: Callable[[int], None]) -> tuple[int, bool]:
        directory = 1
        while directory < len(self._names):
            if directory > 1:
                self._guards.append(self._guards[self._parents[directory]].within(self._names[directory]))
            on_activity(self._weed(directory))
            directory += 1
        for directory in range(len(self._names) - 1, 0, -1):
            if directory in self._stays:
                self._stays.add(self._parents[directory])
                continue
            if not self._is_dry:
                os.rmdir(self._names[directory], dir_fd=self._directories.open(self._parents[directory]))
            self._count += 1
        return self._count, 1 in self._stays

    def close(self) -> None:
        self._directories.close()

    def _weed(self, directory: int) -> int:
        """Delete the files of one directory, and note the directories in it; how many entries it has."""
        fd = self._directories.open(directory)
        if os.fstat(fd).st_dev != self._device:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self._directories.loosen(directory)
        with os.scandir(fd) as found:
            below = {os.fsencode(item.name): item.is_dir(follow_symlinks=False) for item in found}
        safe = self._guards[directory].safe(list(below), [name for name in below if below[name]], is_going=True)
        if safe:
            self._stays.add(directory)
        for name, is_directory in below.items():
            if name in safe:
                continue
            if is_directory:
                self._names.append(name)
                self._parents.append(directory)
            else:
                if not self._is_dry:
                    os.unlink(name, dir_fd=fd)
                self._count += 1
        return len(below)
