"""Removals: remove entries of the destination, or turn them into backups, except for what filter rules protect."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

from mrsync.files import absolute
from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.destination.tree_remover import OnFailure, TreeRemover
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.state_directory import position_in
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy

if TYPE_CHECKING:
    from mrsync.tree.destination.backup import Backups
    from mrsync.tree.destination.kept_links import KeptLinks
    from mrsync.tree.destination.listed_deletions import ListedDeletions
    from mrsync.tree.filter.protection import DirectoryProtection, Protection


class Removals:
    """Everything that a run removes from a destination at this path, by entry of the manifest and name.

    is_dry_run: only count it.
    deletions: counts and limits them.
    protection: the filter rules that protect entries, or None.

    `Destination.bind` sets the parts that most runs do without:

    listed_deletions: deletions that a list names, or None.
    backups: None without --backup.
    kept_links: soft links that are kept in the place of directories, or None.
    """

    def __init__(self, path: bytes, manifest: Manifest, directories: Directories, *, is_dry_run: bool) -> None:
        self.deletions = DeletionLimit(manifest.policy)
        self.protection: Protection | None = None
        self.listed_deletions: ListedDeletions | None = None
        self.backups: Backups | None = None
        self.kept_links: KeptLinks | None = None
        self._path_to_root = path
        self._manifest = manifest
        self._directories = directories
        self._is_dry_run = is_dry_run
        self._records_path = position_in(path)  # names that lead from the root to this host's records of syncs

    def read_rules(self) -> Protection:
        """Read the rules that protect entries from deletion; forget what merge files said before."""
        from mrsync.tree.filter.protection import Protection

        more = self.backups.rules if self.backups is not None else ()
        self.protection = Protection(self._manifest, absolute(self._path_to_root), more)
        return self.protection

    def close(self) -> None:
        """Close the descriptors of the parts."""
        if self.listed_deletions is not None:
            self.listed_deletions.close()
        if self.backups is not None:
            self.backups.close()

    # what may be removed

    @property
    def has_backups_beside(self) -> bool:
        """Whether backups stay beside deleted files, so that their directory cannot be removed."""
        return self.backups is not None and self.backups.are_beside

    def is_protected(self, parent: int, name: bytes, *, is_directory: bool) -> bool:
        """Return whether a filter rule protects an entry. parent: of its directory; is_directory: it is one itself."""
        return self.protection is not None and bool(
            self.protection.of(parent).safe([name], [name] if is_directory else [])
        )

    def holds_records(self, parent: int, name: bytes) -> bool:
        """Return whether this entry is, or contains, the directory of this host's records of syncs."""
        if name not in self._records_path:
            return False
        path = self._path(parent, name).split(b"/")
        return path == self._records_path[: len(path)]

    def can_delete_part(self, parent: int, name: bytes) -> bool:
        """Return whether an entry, or a part of a directory, may be deleted."""
        if self.protection is None:
            return True
        try:
            return self.count_deletions(parent, name) > 0
        except OSError:
            return True  # the deletion itself will report what is wrong

    def count_deletions(self, parent: int, name: bytes) -> int:
        """Return how many entries would be deleted with this one. Raise OSError if that cannot be found out."""
        fd = self._directories.open(parent)
        if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            return 1
        guard, spares_mounts = self._guard(parent, name), self._manifest.policy.spares_mounts
        trial = TreeRemover(DeletionLimit(Policy()), guard=guard, is_dry_run=True, spares_mounts=spares_mounts)
        trial.remove(parent, fd, name)
        return trial.deletions.count

    def can_delete_all(self, parent: int, name: bytes) -> bool:
        """Return whether nothing in a directory is protected."""
        if self.kept_links is not None and self.kept_links.leads_through(parent, name):
            return False
        guard = self._guard(parent, name)
        if guard is None:
            return True
        try:
            fd = self._directories.open(parent)
            trial = TreeRemover(DeletionLimit(Policy()), guard=guard, is_dry_run=True)
            return trial.remove(parent, fd, name, is_obstacle=True)
        except PermissionError:
            return True  # a temporary mode may help

    def can_clear(self, parent: int, name: bytes) -> bool:
        """Return whether a directory that is not empty may be removed to make room for a file."""
        return self._manifest.policy.clears_directories and self.can_delete_all(parent, name)

    # removing it

    def back_up(self, parent: int, name: bytes) -> None:
        """Back up the entry with this name, if backups are wanted. Call this before a rename replaces it."""
        backups = self.backups
        if backups is not None:
            path = self._path(parent, name)
            self._directories.change(parent, lambda fd: backups.link(fd, name, path))

    def remove(self, parent: int, fd: int, name: bytes) -> None:
        """Remove an entry that is not a directory, or turn it into a backup.

        parent, fd: entry and descriptor of its directory. name: its name there.
        """
        self.remove_at(fd, name, self._path(parent, name) if self.backups is not None else b"")

    def remove_at(self, fd: int, name: bytes, path: bytes) -> bool:
        """Remove an entry that is not a directory, or turn it into a backup.

        Return whether that backup stays in the same directory.

        fd: descriptor of its directory. name: in that directory. path: below the root, for rules about backups.
        """
        if self.backups is not None:
            fate = self.backups.move(fd, name, path)
            if fate.is_kept:
                return self.backups.are_beside
        os.unlink(name, dir_fd=fd)
        return False

    def clear(self, parent: int, name: bytes) -> None:
        """Remove an entry that is in the way, if there is one.

        Raise OSError for a directory that is not empty and may not be removed.
        """
        try:
            found = os.stat(name, dir_fd=self._directories.open(parent), follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(found.st_mode):
            self._directories.change(parent, lambda fd: self.remove(parent, fd, name))
            return
        if self.kept_links is not None and self.kept_links.leads_through(parent, name):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        if self.listed_deletions is not None:
            self.listed_deletions.delete_below(self._path(parent, name))
        self._directories.change(parent, lambda fd: self._clear_directory(parent, fd, name))

    def _clear_directory(self, parent: int, fd: int, name: bytes) -> None:
        try:
            os.rmdir(name, dir_fd=fd)
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or not self._manifest.policy.clears_directories:
                raise
        if self.backups is not None and self.backups.move_directory(fd, name):
            return
        if not self.remove_tree(parent, fd, name, is_obstacle=True):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    def remove_tree(
        self,
        parent: int,
        fd: int,
        name: bytes,
        on_activity: Callable[[int], None] = lambda count: None,
        *,
        is_obstacle: bool = False,
        on_failure: OnFailure | None = None,
    ) -> bool:
        """Remove a directory, except for what is protected in it or beyond the limit. Return whether it is gone.

        parent, fd: entry and descriptor of the directory above. name: of the directory there. on_activity: called with
        the number of entries of each directory. is_obstacle: another entry takes its place, so it does not count as
        deleted itself. on_failure: see TreeRemover; without it, raise OSError for the first entry that cannot be
        removed.
        """
        above = self._manifest.path(parent) if self.backups is not None else b""

        def remove_entry(fd: int, name: bytes, path: bytes) -> bool:
            return self.remove_at(fd, name, os.path.join(above, path))

        remover = TreeRemover(
            self.deletions,
            guard=self._guard(parent, name),
            remove_entry=remove_entry if self.backups is not None else None,
            is_dry_run=self._is_dry_run,
            spares_mounts=self._manifest.policy.spares_mounts and not is_obstacle,
            on_failure=on_failure,
        )
        return remover.remove(parent, fd, name, on_activity, is_obstacle=is_obstacle)

    def _path(self, parent: int, name: bytes) -> bytes:
        return os.path.join(self._manifest.path(parent), name)

    def _guard(self, parent: int, name: bytes) -> DirectoryProtection | None:
        return self.protection.of(parent).within(name) if self.protection is not None else None
