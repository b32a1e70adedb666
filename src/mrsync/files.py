"""Open files safely where others may have put something else in their place: a link, a FIFO, a device, another file.

The checks are made on the descriptor after opening, never on the path before it, because a path can change in between.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Union

_Path = Union[str, bytes, os.PathLike[str]]  # not in quotes, which would be compiled: 1.6 ms

# Do not follow a link at the end of the path, do not block on a FIFO or lease, do not acquire a terminal.
CAUTIOUS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# For paths from the user, which may contain links.
NAMED = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
LIST_BYTES_MAX = 64 << 20  # of targets, rules or patterns
ENTRIES_BYTES_MAX = 1 << 30  # of lists with a line for each entry of a tree
LINE_BYTES_MAX = 4 << 20  # of one of them
LINES_HELD_MAX = 1 << 24  # where all lines are held in memory: this many take about a gigabyte
_OWN_DESCRIPTORS = ("/dev/", "/proc/")


def open_regular(name: _Path, directory_fd: int | None = None, access: int = os.O_RDONLY) -> int:
    """Return a descriptor of an existing regular file. Never block, whatever has the name.

    directory_fd: what a relative name is relative to; None: the working directory. access: os.O_RDONLY, os.O_WRONLY or
    os.O_RDWR. Raise OSError: ELOOP for a link, ESTALE for other kinds of files.
    """
    return open_known(name, directory_fd, access)[0]


def open_known(name: _Path, directory_fd: int | None = None, access: int = os.O_RDONLY) -> tuple[int, os.stat_result]:
    """Do what open_regular does, and return the status of the open file as well."""
    return known_regular(os.open(name, access | CAUTIOUS, dir_fd=directory_fd))


def known_regular(fd: int) -> tuple[int, os.stat_result]:
    """Return an open file with its status. Close it and raise OSError if it is not a regular file."""
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode):
        return fd, status
    os.close(fd)
    raise OSError(errno.ESTALE, "it is not a regular file")


def open_regular_below(root: bytes, path: bytes) -> int:
    """Return a descriptor of a regular file below a directory. Do not follow links in any component of `path`.

    root: a path from the user, which may contain links. Raise OSError as open_regular does.
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


def open_named(path: _Path) -> BinaryIO:
    """Open a file that the user named, for reading. Raise OSError if it is not a regular file.

    A FIFO is accepted only as /dev/fd/N or /dev/stdin, which shells use for `<(command)`. Any other FIFO may have been
    put in place of a file, and reading it would never end.
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


def read_bounded(file: BinaryIO, limit: int = LIST_BYTES_MAX) -> bytes:
    """Return the rest of a file that the user named. Raise OSError if it has more bytes than the limit, or no end."""
    data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit >> 20} MiB")
    return data


def read_lines_bounded(file: BinaryIO, limit: int = ENTRIES_BYTES_MAX) -> Iterator[bytes]:
    """Yield the lines of a file that the user named. Raise OSError if one or all of them have too many bytes."""
    left = limit
    while line := file.readline(LINE_BYTES_MAX + 1):
        left -= len(line)
        if len(line) > LINE_BYTES_MAX:
            raise OSError(errno.EFBIG, f"a line has more than {LINE_BYTES_MAX >> 20} MiB")
        if left < 0:
            raise OSError(errno.EFBIG, f"it has more than {limit >> 20} MiB")
        yield line


def absolute(path: bytes) -> bytes:
    """Return a path from / on that has no `.` and `..` and leads where the kernel goes.

    Behind a soft link, `..` is the directory above the link's goal. Raise FileNotFoundError if the path is relative and
    the working directory no longer exists.
    """
    whole = path if path.startswith(b"/") else os.path.join(os.getcwdb(), path)
    above, mark, rest = (whole + b"/").rpartition(b"/../")
    return os.path.normpath(os.path.join(os.path.realpath(above + b"/.."), rest.lstrip(b"/")) if mark else whole)


def close_quietly(fd: int) -> None:
    """Close a descriptor and ignore errors, which have no meaning after reading or when the file is dropped."""
    with suppress(OSError):
        os.close(fd)


def may_others_write(status: os.stat_result) -> bool:
    """Return whether users other than root and this one may change names in a directory.

    status: of the directory. Its group bits also cover ACLs, because they are the mask.
    """
    return status.st_uid not in (0, os.geteuid()) or bool(status.st_mode & 0o022)
