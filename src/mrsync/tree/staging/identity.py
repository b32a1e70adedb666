"""Which inode each staged file is, so that nobody can put something else in its place."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from array import array
from contextlib import suppress

FS_IOC_GETVERSION = 0x80087601  # of ioctl: an inode's generation; the standard library has no name for it
MTIME_GRAIN_NS = 2_000_000_000  # FAT's, the coarsest


class Identities:
    """Device, inode and time of change of staged files, as of the moment when we last held them open.

    An inode number alone proves little: once a file is removed, the next one that is made may get its number.
    """

    def __init__(self, count: int) -> None:
        self._inodes = array("Q", bytes(8 * count))
        self._ctimes = array("q", bytes(8 * count))
        self._device = -1  # of the first file; nearly always of all
        self._other_devices: dict[int, int] = {}
        self._generations: dict[int, int] = {}  # of files that are not complete and were closed

    def note(self, file: int, status: os.stat_result) -> None:
        """This is a staged file, open, after the last change to it."""
        if self._device < 0:
            self._device = status.st_dev
        if status.st_dev != self._device:
            self._other_devices[file] = status.st_dev
        self._inodes[file] = status.st_ino
        self._ctimes[file] = status.st_ctime_ns

    def note_partial(self, file: int, fd: int) -> None:
        """The same of a file that is closed now, and opened again for its rest."""
        self.note(file, os.fstat(fd))
        self._generations[file] = generation_of(fd)

    def check_partial(self, file: int, fd: int, *, is_shared: bool) -> None:
        """OSError unless this is the file that was closed; is_shared: others may write to its directory."""
        status = os.fstat(fd)
        is_same = self._is_inode(file, status) and self._generations.get(file) == generation_of(fd)
        if not is_same or (is_shared and status.st_ctime_ns != self._ctimes[file]):
            raise taken()

    def is_whole(self, file: int, status: os.stat_result, size: int, mtime_ns: int, *, is_shared: bool) -> bool:
        """Whether what has the name of a complete file, with this size and time, is that file, untouched.

        Some network file systems change the time of change on their own, after a file is closed. Where nobody else may
        write to the directory, size and time will do.
        """
        if not self._is_inode(file, status):
            return False
        is_dated = status.st_size == size and abs(status.st_mtime_ns - mtime_ns) < MTIME_GRAIN_NS
        return status.st_ctime_ns == self._ctimes[file] or (is_dated and not is_shared)

    def is_placed(self, file: int, status: os.stat_result) -> bool:
        """Whether this is a staged file after a rename, which may change its time of change."""
        return self._is_inode(file, status)

    def _is_inode(self, file: int, status: os.stat_result) -> bool:
        device = self._other_devices.get(file, self._device)
        is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        return is_plain and (status.st_dev, status.st_ino) == (device, self._inodes[file])


def generation_of(fd: int) -> int:
    """What tells an inode from an earlier one of the same number; 0 where the file system does not say."""
    with suppress(OSError):
        return int(struct.unpack("i", fcntl.ioctl(fd, FS_IOC_GETVERSION, bytes(8))[:4])[0])
    return 0


def incarnation(fd: int) -> int:
    """Device and generation of an open file's inode, 32 bits each, in one number."""
    return (os.fstat(fd).st_dev & 0xFFFFFFFF) << 32 | generation_of(fd) & 0xFFFFFFFF


def taken() -> OSError:
    """For something that is not what this session put there."""
    return OSError(errno.ESTALE, "something else took its place")
