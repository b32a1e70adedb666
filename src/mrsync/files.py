"""Open files safely where others may have put something else: a link, a fifo, a device, another file."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import BinaryIO, Union

Path = Union[str, bytes, "os.PathLike[str]"]

# No link at the end of the path is followed, no fifo or lease is waited for, no terminal becomes ours.
CAUTIOUS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# For paths that the user gave: links in them are the user's.
NAMED = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OWN_DESCRIPTORS = ("/dev/", "/proc/")


def open_regular(name: Path, directory_fd: int | None = None, access: int = os.O_RDONLY) -> int:
    """Return a descriptor of a regular file; OSError for anything else, ELOOP for a link, ESTALE for other kinds.

    access: os.O_RDONLY, os.O_WRONLY or os.O_RDWR. The file is never made. Nothing that has the name can make this wait.
    """
    fd = os.open(name, access | CAUTIOUS, dir_fd=directory_fd)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.ESTALE, "it is not a regular file")


def open_regular_below(root: bytes, path: bytes) -> int:
    """Return a descriptor of a regular file by its path below a directory; as `open_regular`, for every component.

    root: named by the user; links in it are the user's. Raises OSError.
    """
    *parents, name = path.split(b"/")
    fd = os.open(root or b"/", os.O_PATH | os.O_DIRECTORY | NAMED)
    try:
        for parent in parents:
            deeper = os.open(parent, os.O_PATH | os.O_DIRECTORY | CAUTIOUS, dir_fd=fd)
            os.close(fd)
            fd = deeper
        return open_regular(name, fd)
    finally:
        os.close(fd)


def open_named(path: Path) -> BinaryIO:
    """Open a file that the user named, for reading; OSError where it is neither regular nor a device of this process.

    A fifo is read only as /dev/fd/N or /dev/stdin, which shells make for `<(command)`: one that somebody put into the
    place of a file would never end.
    """
    fd = os.open(path, os.O_RDONLY | NAMED)
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode) and not os.fsdecode(path).startswith(_OWN_DESCRIPTORS):
            raise OSError(errno.EINVAL, "it is not a regular file")
        os.set_blocking(fd, True)
        return os.fdopen(fd, "rb")
    except BaseException:
        os.close(fd)
        raise


def let_go(fd: int) -> None:
    """Close what was only read, or goes anyway: no error can mean anything, and none may end a run."""
    with suppress(OSError):
        os.close(fd)


def may_others_write(status: os.stat_result) -> bool:
    """Whether users other than root and this one may change names in a directory, given its status.

    The group's bits are also the mask of an ACL.
    """
    return status.st_uid not in (0, os.geteuid()) or bool(status.st_mode & 0o022)
