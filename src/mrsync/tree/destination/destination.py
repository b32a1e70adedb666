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

import os
from typing import TYPE_CHECKING

from mrsync.errors import FileError
from mrsync.files import close_quietly
from mrsync.tree.destination.metadata import Metadata
from mrsync.tree.destination.placement import Placement
from mrsync.tree.destination.refusals import Refusals
from mrsync.tree.destination.removals import Removals
from mrsync.tree.destination.root import open_root
from mrsync.tree.destination.timestamps import Timestamps
from mrsync.tree.destination.xattr_sync import XattrSync
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.owners import Ownership
from mrsync.tree.model.columns import NameColumn
from mrsync.tree.model.failure import printable
from mrsync.tree.model.manifest import DIRECTORY, Manifest

if TYPE_CHECKING:
    from mrsync.tree.destination.alternates import Alternates
    from mrsync.tree.destination.kept_links import KeptLinks


class Destination:
    """The root of a target's tree. After `bind`, its directories are addressed by their entry of the manifest.

    The constructor raises FileError if the root cannot be opened, created or written to. Its parent must exist unless
    makes_parents is set. is_only_read: it exists, and need not be writable.

    made: directory entries created by this run.
    is_new: the root itself was created.
    metadata: sets attributes.
    refusals: collects those that were refused.
    timestamps: finds out how exactly times are kept.
    removals: everything that is removed.
    xattrs: extended attributes, or None if the policy preserves none.
    alternates: other directories that may have what is missing, or None.
    kept_links: soft links kept for directories, or None.
    host, suffix: for the names of backups and of other directories.
    umask: of the user who receives, for entries that get no mode from the source.
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
        umask: int = 0o022,
    ) -> None:
        self.path = path
        self.umask = umask
        self.is_dry_run = is_dry_run
        self._is_only_read = is_only_read
        self.ownership = Ownership()
        self.made: set[int] = set()
        self.root_fd, self.is_new = open_root(path, makes_parents=makes_parents, is_only_read=is_only_read)
        self.xattrs: XattrSync | None = None
        self.alternates: Alternates | None = None
        self.kept_links: KeptLinks | None = None
        self.host = host
        self.suffix = suffix
        if self.is_new:
            self.made.add(0)
        self._manifest = Manifest()
        self.refusals = Refusals(self._manifest)
        self.metadata = Metadata(self._manifest, self.ownership, self.refusals, None)
        self.directories = Directories(self.root_fd, [b""], [0], is_loosening=not is_dry_run)
        self.removals = Removals(path, self._manifest, self.directories, is_dry_run=is_dry_run)
        self.timestamps = Timestamps(self.directories, self.refusals, is_dry_run=is_dry_run)
        self.placement = Placement(path, self._manifest, self.directories, None)

    def bind(self, manifest: Manifest) -> None:
        """Use the entry numbers and the policy of this manifest from now on."""
        policy = manifest.policy
        self._manifest = manifest
        self.ownership = Ownership(policy)
        self.refusals = Refusals(manifest)
        if policy.keeps_attributes:
            self.xattrs = XattrSync(manifest, self.refusals, is_root=self.ownership.is_root)
        self.metadata = Metadata(manifest, self.ownership, self.refusals, self.xattrs)
        self.directories.close()
        self.directories = Directories(self.root_fd, manifest.names, manifest.parents, is_loosening=not self.is_dry_run)
        self.timestamps = Timestamps(self.directories, self.refusals, is_dry_run=self.is_dry_run)
        self.removals = removals = Removals(self.path, manifest, self.directories, is_dry_run=self.is_dry_run)
        self._bind_rare_parts(manifest)
        is_planned = removals.listed_deletions is not None or removals.backups is not None
        self.placement = Placement(self.path, manifest, self.directories, None if is_planned else removals.can_clear)

    def _bind_rare_parts(self, manifest: Manifest) -> None:
        """Make the parts that most runs do not need, and whose modules they therefore do not load."""
        policy, removals = manifest.policy, self.removals
        if manifest.listed is not None:
            from mrsync.tree.destination.listed_deletions import ListedDeletions

            removals.listed_deletions = ListedDeletions(
                self.root_fd, manifest, removals.deletions, removals.remove_at, is_dry_run=self.is_dry_run
            )
        if policy.backup:
            from mrsync.tree.destination.backup import Backups

            removals.backups = Backups(
                policy,
                self.root_fd,
                self.path,
                host=self.host,
                suffix=self.suffix,
                spares_all=self._is_only_read,
                on_changed=self._note_changed,
                hidden_mode=lambda path: self.directories.original_mode(manifest.find(path)),
            )
        if policy.keeps_dir_links:
            from mrsync.tree.destination.kept_links import KeptLinks

            self.kept_links = removals.kept_links = KeptLinks(manifest, self.directories)
        if policy.alternates.paths:
            from mrsync.tree.destination.alternates import Alternates

            self.alternates = Alternates(manifest, self.path, self.root_fd, self.host)
        if policy.rules or removals.backups is not None:
            removals.read_rules()

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

    def _note_changed(self, path: bytes) -> None:
        """Note that a directory of the backup directory, at this path below the root, gets a new entry."""
        directory = self._manifest.find(path)
        if directory >= 0 and self._manifest.kind(directory) == DIRECTORY:
            self.directories.touched.add(directory)

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

    def close(self) -> None:
        """Undo the remaining temporary modes and close all descriptors."""
        try:
            self.timestamps.close()
            self.directories.restore()
        finally:
            self.directories.close()
            self.removals.close()
            if self.alternates is not None:
                self.alternates.close()
            close_quietly(self.root_fd)

    def _make(self, entry: int) -> int:
        name = self._manifest.names[entry]
        parent = self._manifest.parents[entry]
        try:
            self.directories.change(parent, lambda fd: os.mkdir(name, 0o700, dir_fd=fd))
        except FileExistsError:
            self.directories.change(parent, lambda fd: self.removals.remove(parent, fd, name))
            self.directories.change(parent, lambda fd: os.mkdir(name, 0o700, dir_fd=fd))
        fd = self.directories.open_made(entry)
        self.made.add(entry)
        return fd


def rename_file(manifest: Manifest, path: bytes) -> bytes:
    """Name the only entry of a manifest after the last component of a path, and return the directory part.

    Rules may have excluded that entry. Raise FileError if the manifest has more entries, or the path has no usable last
    component.
    """
    directory, name = os.path.split(path)
    if len(manifest) > 2 or not name or name in (b".", b".."):
        raise FileError(f"the destination {printable(path)} is not a directory")
    if len(manifest) == 2:
        manifest.names = NameColumn([b"", name])
    return directory or b"."
