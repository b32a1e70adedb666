"""Write the new version of a file into the old one, where --inplace asks for it and nobody gains by it.

What this gives up: whoever reads the file meanwhile sees parts of both versions, and so does everybody after a run that
broke off. What it must not give up:

- Nothing outside of the destination changes. A file with several names is replaced as usual, as one may be elsewhere.
- The next run mends a torn file. Its time is that of the last write, so it differs from the source's. Where times are
  not compared so (--update, --size-only), files are replaced as usual, and with --backup, which keeps old versions.
- Nobody reads or writes more than the new version's mode allows, by its old mode or a descriptor. So the owner must be
  the right one already, and the old mode must not allow others more than the new one, or less of set-ID bits.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from mrsync.files import open_regular
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.extents import data_extents
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.model.spans import Span, without

_ZEROS = bytes(1 << 20)
_SET_ID = stat.S_ISUID | stat.S_ISGID


def overwrites(policy: Policy) -> bool:
    """Return whether files are written in place."""
    return policy.inplace and not (policy.backup or policy.update or policy.size_only)


def open_old(destination: Destination, manifest: Manifest, entry: int, data: Iterable[Span]) -> int:
    """Return the old version of a file, open for reading and writing, or -1 if a new file must be made.

    data: the spans of the new version that are not holes; what the old one has in the holes is overwritten with zeros.
    Raise OSError if that fails.
    """
    try:
        fd = open_regular(manifest.names[entry], destination.directories.open(manifest.parents[entry]), os.O_RDWR)
    except OSError:  # it is absent, of another kind, being executed, not ours to write
        return -1
    try:
        if _may_stay(destination, manifest, entry, os.fstat(fd)):
            _clear(fd, manifest.sizes[entry], data)
            return fd
    except OSError:
        os.close(fd)
        raise
    os.close(fd)
    return -1


def _may_stay(destination: Destination, manifest: Manifest, entry: int, old: os.stat_result) -> bool:
    uid, gid = destination.ownership.settable(manifest.uids[entry], manifest.gids[entry])
    mode = manifest.modes[entry]
    is_owned = uid in (-1, old.st_uid) and gid in (-1, old.st_gid)
    return old.st_nlink == 1 and is_owned and not (old.st_mode & ~mode & 0o077 or mode & ~old.st_mode & _SET_ID)


def _clear(fd: int, size: int, data: Iterable[Span]) -> None:
    """Write zeros to what the file has outside of these spans."""
    holes = without([(0, size)], list(data))
    if not holes:
        return
    filled = [(start, start + length) for start, length in data_extents(fd, min(size, os.fstat(fd).st_size))]
    for start, end in without(filled, without([(0, size)], holes)):
        while start < end:
            start += os.pwrite(fd, _ZEROS[: end - start], start)
