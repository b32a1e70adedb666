"""What a dry run can tell of the space on a target."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator

from mrsync.tree.destination.root import deepest
from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.limits import ENTRIES_MAX
from mrsync.tree.model.manifest import Manifest

HOLES_BYTES = 1 << 40


class Room:
    """The space of a destination's file system, for a dry run that tells what would not fit.

    directories: of the destination, or None if it does not exist.
    """

    def __init__(self, path: bytes, manifest: Manifest, directories: Directories | None = None) -> None:
        space = os.statvfs(deepest(path)) if directories is None else os.fstatvfs(directories.open(0))
        self._manifest = manifest
        self._directories = directories
        self._block = space.f_frsize
        self._total = space.f_blocks * space.f_frsize
        self._free = (space.f_bfree if os.geteuid() == 0 else space.f_bavail) * space.f_frsize
        self._inodes = space.f_ffree if space.f_files else ENTRIES_MAX + 1
        policy = manifest.policy
        self._is_freed_first = policy.inplace or policy.remove_first
        self._is_freed_late = policy.commit in ("end", "job")

    def lacking(self, needs: Iterable[tuple[int, int]], made: Iterable[int]) -> Iterator[tuple[int, Failure]]:
        """Yield each entry that will not fit, with the failure to expect.

        needs: ranges [a, b) of files in the order in which they are put into place. made: other entries to create,
        after them.
        """
        for first, end in needs:
            for entry in range(first, end):
                if not self._takes(entry):
                    yield entry, Failure(errno.ENOSPC, self._manifest.path(entry), "write")
        for entry in made:
            if self._old_bytes(entry) < 0:
                self._inodes -= 1
                if self._inodes < 0:
                    yield entry, Failure(errno.ENOSPC, self._manifest.path(entry), "make")

    def _takes(self, entry: int) -> bool:
        """Return whether a new version fits, and take its space."""
        size, old = self._needed_bytes(entry), self._old_bytes(entry)
        is_new = old < 0
        freed = 0 if is_new else old
        if size - (freed if self._is_freed_first else 0) > self._free:
            return False
        if self._inodes < 1 and (is_new or not self._is_freed_first):
            return False
        self._free -= size - (0 if self._is_freed_late else freed)
        self._inodes -= is_new
        return True

    def _needed_bytes(self, entry: int) -> int:
        """Return the space for a file, in whole blocks.

        One that is larger than both the file system and HOLES_BYTES is assumed to be sparse, because the manifest does
        not say how much of it is data.
        """
        size = self._manifest.sizes[entry]
        return 0 if size > max(self._total, HOLES_BYTES) else -(-size // self._block) * self._block

    def _old_bytes(self, entry: int) -> int:
        """Return the space of what is there of an entry, -1 if nothing is."""
        try:
            return -1 if self._directories is None else self._directories.status(entry).st_blocks * 512
        except OSError:
            return -1
