"""A copy of something that is no directory, with all that is kept of it: where it can neither be linked nor renamed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress

from mrsync.tree.fs.extents import data_extents

CHUNK_BYTES = 64 << 20
# Why a second name may be refused where a copy is not: by the file system, its limits, or for the file's flags.
NO_LINKS = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK))


def copy_entry(
    from_fd: int, name: bytes, to_fd: int, copy: bytes, on_activity: Callable[[int], None] = lambda count: None
) -> None:
    """Make the name `copy` in another directory; OSError, and then nothing is left there.

    on_activity is called now and then while a large file is copied.
    """
    status = os.stat(name, dir_fd=from_fd, follow_symlinks=False)
    try:
        if stat.S_ISREG(status.st_mode):
            _copy_file(from_fd, name, to_fd, copy, on_activity)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=from_fd), copy, dir_fd=to_fd)
        else:
            os.mknod(copy, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev, dir_fd=to_fd)
        mode = stat.S_IMODE(status.st_mode)
        try:
            os.chown(copy, status.st_uid, status.st_gid, dir_fd=to_fd, follow_symlinks=False)
        except OSError:
            mode &= 0o1777  # it is somebody else's now, and must not run as them
        with suppress(OSError):  # as far as both file systems have them
            if not stat.S_ISLNK(status.st_mode):
                os.chmod(copy, mode, dir_fd=to_fd)
        with suppress(OSError):
            os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=to_fd, follow_symlinks=False)
    except BaseException:
        with suppress(OSError):
            os.unlink(copy, dir_fd=to_fd)
        raise


def _copy_file(from_fd: int, name: bytes, to_fd: int, copy: bytes, on_activity: Callable[[int], None]) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=from_fd)
    try:
        target = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=to_fd)
        try:
            size = os.fstat(source).st_size
            for offset, length in data_extents(source, size):
                _copy_range(source, target, offset, offset + length, on_activity)
            os.ftruncate(target, size)
            _copy_attributes(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_range(source: int, target: int, offset: int, end: int, on_activity: Callable[[int], None]) -> None:
    os.lseek(target, offset, os.SEEK_SET)
    while offset < end:
        count = os.sendfile(target, source, offset, min(end - offset, CHUNK_BYTES))
        if not count:
            return  # it became shorter
        offset += count
        on_activity(1)


def _copy_attributes(source: int, target: int) -> None:
    with suppress(OSError):  # as far as both file systems have them
        for name in os.listxattr(source):
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
