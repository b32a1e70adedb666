"""Remove a directory tree that is extraneous or in the way."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.mounts import mount_id

if TYPE_CHECKING:
    from mrsync.tree.filter.protection import DirectoryProtection


# Remove an entry, given (descriptor of its directory, name, path below the tree's parent). Return whether a backup of
# it stays in the directory.
RemoveEntry = Callable[[int, bytes, bytes], bool]
# Take an error, and the path below the tree's parent of what could not be removed.
OnFailure = Callable[[OSError, bytes], None]
T = TypeVar("T")


class TreeRemover:
    """Remove directory trees bottom-up, except for protected entries and those beyond the limit.

    deletions: the limit and the count. guard: the protect rules inside the directory. remove_entry: replaces unlink for
    entries that are not directories. is_dry_run: only count. spares_mounts: mount points are protected. on_failure:
    called for each entry inside of a tree that cannot be removed; the rest is removed all the same. Without it, the
    first error is raised.
    """

    def __init__(
        self,
        deletions: DeletionLimit,
        *,
        guard: DirectoryProtection | None = None,
        remove_entry: RemoveEntry | None = None,
        is_dry_run: bool = False,
        spares_mounts: bool = False,
        on_failure: OnFailure | None = None,
    ) -> None:
        self.deletions = deletions
        self.guard = guard
        self.remove_entry = remove_entry or _unlink
        self.has_paths = remove_entry is not None or deletions.is_listing
        self.is_dry_run = is_dry_run
        self.spares_mounts = spares_mounts
        self.on_failure = on_failure

    def remove(
        self,
        parent: int,
        parent_fd: int,
        name: bytes,
        on_activity: Callable[[int], None] = lambda count: None,
        *,
        is_obstacle: bool = False,
    ) -> bool:
        """Remove a directory. Return whether it is gone.

        parent, parent_fd: entry and descriptor of the directory above. name: of the directory there. on_activity:
        called with the number of entries of each directory, and with 1 for each directory that is to go. is_obstacle:
        another entry takes the place of the directory, which therefore does not count as deleted itself.

        No soft link and no mount point is crossed; a mount point that is not protected is EBUSY. What somebody else has
        removed meanwhile is no error. Raise OSError if the directory itself cannot be removed.
        """
        removal = _Removal(self, parent, parent_fd, name)
        try:
            return removal.run(on_activity, is_obstacle)
        finally:
            removal.close()


class _Removal:
    """A removal in progress. Its directories are numbered from 1; `_staying` holds those that cannot be empty."""

    def __init__(self, remover: TreeRemover, parent: int, parent_fd: int, name: bytes) -> None:
        self._remover = remover
        self._deletions = remover.deletions
        self._parent = parent
        self._names = [b"", name]
        self._parents = [0, 0]
        self._guards = {0: remover.guard, 1: remover.guard}
        self._done = 0
        self._staying: set[int] = set()
        self._mount = mount_id(parent_fd)
        self._directories = Directories(parent_fd, self._names, self._parents, is_loosening=not remover.is_dry_run)

    def run(self, on_activity: Callable[[int], None], is_obstacle: bool) -> bool:
        number = 1
        while number < len(self._names):
            if number > 1:
                self._guard_below(number)
            on_activity(self._empty(number))
            number += 1
        for number in range(len(self._names) - 1, 0, -1):
            on_activity(1)
            is_counted = number > 1 or not is_obstacle
            if number in self._staying or (is_counted and not self._deletions.allows()):
                self._staying.add(self._parents[number])
                continue
            is_gone = self._attempt(self._parents[number], number, partial(self._rmdir, number))
            if is_gone and is_counted:
                self._deletions.note(self._parent, self._path(number), is_directory=True)
        return 0 not in self._staying

    def close(self) -> None:
        """Undo the temporary modes of directories that stay, as far as possible, and close all."""
        self._directories.restore()
        self._directories.close()

    def _attempt(self, holder: int, number: int, operation: Callable[[], T], name: bytes = b"") -> T | None:
        """Return the result of an operation, or None if it failed or what it is about is gone.

        holder: the directory that cannot be empty after a failure. number, name: the directory or, with a name, the
        entry in it that the operation is about. The error is raised if it is about the tree itself: the caller may be
        able to give the directory above a temporary mode.
        """
        try:
            return operation()
        except FileNotFoundError:
            return None
        except OSError as error:
            if self._remover.on_failure is None or (number == 1 and not name):
                raise
            self._staying.add(holder)
            self._remover.on_failure(error, os.path.join(self._way(number), name) if name else self._way(number))
            return None

    def _rmdir(self, number: int) -> bool:
        if not self._remover.is_dry_run:
            os.rmdir(self._names[number], dir_fd=self._directories.open(self._parents[number]))
            self._directories.settled(number)
        return True

    def _empty(self, number: int) -> int:
        """Remove the files of one directory and queue its subdirectories. Return the number of entries plus one."""
        below = self._attempt(number, number, partial(self._list, number)) or {}
        prefix, fd = self._path(number), self._directories.open(number) if below else -1
        for name, is_directory in below.items():
            if is_directory:
                self._names.append(name)
                self._parents.append(number)
            elif self._deletions.allows():
                self._remove_file(number, fd, name, os.path.join(prefix, name))
            else:
                self._staying.add(number)
        return len(below) + 1

    def _list(self, number: int) -> dict[bytes, bool]:
        """Return the names in a directory that are to go, and whether each is a directory. Raise OSError."""
        fd = self._directories.open(number)
        if mount_id(fd) != self._mount:
            if not self._remover.spares_mounts:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            self._staying.add(number)
            return {}
        self._directories.loosen(number)
        with os.scandir(fd) as found:
            below = {os.fsencode(item.name): item.is_dir(follow_symlinks=False) for item in found}
        for name in self._safe(number, below):
            del below[name]
            self._staying.add(number)
        return below

    def _remove_file(self, number: int, fd: int, name: bytes, path: bytes) -> None:
        """Remove an entry that is not a directory. fd, name: of its directory, and in it. path: as for RemoveEntry."""
        if not self._remover.is_dry_run:
            remove = partial(self._remover.remove_entry, fd, name, path)
            is_backup_beside = self._attempt(number, number, remove, name)
            if is_backup_beside is None:
                return
            if is_backup_beside:
                self._staying.add(number)
        self._deletions.note(self._parent, path, is_directory=False)

    def _path(self, number: int) -> bytes:
        """Return the path below the tree's parent, or b"" if no path is needed: it is costly in deep trees."""
        return self._way(number) if self._remover.has_paths else b""

    def _way(self, number: int) -> bytes:
        """Return the path below the tree's parent."""
        return b"/".join(self._directories.way(number))

    def _guard_below(self, number: int) -> None:
        """Make the guard of a directory, and drop guards whose children all have theirs."""
        parent = self._parents[number]
        while self._done < parent:
            self._guards.pop(self._done, None)
            self._done += 1
        above = self._guards[parent]
        self._guards[number] = above.within(self._names[number]) if above is not None else None

    def _safe(self, number: int, below: dict[bytes, bool]) -> set[bytes]:
        """Return the protected names in a directory. below: name -> whether it is a directory."""
        guard = self._guards[number]
        if guard is None:
            return set()
        return guard.safe(list(below), [name for name, is_directory in below.items() if is_directory], is_going=True)


