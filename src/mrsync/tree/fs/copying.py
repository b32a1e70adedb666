"""Copy an entry other than a directory, where it can be neither linked nor renamed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress

from mrsync.files import CAUTIOUS, open_regular
from mrsync.tree.fs.extents import data_extents
from mrsync.tree.fs.handles import Handle, pinned

CHUNK_BYTES = 64 << 20
# Errors of link() after which a copy may work: no hard links here, too many of them, or the file's flags forbid it.
NO_LINKS = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK))


def copy_entry(
    from_fd: int,
    name: bytes,
    to_fd: int,
    copy: bytes,
    on_activity: Callable[[int], None] = lambda count: None,
    *,
    has_attributes: bool = True,
) -> None:
    """Copy the file, soft link or special file `name` to the name `copy` in another directory.

    `copy` must be free. from_fd, to_fd: descriptors of the two directories. on_activity: called with 1 for each
    CHUNK_BYTES of a large file. has_attributes: the copy gets owner, mode, time, ACL and extended attributes as well.
    If OSError is raised, nothing remains there.
    """
    try:
        if stat.S_ISREG(os.stat(name, dir_fd=from_fd, follow_symlinks=False).st_mode):
            _copy_file(from_fd, name, to_fd, copy, on_activity, has_attributes=has_attributes)
        else:
            _copy_other(from_fd, name, to_fd, copy, has_attributes=has_attributes)
    except BaseException:
        with suppress(OSError):
            os.unlink(copy, dir_fd=to_fd)
        raise


def _copy_file(
    from_fd: int, name: bytes, to_fd: int, copy: bytes, on_activity: Callable[[int], None], *, has_attributes: bool
) -> None:
    """Copy contents and attributes between two open files, so nobody can swap them meanwhile."""
    source = open_regular(name, from_fd)
    try:
        target = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAUTIOUS, 0o600, dir_fd=to_fd)
        try:
            status = os.fstat(source)
            for offset, length in data_extents(source, status.st_size):
                _copy_range(source, target, offset, offset + length, on_activity)
            os.ftruncate(target, status.st_size)
            if has_attributes:
                _give(Handle(target), status, lambda: _copy_attributes(source, target))
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_other(from_fd: int, name: bytes, to_fd: int, copy: bytes, *, has_attributes: bool) -> None:
    """Copy a soft link or special file. Raise OSError if another device took its place before it got its owner."""
    status = os.stat(name, dir_fd=from_fd, follow_symlinks=False)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        os.symlink(os.readlink(name, dir_fd=from_fd), copy, dir_fd=to_fd)
    else:
        os.mknod(copy, kind | 0o600, status.st_rdev, dir_fd=to_fd)
    with pinned(to_fd, copy) as handle:
        made = handle.status()
        if (stat.S_IFMT(made.st_mode), made.st_rdev) != (kind, status.st_rdev):
            raise OSError(errno.ESTALE, "something else took its place")
        if has_attributes:
            _give(handle, status)


def _give(handle: Handle, status: os.stat_result, give_attributes: Callable[[], None] = lambda: None) -> None:
    """Set owner, attributes (by give_attributes), mode and time, as far as both file systems support them."""
    mode = stat.S_IMODE(status.st_mode)
    try:
        handle.chown(status.st_uid, status.st_gid)
    except OSError:
        mode &= 0o1777  # the owner is wrong, so it must not run with the owner's rights
    give_attributes()  # after the owner, because a change of owner drops capabilities
    with suppress(OSError):
        if not stat.S_ISLNK(status.st_mode):
            handle.chmod(mode)
    with suppress(OSError):
        handle.utime(status.st_atime_ns, status.st_mtime_ns)


def _copy_range(source: int, target: int, offset: int, end: int, on_activity: Callable[[int], None]) -> None:
    os.lseek(target, offset, os.SEEK_SET)
    while offset < end:
        count = os.sendfile(target, source, offset, min(end - offset, CHUNK_BYTES))
        if not count:
            return  # it became shorter
        offset += count
        on_activity(1)


def _copy_attributes(source: int, target: int) -> None:
    with suppress(OSError):  # one of the file systems may not support them
        for name in os.listxattr(source):
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
