"""The destination tree on a target: open, create and change its directories.

Invariants, which every other module of a target relies on:

- Everything is reached from the root's descriptor, component by component, with O_NOFOLLOW. A soft link inside the
  tree, even one that appears while we run, never leads out of it. So no module opens a path; it asks for a descriptor
  by the entry's number.
- Each change of names in a directory goes through `Directories.change` (or notes the directory in `touched` itself),
  because the change alters the directory's mtime, which `finish` has to set again.
- Where permissions are missing, a directory of ours gets a temporary mode. The original mode is remembered until it is
  restored or replaced, and `close` restores what remains, so an aborted run leaves no wrong mode behind.
- A dry run changes nothing, not even a mode.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mrsync.errors import FileError
from mrsync.files import let_go
from mrsync.tree.destination.deletions import Deletions
from mrsync.tree.destination.metadata import Metadata
from mrsync.tree.destination.placement import Placement
from mrsync.tree.destination.refusals import Refusals
from mrsync.tree.destination.removal import Remover
from mrsync.tree.destination.root import open_root
from mrsync.tree.destination.timestamps import Timestamps
from mrsync.tree.destination.xattr_sync import XattrSync
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.owners import Ownership
from mrsync.tree.fs.state_directory import position_in
from mrsync.tree.model.failure import printable
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy

if TYPE_CHECKING:
    from mrsync.tree.destination.alternates import Alternates
    from mrsync.tree.destination.backup import Backups
    from mrsync.tree.destination.kept_links import KeptLinks
    from mrsync.tree.destination.listed_deletions import ListedDeletions
    from mrsync.tree.filter.protection import DirectoryProtection, Protection

T = TypeVar("T")


class Destination:
    """The root of a target's tree. After `bind`, its directories are addressed by their entry of the manifest.

    The constructor raises FileError if the root cannot be opened, created or written to. Its parent must exist unless
    makes_parents is set. is_only_read: it exists, and need not be writable.

    made: directory entries created by this run. is_new: the root
    itself was created. metadata: sets attributes. refusals: collects those that were refused. timestamps: finds out how
    exactly times are kept. xattrs: extended attributes, or None if the policy preserves none. protection: the filter
    rules that protect entries, or None. listed_deletions: deletions named by a list, or None. backups: None without
    --backup; host and suffix are passed to it. alternates: other directories that may have what is missing, or None.
    kept_links: soft links kept for directories, or None.
    """

    def __init__(
        self,
        path: bytes,
        *,
        is_dry_run: bool = False,
        host: str = "",
        suffix: str | None = None,
        makes_parents: bool = False,
        is_only_read: bool = False,
    ) -> None:
        self.path = path
        self.is_dry_run = is_dry_run
        self.ownership = Ownership()
        self.made: set[int] = set()
        self.listed_deletions: ListedDeletions | None = None
        self.root_fd, self.is_new = open_root(path, makes_parents=makes_parents, is_only_read=is_only_read)
        self._way_to_records = position_in(path)
        self.xattrs: XattrSync | None = None
        self.protection: Protection | None = None
        self.backups: Backups | None = None
        self.alternates: Alternates | None = None
        self.kept_links: KeptLinks | None = None
        self._host = host
        self._suffix = suffix
        if self.is_new:
            self.made.add(0)
        self._manifest = Manifest()
        self.refusals = Refusals(self._manifest)
        self.metadata = Metadata(self._manifest, self.ownership, self.refusals, None)
        self.deletions = Deletions(self._manifest.policy)
        self.directories = Directories(self.root_fd, [b""], [0], is_loosening=not is_dry_run)
        self.timestamps = Timestamps(self.directories, self.refusals, is_dry_run=is_dry_run)
        self.placement = Placement(path, self._manifest, self.directories, None)

    def bind(self, manifest: Manifest) -> None:
        """Use the entry numbers and the policy of this manifest from now on."""
        policy = manifest.policy
        self._manifest = manifest
        self.deletions = Deletions(policy)
        self.refusals = Refusals(manifest)
        if policy.keeps_attributes:
            self.xattrs = XattrSync(manifest, self.refusals, is_root=self.ownership.is_root)
        self.metadata = Metadata(manifest, self.ownership, self.refusals, self.xattrs)
        self.directories.close()
        self.directories = Directories(self.root_fd, manifest.names, manifest.parents, is_loosening=not self.is_dry_run)
        self.timestamps = Timestamps(self.directories, self.refusals, is_dry_run=self.is_dry_run)
        self._bind_rare_parts(manifest)
        is_planned = self.listed_deletions is not None or self.backups is not None
        self.placement = Placement(self.path, manifest, self.directories, None if is_planned else self._can_clear)

    def _bind_rare_parts(self, manifest: Manifest) -> None:
        """Make the parts that most runs do not need, and whose modules they therefore do not load."""
        policy = manifest.policy
        if manifest.listed is not None:
            from mrsync.tree.destination.listed_deletions import ListedDeletions

            self.listed_deletions = ListedDeletions(
                self.root_fd, manifest, self.deletions, self._delete, is_dry_run=self.is_dry_run
            )
        if policy.backup:
            from mrsync.tree.destination.backup import Backups

            self.backups = Backups(
                policy,
                self.root_fd,
                self.path,
                host=self._host,
                suffix=self._suffix,
                on_made=self._note_made,
                hidden_mode=lambda path: self.directories.original_mode(manifest.find(path)),
            )
        if policy.keeps_dir_links:
            from mrsync.tree.destination.kept_links import KeptLinks

            self.kept_links = KeptLinks(manifest, self.directories)
        if policy.alternates.paths:
            from mrsync.tree.destination.alternates import Alternates

            self.alternates = Alternates(manifest, self.path, self.root_fd, self._host)
        if policy.rules or self.backups is not None:
            self.read_rules()

    def read_rules(self) -> Protection:
        """Read the rules that protect entries from deletion; forget what merge files said before."""
        from mrsync.tree.filter.protection import Protection

        more = self.backups.rules if self.backups is not None else ()
        self.protection = Protection(self._manifest, os.path.abspath(self.path), more)
        return self.protection

    def is_protected(self, parent: int, name: bytes, *, is_directory: bool) -> bool:
        """Return whether a filter rule protects the entry with this name."""
        return self.protection is not None and bool(
            self.protection.of(parent).safe([name], [name] if is_directory else [])
        )

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def has_directory(self, directory: int) -> bool:
        """Return whether a directory exists and is not a link. Raise OSError if that is not known."""
        try:
            self.directories.open(directory)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    @property
    def has_backups_beside(self) -> bool:
        """Whether backups stay beside deleted files, so that their directory cannot be removed."""
        return self.backups is not None and self.backups.are_beside

    def keep_old(self, parent: int, name: bytes) -> None:
        """Back up the entry with this name, if backups are wanted. Call this before a rename replaces it."""
        backups = self.backups
        if backups is not None:
            path = self._path(parent, name)
            self.directories.change(parent, lambda fd: backups.link(fd, name, path))

    def delete(self, parent: int, fd: int, name: bytes) -> None:
        """Delete an entry that is not a directory, or turn it into a backup. fd: descriptor of the parent."""
        self._delete(fd, name, self._path(parent, name) if self.backups is not None else b"")

    def _delete(self, fd: int, name: bytes, path: bytes) -> bool:
        """Delete or back up an entry, and return whether a backup of it stays in the same directory."""
        if self.backups is not None:
            fate = self.backups.move(fd, name, path)
            if fate.is_kept:
                return self.backups.are_beside
        os.unlink(name, dir_fd=fd)
        return False

    def _path(self, parent: int, name: bytes) -> bytes:
        return os.path.join(self._manifest.path(parent), name)

    def _note_made(self, path: bytes) -> None:
        """Note that a directory for backups was created at this path below the root."""
        above = self._manifest.find(os.path.dirname(path))
        if above >= 0:
            self.directories.touched.add(above)

    def ensure(self, directory: int) -> int:
        """Return the descriptor of a directory, creating it and its parents. Replace a file or link in its place."""
        absent = []
        entry = directory
        while True:
            try:
                fd = self.directories.open(entry)
                break
            except (FileNotFoundError, NotADirectoryError):
                absent.append(entry)
                entry = self._manifest.parents[entry]
        while absent:
            fd = self._make(absent.pop())
        return fd

    def make_way(self, parent: int, name: bytes) -> None:
        """Remove the entry with this name. Raise OSError for a directory that is not empty and may not be deleted."""
        try:
            found = os.stat(name, dir_fd=self.directories.open(parent), follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(found.st_mode):
            self.directories.change(parent, lambda fd: self.delete(parent, fd, name))
            return
        if self.kept_links is not None and self.kept_links.leads_through(parent, name):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        if self.listed_deletions is not None:
            self.listed_deletions.delete_below(self._path(parent, name))
        self.directories.change(parent, lambda fd: self._make_way_of_directory(parent, fd, name))

    def remove_tree(
        self,
        parent: int,
        fd: int,
        name: bytes,
        on_activity: Callable[[int], None] = lambda count: None,
        *,
        is_obstacle: bool = False,
    ) -> bool:
        """Delete a directory, except for what is protected in it or beyond the limit. Return whether it is gone.

        fd: descriptor of the parent. is_obstacle: another entry takes its place.
        """
        above = self._manifest.path(parent) if self.backups is not None else b""

        def delete(fd: int, name: bytes, path: bytes) -> bool:
            return self._delete(fd, name, os.path.join(above, path))

        remover = Remover(
            self.deletions,
            guard=self._guard(parent, name),
            delete=delete if self.backups is not None else None,
            is_dry_run=self.is_dry_run,
            spares_mounts=self._manifest.policy.spares_mounts and not is_obstacle,
        )
        return remover.remove(parent, fd, name, on_activity, is_obstacle=is_obstacle)

    def holds_records(self, parent: int, name: bytes) -> bool:
        """Return whether the records of this host are here, or below."""
        if name not in self._way_to_records:
            return False
        path = self._path(parent, name).split(b"/")
        return path == self._way_to_records[: len(path)]

    def can_go(self, parent: int, name: bytes) -> bool:
        """Return whether at least part of an entry may be deleted."""
        if self.protection is None:
            return True
        try:
            return self.count_going(parent, name) > 0
        except OSError:
            return True  # the deletion itself will report what is wrong

    def count_going(self, parent: int, name: bytes) -> int:
        """Return how many entries would be deleted with what has this name. Raises OSError."""
        fd = self.directories.open(parent)
        if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            return 1
        guard, spares_mounts = self._guard(parent, name), self._manifest.policy.spares_mounts
        trial = Remover(Deletions(Policy()), guard=guard, is_dry_run=True, spares_mounts=spares_mounts)
        trial.remove(parent, fd, name)
        return trial.deletions.count

    def can_go_whole(self, parent: int, name: bytes) -> bool:
        """Return whether nothing in a directory is protected."""
        if self.kept_links is not None and self.kept_links.leads_through(parent, name):
            return False
        guard = self._guard(parent, name)
        if guard is None:
            return True
        try:
            fd = self.directories.open(parent)
            trial = Remover(Deletions(Policy()), guard=guard, is_dry_run=True)
            return trial.remove(parent, fd, name, is_obstacle=True)
        except PermissionError:
            return True  # a temporary mode may help

    def _can_clear(self, parent: int, name: bytes) -> bool:
        """Return whether a directory that is not empty may be removed for a file."""
        return bool(self._manifest.policy.deletes) and self.can_go_whole(parent, name)

    def _guard(self, parent: int, name: bytes) -> DirectoryProtection | None:
        return self.protection.of(parent).within(name) if self.protection is not None else None

    def _make_way_of_directory(self, parent: int, fd: int, name: bytes) -> None:
        try:
            os.rmdir(name, dir_fd=fd)
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or not self._manifest.policy.deletes:
                raise
        if self.backups is not None and self.backups.move_directory(fd, name):
            return
        if not self.remove_tree(parent, fd, name, is_obstacle=True):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    def close(self) -> None:
        """Undo the remaining temporary modes and close all descriptors."""
        try:
            self.timestamps.close()
            self.directories.restore()
        finally:
            self.directories.close()
            if self.listed_deletions is not None:
                self.listed_deletions.close()
            if self.backups is not None:
                self.backups.close()
            if self.alternates is not None:
                self.alternates.close()
            let_go(self.root_fd)

    def _make(self, entry: int) -> int:
        name = self._manifest.names[entry]
        parent = self._manifest.parents[entry]
        try:
            self.directories.change(parent, lambda fd: os.mkdir(name, 0o700, dir_fd=fd))
        except FileExistsError:
            self.directories.change(parent, lambda fd: self.delete(parent, fd, name))
            self.directories.change(parent, lambda fd: os.mkdir(name, 0o700, dir_fd=fd))
        fd = self.directories.open_made(entry)
        self.made.add(entry)
        return fd


def rename_file(manifest: Manifest, path: bytes) -> bytes:
    """Name the only entry of a manifest after the last component of a path, and return the directory part.

    Raise FileError if the manifest has more entries or the path has no usable last component.
    """
    directory, name = os.path.split(path)
    if len(manifest) != 2 or not name or name in (b".", b".."):
        raise FileError(f"the destination {printable(path)} is not a directory")
    manifest.names[1] = name
    return directory or b"."
