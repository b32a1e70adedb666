"""Remove a directory tree that is extraneous or in the way."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.mounts import mount_id

if TYPE_CHECKING:
    from mrsync.tree.filter.protection import DirectoryProtection


# Remove an entry, given (descriptor of its directory, name, path below the tree's parent). Return whether a backup of
# it stays in the directory.
RemoveEntry = Callable[[int, bytes, bytes], bool]


class TreeRemover:
    """Remove directory trees bottom-up, except for protected entries and those beyond the limit.

    deletions: the limit and the count. guard: the protect rules inside the directory. remove_entry: replaces unlink for
    entries that are not directories. is_dry_run: only count. spares_mounts: mount points are protected.
    """

    def __init__(
        self,
        deletions: DeletionLimit,
        *,
        guard: DirectoryProtection | None = None,
        remove_entry: RemoveEntry | None = None,
        is_dry_run: bool = False,
        spares_mounts: bool = False,
    ) -> None:
        self.deletions = deletions
        self.guard = guard
        self.remove_entry = remove_entry or _unlink
        self.has_paths = remove_entry is not None or deletions.is_listing
        self.is_dry_run = is_dry_run
        self.spares_mounts = spares_mounts

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

        No soft link and no mount point is crossed; a mount point that is not protected raises EBUSY. OSError is raised
        for the first entry that cannot be removed; those removed before are gone.
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
            if not self._remover.is_dry_run:
                os.rmdir(self._names[number], dir_fd=self._directories.open(self._parents[number]))
                self._directories.settled(number)
            if is_counted:
                self._deletions.note(self._parent, self._path(number), is_directory=True)
        return 0 not in self._staying

    def close(self) -> None:
        """Undo the temporary modes of directories that stay, as far as possible, and close all."""
        self._directories.restore()
        self._directories.close()

    def _empty(self, number: int) -> int:
        """Remove the files of one directory and queue its subdirectories. Return the number of entries plus one."""
        fd = self._directories.open(number)
        if mount_id(fd) != self._mount:
            if not self._remover.spares_mounts:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            self._staying.add(number)
            return 1
        self._directories.loosen(number)
        with os.scandir(fd) as found:
            below = {os.fsencode(item.name): item.is_dir(follow_symlinks=False) for item in found}
        for name in self._safe(number, below):
            del below[name]
            self._staying.add(number)
        prefix = self._path(number)
        for name, is_directory in below.items():
            path = os.path.join(prefix, name)
            if is_directory:
                self._names.append(name)
                self._parents.append(number)
            elif self._deletions.allows():
                if not self._remover.is_dry_run and self._remover.remove_entry(fd, name, path):
                    self._staying.add(number)
                self._deletions.note(self._parent, path, is_directory=False)
            else:
                self._staying.add(number)
        return len(below) + 1

    def _path(self, number: int) -> bytes:
        """Return the path below the tree's parent, or b"" if no path is needed: it is costly in deep trees."""
        parts = []
        while number and self._remover.has_paths:
            parts.append(self._names[number])
            number = self._parents[number]
        return b"/".join(reversed(parts))

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
