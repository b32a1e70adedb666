"""Make links, copies, directories and special files, which need no contents from the master.

Each is made under a temporary name in its own directory, gets its attributes there and is renamed (`_replace`). So
nobody finds a half-made entry under its name, and the old one stays until then. Only directories are made in place.

Others may write in the same directory. So a new entry is opened first (`pinned_entry`) and gets attributes only if it
is of the right kind; a link is kept only if it leads to the file that was examined before.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from mrsync.files import open_regular
from mrsync.tree.compare.result import Reuse
from mrsync.tree.compare.update_safety import UpdateSafety
from mrsync.tree.destination.destination import Destination
from mrsync.tree.destination.refusals import LINK as HARD_LINK
from mrsync.tree.fs.copying import NO_LINKS, copy_entry
from mrsync.tree.fs.handles import Handle, pinned
from mrsync.tree.model.items import LETTERS
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.manifest import DIRECTORY, LINK, REGULAR, Manifest
from mrsync.tree.staging.stage import Stage


class EntryMaker:
    """Make entries of the manifest at the destination of a stage.

    on_activity: called with the number of entries processed since the last call, while a long file is copied.
    """

    def __init__(self, stage: Stage, on_activity: Callable[[int], None]) -> None:
        self._stage = stage
        self._destination = stage.destination
        self._directories = stage.destination.directories
        self._removals = stage.destination.removals
        self._manifest = stage.manifest
        self._temporary_name = stage.files.link_name
        self._on_activity = on_activity

    def make(self, entry: int) -> None:
        """Make a directory, soft link or special file. Raise OSError."""
        kind = self._manifest.kind(entry)
        if kind == DIRECTORY:
            self._destination.ensure(entry)
        elif kind == LINK:
            self._make_link(entry)
        else:
            self._replace(entry, lambda fd, name: self._make_special(entry, fd, name))

    def _make_special(self, entry: int, fd: int, name: bytes) -> None:
        manifest = self._manifest
        os.mknod(name, manifest.kind(entry) << KIND_SHIFT | 0o600, manifest.devices.get(entry, 0), dir_fd=fd)
        self._give_attributes(entry, fd, name)

    def _make_link(self, entry: int) -> None:
        manifest = self._manifest
        target = manifest.link_targets[entry]

        def make(fd: int, name: bytes) -> None:
            os.symlink(target, name, dir_fd=fd)
            self._give_attributes(entry, fd, name)

        self._replace(entry, make)

    def take(self, reuse: Reuse) -> None:
        """Link or copy an entry from another directory of this target. Raise OSError."""

        def make(fd: int, name: bytes) -> None:
            _take_entry(self._destination, reuse, fd, name, self._on_activity)

        try:
            self._replace(reuse.entry, make)
        except OSError as error:
            if not reuse.is_link or error.errno not in NO_LINKS:
                raise
            self.take(reuse._replace(is_link=False))

    def link(self, entry: int) -> None:
        """Link a member of a hard-link group to its leader. Raise OSError."""
        manifest = self._manifest
        leader = manifest.leaders[entry]
        leader_parent, parent = manifest.parents[leader], manifest.parents[entry]
        self._destination.ensure(parent)
        if self._is_same_file(leader, entry):
            return  # rename() does nothing between two links of one file and would leave the temporary name

        def make(fd: int, name: bytes) -> None:
            leader_fd, fd = self._directories.pair(leader_parent, parent)
            found = os.stat(manifest.names[leader], dir_fd=leader_fd, follow_symlinks=False)
            if found.st_mode >> KIND_SHIFT != manifest.kind(leader):
                raise OSError(errno.ESTALE, "something else took its place")
            os.link(manifest.names[leader], name, src_dir_fd=leader_fd, dst_dir_fd=fd, follow_symlinks=False)
            if not os.path.samestat(found, os.stat(name, dir_fd=fd, follow_symlinks=False)):
                raise OSError(errno.ESTALE, "something else took its place")

        try:
            self._replace(entry, make, is_kept=not self._was_same_file(leader, entry))
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            self._destination.refusals.note(HARD_LINK, error.errno, entry)
            self._copy(entry, leader)

    def _copy(self, entry: int, leader: int) -> None:
        """Copy the leader where the file system has no hard links, or update attributes if the copy is there."""
        manifest = self._manifest
        parent, leader_parent = manifest.parents[entry], manifest.parents[leader]
        if self._is_equal_file(leader, entry):
            parent_fd = self._directories.open(parent)
            with pinned_entry(manifest, entry, parent_fd, manifest.names[entry]) as (handle, found):
                if UpdateSafety(manifest, self._destination).allows(entry, found, LETTERS, 1):
                    self._destination.metadata.give(entry, handle, found)
                    return

        def make(fd: int, name: bytes) -> None:
            leader_fd, fd = self._directories.pair(leader_parent, parent)
            copy_entry(leader_fd, manifest.names[leader], fd, name, self._on_activity)

        self._replace(entry, make)

    def _is_equal_file(self, first: int, second: int) -> bool:
        """Return whether both are regular files of the same size and time."""
        one, other = self._look_at(first), self._look_at(second)
        if one is None or other is None or not stat.S_ISREG(one.st_mode & other.st_mode):
            return False
        return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)

    def _look_at(self, entry: int) -> os.stat_result | None:
        manifest = self._manifest
        try:
            fd = self._directories.open(manifest.parents[entry])
            return os.stat(manifest.names[entry], dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _is_same_file(self, first: int, second: int) -> bool:
        one, other = self._look_at(first), self._look_at(second)
        return one is not None and other is not None and os.path.samestat(one, other)

    def _was_same_file(self, leader: int, entry: int) -> bool:
        """Return whether the entry is a name of the leader's old version, whose contents the leader has, too."""
        found = self._look_at(entry)
        file = self._stage.plan.file_of(leader)
        return found is not None and self._stage.unchanged.get(file) == (found.st_dev, found.st_ino)

    def _replace(self, entry: int, make: Callable[[int, bytes], None], *, is_kept: bool = True) -> None:
        """Call make(directory's descriptor, temporary name) and rename the new entry into place. Raise OSError.

        is_kept: with --backup, what is replaced is kept.
        """
        name, parent = self._manifest.names[entry], self._manifest.parents[entry]
        temporary = self._temporary_name(entry)
        destination, change = self._destination, self._directories.change

        def place(fd: int) -> None:
            os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)

        destination.ensure(parent)
        try:
            change(parent, lambda fd: make(fd, temporary))
            if is_kept:
                self._removals.back_up(parent, name)
            try:
                change(parent, place)
            except IsADirectoryError:
                self._removals.clear(parent, name)
                change(parent, place)
        except OSError:
            with suppress(FileNotFoundError):
                change(parent, lambda fd: os.unlink(temporary, dir_fd=fd))
            raise

    def _give_attributes(self, entry: int, parent_fd: int, name: bytes) -> None:
        """Set the attributes of a soft link or special file that was just made under this name."""
        with pinned_entry(self._manifest, entry, parent_fd, name) as (handle, found):
            if found.st_rdev != self._manifest.devices.get(entry, 0):
                raise OSError(errno.ESTALE, "something else took its place")
            self._destination.metadata.give(entry, handle, found)


