"""Delete a whole directory tree that is in the way or no longer wanted."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from mrsync.tree.directories import Directories


def remove_tree(parent_fd: int, name: bytes, on_activity: Callable[[int], None] = lambda count: None) -> int:
    """Delete a directory and all in it, bottom-up; the number of entries deleted.

    Nothing behind a soft link or a mount point is touched (OSError EBUSY for a mount). OSError for the first thing that
    cannot be deleted; what is deleted by then stays deleted.
    """
    names = [b"", name]
    parents = [0, 0]
    directories = Directories(parent_fd, names, parents, is_loosening=True)
    device = os.fstat(parent_fd).st_dev
    count = 0
    try:
        entry = 1
        while entry < len(names):
            fd = directories.open(entry)
            if os.fstat(fd).st_dev != device:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            directories.loosen(entry)
            with os.scandir(fd) as found:
                below = [(os.fsencode(item.name), item.is_dir(follow_symlinks=False)) for item in found]
            for child, is_directory in below:
                if is_directory:
                    names.append(child)
                    parents.append(entry)
                else:
                    os.unlink(child, dir_fd=fd)
                    count += 1
            on_activity(len(below))
            entry += 1
        for entry in range(len(names) - 1, 0, -1):
            os.rmdir(names[entry], dir_fd=directories.open(parents[entry]))
            count += 1
        return count
    finally:
        directories.close()