def _unlink(fd: int, name: bytes, path: bytes) -> bool:
    os.unlink(name, dir_fd=fd)
    return False


def check_name(fd: int, name: bytes, *, is_directory: bool = False) -> None:
    """Raise OSError if the kernel would refuse to remove or replace a name in the directory `fd`.

    Nothing is removed: unlink() is tried for directories and rmdir() for everything else. The kernel checks permissions
    and flags before it notices the wrong kind.
    """
    try:
        if is_directory:
            os.unlink(name, dir_fd=fd)
        else:
            os.rmdir(name, dir_fd=fd)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return
    except PermissionError as error:
        if error.errno == errno.EPERM:  # EACCES only means a missing permission, which a temporary mode can give
            raise


def check_tree(parent_fd: int, name: bytes) -> bool:
    """Raise OSError if any entry below a directory is known to be undeletable. Return whether there is no entry."""
    names, parents = [b"", name], [0, 0]
    directories = Directories(parent_fd, names, parents)
    mount = mount_id(parent_fd)
    is_empty = True
    try:
        number = 0
        while (number := number + 1) < len(names):
            try:
                fd = directories.open(number)
            except PermissionError:
                continue  # a temporary mode may help
            if mount_id(fd) != mount:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            with os.scandir(fd) as found:
                for item in found:
                    is_empty, below = False, os.fsencode(item.name)
                    is_directory = item.is_dir(follow_symlinks=False)
                    check_name(fd, below, is_directory=is_directory)
                    if is_directory:
                        names.append(below)
                        parents.append(number)
    finally:
        directories.close()
    return is_empty