@contextmanager
def pinned_entry(
    manifest: Manifest, entry: int, parent_fd: int, name: bytes
) -> Iterator[tuple[Handle, os.stat_result]]:
    """Yield a handle of an entry, and its status. Raise OSError if it is of another kind than in the manifest.

    parent_fd, name: where it is, which need not be its place in the manifest.
    """
    with pinned(parent_fd, name) as handle:
        found = handle.status()
        if found.st_mode >> KIND_SHIFT != manifest.kind(entry):
            raise OSError(errno.ESTALE, "something else took its place")
        yield handle, found


def _take_entry(
    destination: Destination, reuse: Reuse, fd: int, name: bytes, on_activity: Callable[[int], None]
) -> None:
    """Make `name` in an open directory as the reuse says. Raise OSError if the original is another one by now.

    A copy gets the attributes of the reuse's entry, and no others: an ACL of the original would let its users in.
    """
    alternates, manifest = destination.alternates, destination.manifest
    assert alternates is not None  # the original was found in one
    original = manifest.names[reuse.original]
    directory = alternates.directories[reuse.number].open(manifest.parents[reuse.original])
    size = manifest.sizes[reuse.entry]

    def check() -> None:
        found = os.stat(original, dir_fd=directory, follow_symlinks=False)
        if not reuse.is_about(found) or (stat.S_ISREG(found.st_mode) and found.st_size != size):
            raise OSError(errno.ESTALE, "somebody changed it")

    check()
    if reuse.is_link:
        os.link(original, name, src_dir_fd=directory, dst_dir_fd=fd, follow_symlinks=False)
        if os.stat(name, dir_fd=fd, follow_symlinks=False).st_ino != reuse.inode:
            raise OSError(errno.ESTALE, "something else took its place")
        return
    copy_entry(directory, original, fd, name, on_activity, has_attributes=False)
    check()
    with pinned(fd, name) as handle:
        destination.metadata.give(reuse.entry, handle)
    if manifest.policy.durable and manifest.kind(reuse.entry) == REGULAR:
        copied = open_regular(name, fd)
        try:
            os.fsync(copied)
        finally:
            os.close(copied)
