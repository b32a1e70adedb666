"""Write the new version of a file into the old one, where --inplace asks for it and no user gains rights by it.

What this gives up: a program that reads the file meanwhile sees parts of both versions, and so do all after a run that
broke off, or that made the file an exception. What it must not give up:

- Nothing outside of the destination changes. A file with several names is replaced as usual, as one may be elsewhere,
  and so is one that is a mount point.
- The next run replaces a torn file. Until the commit it is longer than both versions, and its time is that of the last
  write: only the commit gives it size and time of the new version. With --update, which asks for neither, and with
  --size-only, where the source need only grow to that size, files are replaced as usual. So they are with --backup,
  which keeps old versions.
- Two runs do not write into one file. It is locked (`flock`) while it is open, and is as long as its run left it when
  that opens it again. If it is locked, a new file is made.
- No user reads or writes more than the new version's mode allows, by its old mode, its ACL or a descriptor. So the old
  file must have the owner and group that a new one would get, no ACL, and a mode that does not allow others more than
  the new one, or less of set-ID bits.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from mrsync.files import open_regular
from mrsync.ranges import Range, total, without
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.extents import can_have_holes, clear, data_extents
from mrsync.tree.fs.mounts import mount_id
from mrsync.tree.model.acl import ACCESS
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import OFFSET_MAX
from mrsync.tree.model.policy import Policy

CLEARED_BYTES_MAX = 64 << 20  # to write more zeros, where no holes can be made, would keep the network waiting for long
_SET_ID = stat.S_ISUID | stat.S_ISGID


def overwrites(policy: Policy) -> bool:
    """Return whether files are written in place."""
    return policy.inplace and not (policy.backup or policy.update or policy.size_only)


def open_old(destination: Destination, manifest: Manifest, entry: int, data: Iterable[Range]) -> int:
    """Return the old version of a file, open for reading and writing, or -1 if a new file must be made.

    From now on its size is neither the old nor the new one. data: the spans of the new version that are not holes; what
    the old one has in the holes is removed. Raise OSError if that fails.
    """
    try:
        parent_fd = destination.directories.open(manifest.parents[entry])
        fd = open_regular(manifest.names[entry], parent_fd, os.O_RDWR)
    except OSError:  # it or its directory is absent, of another kind, being executed, not ours to write
        return -1
    try:
        if lock_old(fd) and _may_stay(destination, manifest, entry, fd, parent_fd):
            size = manifest.sizes[entry]
            stale = _stale_spans(fd, size, list(data))
            longer = max(os.fstat(fd).st_size, size) + 1
            if longer <= OFFSET_MAX and (total(stale) <= CLEARED_BYTES_MAX or can_have_holes(fd)):
                os.ftruncate(fd, longer)
                for start, end in stale:
                    clear(fd, start, end)
                return fd
    except OSError:
        os.close(fd)
        raise
    os.close(fd)
    return -1


def lock_old(fd: int) -> bool:
    """Lock a file that is overwritten until it is closed. Return False if another run has locked it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # not every file system has locks
    return True


def _may_stay(destination: Destination, manifest: Manifest, entry: int, fd: int, parent_fd: int) -> bool:
    old, above = os.fstat(fd), os.fstat(parent_fd)
    uid, gid = destination.ownership.settable(manifest.uids[entry], manifest.gids[entry])
    if uid == -1:
        uid = os.geteuid()
    if gid == -1:
        gid = above.st_gid if above.st_mode & stat.S_ISGID else os.getegid()
    mode = manifest.modes[entry]
    return (
        (old.st_nlink, old.st_uid, old.st_gid) == (1, uid, gid)
        and not (old.st_mode & ~mode & 0o077 or mode & ~old.st_mode & _SET_ID)
        and mount_id(fd) == mount_id(parent_fd)
        and not _has_acl(fd)
    )


def _has_acl(fd: int) -> bool:
    with suppress(OSError):  # it has none, or the file system knows none
        return bool(os.getxattr(fd, ACCESS))
    return False


def _stale_spans(fd: int, size: int, data: list[Range]) -> list[Range]:
    """Return where the file has data in what will be holes."""
    holes = without([(0, size)], data)
    if not holes:
        return []
    filled = [(start, start + length) for start, length in data_extents(fd, min(size, os.fstat(fd).st_size))]
    return without(filled, without([(0, size)], holes))
