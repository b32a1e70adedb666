"""Remember the inode of each staged file, so that a file put in its place by another user is detected."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from array import array
from collections.abc import Sequence
from contextlib import suppress

from mrsync.tree.model.status_table import CTIMES, INODES, Statuses, StatusRows

FS_IOC_GETVERSION = 0x80087601  # of ioctl: an inode's generation; the standard library has no name for it
MTIME_GRAIN_NS = 2_000_000_000  # resolution of FAT, the coarsest of all file systems


class Identities:
    """Device, inode and ctime of staged files, taken when we last had them open.

    An inode number alone proves little: after a file is removed, a new one may get its number. Ctime and generation
    tell them apart.
    """

    def __init__(self, count: int) -> None:
        self._inodes = array("Q", bytes(8 * count))
        self._ctimes = array("q", bytes(8 * count))
        self._device = -1  # that of the first file, nearly always the only one
        self._other_devices: dict[int, int] = {}
        self._generations: dict[int, int] = {}  # by incomplete file that was closed

    def clear(self) -> None:
        """Forget all files."""
        del self._inodes[:], self._ctimes[:]

    def note(self, files: Sequence[int], statuses: Statuses) -> None:
        """Remember the statuses of open staged files of one directory, taken after the last change to them."""
        device = statuses.device(0)
        if self._device < 0:
            self._device = device
        if device != self._device:
            self._other_devices.update(dict.fromkeys(files, device))
        for file, inode, ctime in zip(files, statuses.column(INODES), statuses.times(CTIMES)):
            self._inodes[file] = inode
            self._ctimes[file] = ctime

    def note_partial(self, file: int, fd: int) -> None:
        """Remember an incomplete file that is about to be closed and will be reopened later."""
        self.note([file], StatusRows([os.fstat(fd)]))
        self._generations[file] = inode_generation(fd)

    def check_partial(self, file: int, fd: int, *, is_shared: bool) -> None:
        """Raise OSError unless fd is the file that was closed. is_shared: other users may write to its directory."""
        status = os.fstat(fd)
        is_same = self._is_inode(file, status) and self._generations.get(file) == inode_generation(fd)
        if not is_same or (is_shared and status.st_ctime_ns != self._ctimes[file]):
            raise replaced_error()

    def is_whole(self, file: int, status: os.stat_result, size: int, mtime_ns: int, *, is_shared: bool) -> bool:
        """Return whether the file with this status is the complete staged file, unchanged.

        size (bytes) and mtime_ns are those that it was given. Some network file systems change the ctime on their own
        after a file was closed, so size and mtime suffice unless is_shared: other users may write to its directory.
        """
        if not self._is_inode(file, status):
            return False
        is_dated = status.st_size == size and abs(status.st_mtime_ns - mtime_ns) < MTIME_GRAIN_NS
        return status.st_ctime_ns == self._ctimes[file] or (is_dated and not is_shared)

    def is_placed(self, file: int, status: os.stat_result) -> bool:
        """Return whether this is the staged file after its rename. A rename may change the ctime, so it is ignored."""
        return self._is_inode(file, status)

    def _is_inode(self, file: int, status: os.stat_result) -> bool:
        device = self._other_devices.get(file, self._device)
        is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        return is_plain and (status.st_dev, status.st_ino) == (device, self._inodes[file])


def inode_generation(fd: int) -> int:
    """Return the inode's generation, which differs from that of an earlier inode with the same number.

    It is 0 where the file system does not provide it.
    """
    with suppress(OSError):
        return int(struct.unpack("i", fcntl.ioctl(fd, FS_IOC_GETVERSION, bytes(8))[:4])[0])
    return 0


def incarnation(fd: int) -> int:
    """Return device (upper 32 bits) and generation (lower 32 bits) of an open file's inode as one number."""
    return (os.fstat(fd).st_dev & 0xFFFFFFFF) << 32 | inode_generation(fd) & 0xFFFFFFFF


def replaced_error() -> OSError:
    """Return the error for a name that no longer leads to the file that this session put there."""
    return OSError(errno.ESTALE, "something else took its place")
