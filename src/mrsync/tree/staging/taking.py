"""Link or copy single entries from another directory of the target."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from mrsync.files import open_regular
from mrsync.tree.compare.result import Reuse
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.copying import copy_entry
from mrsync.tree.fs.handles import pinned
from mrsync.tree.model.manifest import REGULAR


def take_entry(
    destination: Destination, reuse: Reuse, fd: int, name: bytes, on_activity: Callable[[int], None]
) -> None:
    """Make `name` in an open directory as the reuse says. Raise OSError if the original is another one by now.

    A copy gets the attributes of the reuse's entry.
    """
    alternates, manifest = destination.alternates, destination.manifest
    assert alternates is not None  # the original was found in one
    original = manifest.names[reuse.original]
    directory = alternates.directories[reuse.number].open(manifest.parents[reuse.original])
    size = manifest.sizes[reuse.entry]

    def check() -> None:
        found = os.stat(original, dir_fd=directory, follow_symlinks=False)
        if not reuse.is_about(found) or (stat.S_ISREG(found.st_mode) and found.st_size != size):
            raise OSError(errno.ESTALE, "somebody changed it")

    check()
    if reuse.is_link:
        os.link(original, name, src_dir_fd=directory, dst_dir_fd=fd, follow_symlinks=False)
        if os.stat(name, dir_fd=fd, follow_symlinks=False).st_ino != reuse.inode:
            raise OSError(errno.ESTALE, "something else took its place")
        return
    copy_entry(directory, original, fd, name, on_activity)
    check()
    with pinned(fd, name) as handle:
        destination.metadata.give(reuse.entry, handle, handle.status())
    if manifest.policy.durable and manifest.kind(reuse.entry) == REGULAR:
        copied = open_regular(name, fd)
        try:
            os.fsync(copied)
        finally:
            os.close(copied)
