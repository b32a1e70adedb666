"""Open directories of a tree, by entry index; the only way this package walks down a tree."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from mrsync.files import CAUTIOUS, may_others_write
from mrsync.tree.fs.descriptors import cache_limit
from mrsync.tree.fs.fdcache import FdCache
from mrsync.tree.fs.handles import Handle, Opened, entry_in, pinned
from mrsync.tree.fs.temporary_names import scratch_name
from mrsync.tuples import NamedTuple

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | CAUTIOUS
DIRECTORIES_OPEN_MAX = 128
TEMP_DIR = -1  # the number of the directory of --temp-dir, which is not in the tree
DEEP = 64  # levels; to walk down further from the root each time would take long
LINKS_MAX = 40  # on the way to a directory, as the kernel's
Identity = tuple[int, int]  # device, inode
T = TypeVar("T")


class Directories:
    """Descriptors of a tree's directories, opened component by component and never through a link.

    names, parents: columns of the tree, which may grow. Entry 0 is the root, already open as root_fd.
    followed: entries that are links to directories and are followed.
    followed_beneath: those that are followed below the root only, and may be added.
    temp_dir_fd: the directory of --temp-dir, which has the number TEMP_DIR; -1 if there is none.
    is_loosening: give directories of ours that deny us reading, writing or searching a temporary mode, until `restore`.
    touched: entries of directories in which names changed.

    A descriptor is valid until the next call of `open` or `pair`. Where other users may rename directories or change
    links, a directory that is opened again must have the inode that it had the first time. inodes: those of earlier
    times, by entry, which are amended.
    """

    def __init__(
        self,
        root_fd: int,
        names: Sequence[bytes],
        parents: Sequence[int],
        *,
        is_loosening: bool = False,
        followed: Container[int] = (),
        inodes: dict[int, int] | None = None,
    ) -> None:
        self._root_fd = root_fd
        self._names = names
        self._parents = parents
        self._is_loosening = is_loosening
        self._followed = followed
        self.followed_beneath: set[int] = set()
        self.touched: set[int] = set()
        self.temp_dir_fd = -1
        self._fds = FdCache(cache_limit(DIRECTORIES_OPEN_MAX))
        self._inodes = {} if inodes is None else inodes  # for directories below one that other users may write to
        self._deep: dict[int, int] = {}  # the identities of deep directories, as one number each
        self._pinned = 0
        self._original_modes: dict[int, int] = {}

    def open(self, entry: int) -> int:
        """Return the descriptor of a directory. Raise OSError (ENOENT, ENOTDIR, EACCES, ...) if there is none."""
        if entry == 0:
            return self._root_fd
        found = self._fds.get(entry)
        if found is not None:
            return found
        if entry == TEMP_DIR:
            return self.temp_dir_fd
        if entry in self._deep and (found := self._open_above(entry)) is not None:
            self._fds.put(entry, found, (self._pinned,))
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
            if below not in self._deep and self._is_deep(below):
                self._deep[below] = _number_of(fd)
        return fd

    def _is_deep(self, entry: int) -> bool:
        for _ in range(DEEP):
            if not entry:
                return False
            if entry in self._deep:
                return True
            entry = self._parents[entry]
        return True

    def _open_above(self, entry: int) -> int | None:
        """Return a descriptor of a deep directory by way of an open one in it, or None if it is not above that now.

        Work from the deepest directory upwards would otherwise walk down to each one. With Landlock even one
        step takes time that grows with the depth.
        """
        for below in self._fds:
            if below <= 0 or self._parents[below] != entry:
                continue
            with suppress(OSError):
                fd = os.open(b"..", OPEN_DIRECTORY, dir_fd=self._fds.get(below))
                if _number_of(fd) == self._deep[entry]:
                    return fd
                os.close(fd)
            return None
        return None

    def way(self, entry: int) -> list[bytes]:
        """Return the names that lead from the root to an entry."""
        names: list[bytes] = []
        while entry:
            names.append(self._names[entry])
            entry = self._parents[entry]
        return names[::-1]

    def status(self, entry: int) -> os.stat_result:
        """Return the status of an entry of any kind. Raise OSError."""
        if entry in self.followed_beneath or not entry:
            return os.fstat(self.open(entry))
        return os.stat(self._names[entry], dir_fd=self.open(self._parents[entry]), follow_symlinks=False)

    def handle(self, entry: int) -> Handle:
        """Return a handle of an entry of any kind, valid as long as a descriptor. Raise OSError."""
        if entry in self.followed_beneath:
            return Opened(self.open(entry))
        return entry_in(self.open(self._parents[entry]), self._names[entry])

    def open_made(self, entry: int) -> int:
        """Return the descriptor of a directory that was just made. Raise OSError if another one is in its place."""
        fd = self.open(entry)
        check_made(fd)
        return fd

    def pair(self, first: int, second: int) -> tuple[int, int]:
        """Return two descriptors that are valid at the same time."""
        self._pinned = first
        return self.open(first), self.open(second)

    def change(self, entry: int, operation: Callable[[int], T]) -> T:
        """Return operation(descriptor of a directory), which changes names in it; retry with a temporary mode."""
        fd = self.open(entry)
        self.touched.add(entry)
        try:
            return operation(fd)
        except PermissionError:
            if not self.loosen(entry):
                raise
        return operation(self.open(entry))

    @contextmanager
    def scratch(self, entry: int) -> Iterator[int]:
        """Yield the descriptor of a new, empty directory in another one, for trying out names. Leave it empty."""
        name = scratch_name(os.urandom(8).hex().encode())
        self.change(entry, lambda fd: os.mkdir(name, 0o700, dir_fd=fd))
        try:
            fd = os.open(name, OPEN_DIRECTORY, dir_fd=self.open(entry))
            try:
                yield fd
            finally:
                os.close(fd)
        finally:
            self.change(entry, lambda fd: os.rmdir(name, dir_fd=fd))

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
                    fd = _open_followed(self._names[entry], parent_fd)
                    self._check_inode(entry, fd)
                    return fd
                if entry in self.followed_beneath:
                    return self._open_beneath(entry)
                fd = os.open(self._names[entry], OPEN_DIRECTORY, dir_fd=parent_fd)
                break
            except PermissionError:
                if not self._is_loosening or not self._loosen_closed(entry, parent_fd):
                    raise
        if may_others_write(os.fstat(parent_fd)):
            self._check_inode(entry, fd)
        return fd

    def _open_beneath(self, entry: int) -> int:
        fd = follow_beneath(self._root_fd, self.way(entry)).fd
        self._check_inode(entry, fd)
        return fd

    def _check_inode(self, entry: int, fd: int) -> None:
        """Raise OSError, and close the directory, unless it is the one that was opened the first time."""
        inode = os.fstat(fd).st_ino
        if self._inodes.setdefault(entry, inode) != inode:
            os.close(fd)
            raise OSError(errno.ESTALE, "another directory took its place")

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


def _number_of(fd: int) -> int:
    status = os.fstat(fd)
    return status.st_dev << 64 | status.st_ino


def check_made(fd: int) -> None:
    """Raise OSError unless an open directory is empty: a full one is not the one that was made here."""
    if os.listdir(fd):
        raise OSError(errno.ESTALE, "another directory took its place")


class Followed(NamedTuple):
    """A directory that was reached through links.

    fd: owned by the caller. path: its names below the root, without links. passed: the links and directories on the
    way, except for the root.
    """

    fd: int
    path: tuple[bytes, ...]
    passed: frozenset[Identity]


def follow_beneath(root_fd: int, names: Sequence[bytes]) -> Followed:
    """Open the directory at a path below an open one, and follow links on the way if they do not lead out of it.

    Raise OSError: EXDEV for a link that leads out, even if it would come back; ELOOP for too many of them.
    """
    waiting = list(reversed(names))
    path: list[bytes] = []
    passed: list[Identity] = []
    fds = [os.dup(root_fd)]
    links = 0
    try:
        while waiting:
            name = waiting.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                if not path:
                    raise OSError(errno.EXDEV, "the link points outside the destination")
                path.pop()
                os.close(fds.pop())
                continue
            target = _link_target(fds[-1], name, passed)
            if target is None:
                fds.append(os.open(name, OPEN_DIRECTORY, dir_fd=fds[-1]))
                path.append(name)
                continue
            links += 1
            if target.startswith(b"/"):
                raise OSError(errno.EXDEV, "the link points outside the destination")
            if links > LINKS_MAX:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            waiting += reversed(target.split(b"/"))
        return Followed(os.dup(fds[-1]), tuple(path), frozenset(passed))
    finally:
        for fd in fds:
            os.close(fd)


def _link_target(directory_fd: int, name: bytes, passed: list[Identity]) -> bytes | None:
    """Return what a link leads to, None for another kind of entry. Note its identity in `passed`. Raise OSError."""
    status = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
    passed.append((status.st_dev, status.st_ino))
    try:
        return os.readlink(name, dir_fd=directory_fd)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return None
