"""Open directories of a tree, by entry index; the only way this package walks down a tree."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Container, Sequence

from mrsync.files import CAUTIOUS, may_others_write
from mrsync.tree.fs.descriptors import cache_limit
from mrsync.tree.fs.fdcache import FdCache
from mrsync.tree.fs.handles import pinned

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | CAUTIOUS
DIRECTORIES_OPEN_MAX = 128


class Directories:
    """Descriptors of a tree's directories, opened component by component and never through a link.

    names, parents: columns of the tree, which may grow. Entry 0 is the root, already open as root_fd. followed: entries
    that are links to directories and are followed. is_loosening: give directories of ours that deny us reading, writing
    or searching a temporary mode, until `restore`.

    A descriptor is valid until the next call of `open` or `pair`. Where other users may rename directories, a directory
    that is opened again must have the inode that it had the first time.
    """

    def __init__(
        self,
        root_fd: int,
        names: Sequence[bytes],
        parents: Sequence[int],
        *,
        is_loosening: bool = False,
        followed: Container[int] = (),
    ) -> None:
        self._root_fd = root_fd
        self._names = names
        self._parents = parents
        self._is_loosening = is_loosening
        self._followed = followed
        self._fds = FdCache(cache_limit(DIRECTORIES_OPEN_MAX))
        self._inodes: dict[int, int] = {}  # by entry, for directories below one that other users may write to
        self._pinned = 0
        self._original_modes: dict[int, int] = {}

    def open(self, entry: int) -> int:
        """Return the descriptor of a directory. Raise OSError (ENOENT, ENOTDIR, EACCES, ...) if there is none."""
        if entry == 0:
            return self._root_fd
        found = self._fds.get(entry)
        if found is not None:
            return found
        missing = [entry]
        above = self._parents[entry]
        while above and above not in self._fds:
            missing.append(above)
            above = self._parents[above]
        fd = self._fds.get(above) if above else self._root_fd
        assert fd is not None  # the loop ended at an open directory or at the root
        while missing:
            below = missing.pop()
            fd = self._open_below(below, fd)
            self._fds.put(below, fd, (self._pinned,))
        return fd

    def open_made(self, entry: int) -> int:
        """Return the descriptor of a directory that was just made. Raise OSError if another one is in its place."""
        fd = self.open(entry)
        check_made(fd)
        return fd

    def pair(self, first: int, second: int) -> tuple[int, int]:
        """Return two descriptors that are valid at the same time."""
        self._pinned = first
        return self.open(first), self.open(second)

    def loosen(self, entry: int) -> bool:
        """Give a directory of ours a temporary mode that allows us to write. Return False if that does not help."""
        fd = self.open(entry)
        status = os.fstat(fd)
        if not self._is_loosening or status.st_uid != os.geteuid() or status.st_mode & 0o700 == 0o700:
            return False
        self._original_modes.setdefault(entry, status.st_mode & 0o7777)
        os.fchmod(fd, status.st_mode & 0o7777 | 0o700)
        return True

    def original_mode(self, entry: int) -> int | None:
        """Return the mode replaced by a temporary one, if any."""
        return self._original_modes.get(entry)

    def settled(self, entry: int) -> None:
        """Note that the directory has its final mode, so that none is restored."""
        self._original_modes.pop(entry, None)

    def restore(self) -> list[tuple[int, int]]:
        """Restore the modes of all directories with a temporary one. Return (entry, errno) of each failure.

        Children come first, because the mode of a parent may deny access to them. Opening a child may loosen a parent
        again, hence the outer loop.
        """
        failures = []
        while self._original_modes:
            for entry in sorted(self._original_modes, reverse=True):
                try:
                    os.fchmod(self.open(entry), self._original_modes[entry])
                except OSError as error:
                    failures.append((entry, error.errno or 0))
                self.settled(entry)
        return failures

    def close(self) -> None:
        """Close all descriptors except the root's, which belongs to the caller."""
        self._fds.close_all()

    def _open_below(self, entry: int, parent_fd: int) -> int:
        while True:
            try:
                if entry in self._followed:
                    return _open_followed(self._names[entry], parent_fd)
                fd = os.open(self._names[entry], OPEN_DIRECTORY, dir_fd=parent_fd)
                break
            except PermissionError:
                if not self._is_loosening or not self._loosen_closed(entry, parent_fd):
                    raise
        if may_others_write(os.fstat(parent_fd)):
            inode = os.fstat(fd).st_ino
            if self._inodes.setdefault(entry, inode) != inode:
                os.close(fd)
                raise OSError(errno.ESTALE, "another directory took its place")
        return fd

    def _loosen_closed(self, entry: int, parent_fd: int) -> bool:
        """Loosen a directory that cannot be opened for reading, or its parent that may not be searched."""
        parent = self._parents[entry]
        if not os.access(b".", os.X_OK, dir_fd=parent_fd, effective_ids=True):
            return self.loosen(parent)
        with pinned(parent_fd, self._names[entry]) as handle:
            status = handle.status()
            is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
            if not is_ours or status.st_mode & 0o700 == 0o700:
                return False
            self._original_modes.setdefault(entry, status.st_mode & 0o7777)
            handle.chmod(status.st_mode & 0o7777 | 0o700)
            return True


def _open_followed(name: bytes, parent_fd: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent_fd)


def check_made(fd: int) -> None:
    """Raise OSError unless an open directory is empty. One that is not was put there by somebody else."""
    if os.listdir(fd):
        raise OSError(errno.ESTALE, "another directory took its place")
