"""MountPolicy: leave out what is on other file systems than the source (--one-file-system)."""

from __future__ import annotations

import os
from array import array
from collections.abc import Container
from contextlib import suppress

from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY
from mrsync.tree.source.selection import OMITS_MOUNTS


class MountPolicy:
    """Apply Selection.one_file_system, which is `level`. parents: of all directories; it grows during the scan."""

    def __init__(self, level: int, parents: array[int]) -> None:
        self._level = level
        self._parents = parents
        self._devices: dict[tuple[int, int], int] = {}  # by (root, directory)

    def is_foreign(self, directory: int, fd: int, root: int = 0, *, is_recursed: bool) -> bool:
        """Return whether to skip a directory because it is on another file system than its parent.

        root: number of the SOURCE. is_recursed: it was reached by recursion and not named by the user.
        """
        if not self._level:
            return False
        self._devices[root, directory] = device = os.fstat(fd).st_dev
        return is_recursed and device != self._devices[root, self._parents[directory]]

    def omit(self, fd: int, listing: Listing, listed: Container[bytes] = ()) -> None:
        """Drop directories on other file systems than that of fd, except for listed ones, if the selection says so."""
        if self._level < OMITS_MOUNTS:
            return
        device = os.fstat(fd).st_dev
        omitted: set[int] = set()
        for position, (name, mode) in enumerate(zip(listing.names, listing.modes)):
            if mode >> KIND_SHIFT == DIRECTORY and name not in listed:
                with suppress(OSError):  # reading it will report the error
                    found = os.stat(name, dir_fd=fd, follow_symlinks=position in listing.followed)
                    if found.st_dev != device:
                        omitted.add(position)
        if omitted:
            listing.keep([position for position in range(len(listing.names)) if position not in omitted])
