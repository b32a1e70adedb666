"""Check in a dry run whether the destination could be created and has enough space."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from mrsync.errors import FileError
from mrsync.tree.model.failure import printable
from mrsync.tree.model.manifest import Manifest

HOLES_BYTES = 1 << 40


def check_absent_root(path: bytes, *, makes_parents: bool = False) -> None:
    """Raise FileError if this destination, which is not a directory yet, cannot be created."""
    shown = printable(path)
    if os.path.lexists(path):
        raise FileError(f"the destination {shown} is not a directory")
    parent = _parent(path)
    if not os.path.isdir(parent) and makes_parents:
        return
    if not os.path.isdir(parent):
        raise FileError(f"cannot make the destination {shown}: its parent directory does not exist; --mkpath makes it")
    if not os.access(parent, os.W_OK | os.X_OK, effective_ids=True):
        is_closed = os.statvfs(parent).f_flag & os.ST_RDONLY
        reason = why_refused(errno.EROFS if is_closed else errno.EACCES)
        raise FileError(f"cannot use the destination {shown}: {reason}")


def why_refused(reason: int) -> str:
    """Return the text of an errno, with what helps a user who may not write to a destination."""
    is_user = reason == errno.EACCES and os.geteuid() != 0
    return os.strerror(reason) + ("; with --sudo, root writes there" if is_user else "")


def check_room(path: bytes, manifest: Manifest, needs: Iterable[tuple[int, int]], made: int) -> None:
    """Raise FileError if the file system has too little space for the needed files, minus the files that they replace.

    needs: ranges [a, b) of entries. made: the number of other entries to create. A file that is larger than both the
    file system and HOLES_BYTES is assumed to be sparse, because the manifest does not say how much of it is data.
    """
    space = os.statvfs(path if os.path.isdir(path) else _parent(path))
    total = space.f_blocks * space.f_frsize
    size, entries = 0, made
    for first, end in needs:
        for entry in range(first, end):
            is_of_holes = manifest.sizes[entry] > max(total, HOLES_BYTES)
            size += 0 if is_of_holes else manifest.sizes[entry]
            try:
                size -= os.lstat(os.path.join(path, manifest.path(entry))).st_blocks * 512
            except OSError:
                entries += 1
    free = (space.f_bfree if os.geteuid() == 0 else space.f_bavail) * space.f_frsize
    shown = printable(path)
    if size > free:
        raise FileError(f"no room in the destination {shown}: {size} more bytes are needed, {free} are free")
    if space.f_files and entries > space.f_ffree:
        raise FileError(f"no room in the destination {shown}: {entries} inodes are needed, {space.f_ffree} are free")


def _parent(path: bytes) -> bytes:
    return os.path.dirname(os.path.abspath(path))
