"""Finish a target: do everything that needs no contents, after the last commit.

The order of the steps in `_Finisher.run` is the invariant of this module:

1. The journal is removed: every staged file is either in place or discarded.
2. Directories, soft links and special files are made, parents first, because later steps need the directories.
3. Attributes of existing entries are updated. This comes before hard links are made, because a further link changes an
   inode's ctime, and an entry is updated only while its ctime is still the one that was compared.
4. Hard links are made to their leaders, which are in place by now. If a leader's new contents did not arrive, its links
   stay as they were.
5. Extraneous entries are deleted, then the remains of earlier sessions, then the paths that a list names. Deleting
   after the commits means that nothing goes unless its replacement has arrived.
6. Directories get their owner, mode and time, deepest first. This must be last: every change below a directory sets its
   time, and a final mode without the right to write would prevent such changes. Temporary modes are undone here, too.

No path raises: a failure is recorded with its entry, and the run goes on with the next one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from mrsync.tree.compare.result import Comparison, Reuse
from mrsync.tree.compare.update_safety import UpdateSafety
from mrsync.tree.destination.refusals import LINK as HARD_LINK
from mrsync.tree.fs.copying import NO_LINKS, copy_entry
from mrsync.tree.fs.directories import ASIDE
from mrsync.tree.fs.handles import Handle, Opened, pinned
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.items import LETTERS
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.manifest import DIRECTORY, LINK, REGULAR
from mrsync.tree.staging.stage import PLACED, UNWANTED, Stage
from mrsync.tree.staging.taking import take_entry


class Result:
    """What `finish` did.

    created: number of directories, links and special files made. mended: number of entries whose attributes were
    updated. deleted: number of entries deleted, including those inside deleted directories. undone: entries for which a
    step failed. skipped: deletions beyond --max-delete.
    """

    created: int = 0
    mended: int = 0
    deleted: int = 0
    skipped: int = 0

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.undone: set[int] = set()

    @property
    def errors(self) -> int:
        return len(self.failures)

    @property
    def is_change(self) -> bool:
        """Return whether anything was or may have been changed."""
        return bool(self.created or self.mended or self.deleted or self.failures)


def finish(
    stage: Stage,
    comparison: Comparison,
    on_activity: Callable[[int], None] = lambda entries: None,
    again: Stage | None = None,
) -> Result:
    """Do all work of the comparison that needs no contents. Collect failures in the result; raise nothing for a path.

    on_activity: called with the number of entries processed since the last call, at least every 1000 entries.
    again: the stage of the second round, if there was one.
    """
    return _Finisher(stage, comparison, on_activity, again).run()


class _Finisher:
    def __init__(
        self, stage: Stage, comparison: Comparison, on_activity: Callable[[int], None], again: Stage | None
    ) -> None:
        self._stage = stage
        self._again = again
        self._destination = stage.destination
        self._removals = stage.destination.removals
        self._directories = stage.destination.directories
        self._manifest = stage.manifest
        self._comparison = comparison
        self._on_activity = on_activity
        self._result = Result()
        self._pending = 0
        self._mended = frozenset(comparison.mended)
        self._rereads_rules = stage.manifest.policy.rereads_rules and self._removals.protection is not None

    def run(self) -> Result:
        self._stage.end_journal()
        self._make_entries()
        self._update_entries()
        self._link_entries()
        self._delete_entries()
        self._finalize_directories()
        self._on_activity(self._pending)
        return self._result

    def _make_entries(self) -> None:
        for entry in self._comparison.made:
            if self._attempt(entry, "make", self._make):
                self._result.created += 1

    def _update_entries(self) -> None:
        for entry in self._comparison.mended:
            if self._manifest.kind(entry) != DIRECTORY and self._attempt(entry, "change", self._mend):
                self._result.mended += entry not in self._result.undone

    def _link_entries(self) -> None:
        """Link or copy entries from other directories, and link further names of files to their leaders."""
        comparison = self._comparison
        for reuse in comparison.reuses:
            if self._attempt(reuse.entry, "link" if reuse.is_link else "copy", partial(self._take, reuse)):
                self._result.created += 1
        for entry in comparison.superseded:
            self._attempt(entry, "remove", self._remove_superseded)
        for entry in comparison.linked:
            if not self._leader_is_right(entry):
                self._result.undone.add(entry)
            elif self._attempt(entry, "link", self._link):
                self._result.created += 1

    def _delete_entries(self) -> None:
        comparison = self._comparison
        rules = self._removals.read_rules() if self._rereads_rules else None
        for directory, name in comparison.extraneous:
            self._delete(directory, name)
        self._empty_lasting()
        if comparison.stale:
            from mrsync.tree.staging.resume import StaleFiles  # most runs find none

            self._result.failures += StaleFiles(self._destination, self._manifest, comparison.stale).remove()
        if comparison.listed_deletions:
            self._delete_listed(comparison.listed_deletions)
        if rules is not None:
            known = frozenset(comparison.failures)
            self._result.failures += [failure for failure in rules.failures if failure not in known]
        self._result.deleted = self._removals.deletions.count

    def _finalize_directories(self) -> None:
        """Give directories their attributes, deepest first, and report refusals of all kinds."""
        comparison, destination, result = self._comparison, self._destination, self._result
        directories = destination.directories.touched | destination.made
        directories.discard(ASIDE)
        directories.update(entry for entry in comparison.mended if self._manifest.kind(entry) == DIRECTORY)
        if self._manifest.policy.leaves_root and 0 not in destination.made:
            directories.discard(0)
        for entry in sorted(directories, reverse=True):
            if self._attempt(entry, "change", self._finalize_directory) and entry in self._mended:
                result.mended += entry not in result.undone
        for entry, reason in self._directories.restore():
            result.failures.append(Failure(reason, self._manifest.path(entry), "change"))
        if destination.kept_links is not None:
            for entry, failure in destination.kept_links.failures():
                result.undone.add(entry)
                result.failures.append(failure)
        result.failures += destination.refusals.take()

    def _attempt(self, entry: int, action: str, operation: Callable[[int], None]) -> bool:
        self._count(1)
        try:
            operation(entry)
        except OSError as error:
            self._result.failures.append(Failure.of(error, self._manifest.path(entry), action))
            self._result.undone.add(entry)
            return False
        return True

    def _count(self, entries: int) -> None:
        self._pending += entries
        if self._pending >= 1000:
            self._on_activity(self._pending)
            self._pending = 0

    def _make(self, entry: int) -> None:
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

    def _take(self, reuse: Reuse, entry: int) -> None:
        """Link or copy an entry from another directory of this target."""
        try:
            self._replace(entry, lambda fd, name: take_entry(self._destination, reuse, fd, name, self._on_activity))
        except OSError as error:
            if not reuse.is_link or error.errno not in NO_LINKS:
                raise
            self._take(reuse._replace(is_link=False), entry)

    def _remove_superseded(self, entry: int) -> None:
        self._removals.clear(self._manifest.parents[entry], self._manifest.names[entry])

    def _link(self, entry: int) -> None:
        """Link a member of a hard-link group to its leader."""
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
            self._replace(entry, make)
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
            with self._pinned(entry, self._directories.open(parent), manifest.names[entry]) as (handle, found):
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

    def _replace(self, entry: int, make: Callable[[int, bytes], None]) -> None:
        """Call make(directory's descriptor, temporary name) and rename the new entry into place. Raise OSError."""
        name, parent = self._manifest.names[entry], self._manifest.parents[entry]
        temporary = self._stage.files.link_name(entry)
        destination, change = self._destination, self._directories.change

        def place(fd: int) -> None:
            os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)

        destination.ensure(parent)
        try:
            change(parent, lambda fd: make(fd, temporary))
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

    def _leader_is_right(self, entry: int) -> bool:
        """Return False if the leader's new contents did not arrive; its links then stay as they were."""
        leader = self._manifest.leaders[entry]
        if leader in self._result.undone or self._manifest.kind(leader) != REGULAR:
            return leader not in self._result.undone
        for stage in (self._again, self._stage):
            file = -1 if stage is None else stage.plan.file_of(leader)
            if stage is not None and file >= 0:
                return stage.states[file] in (PLACED, UNWANTED)
        return True

    def _mend(self, entry: int) -> None:
        """Update all attributes of an entry that is not a directory. Raise OSError if it changed since the compare."""
        manifest = self._manifest
        parent_fd = self._directories.open(manifest.parents[entry])
        sightings = self._comparison.sightings
        with self._pinned(entry, parent_fd, manifest.names[entry]) as (handle, found):
            # Only a regular file has contents that could have been forged, so only there the ctime must match as well.
            # The ctime of a link or device may have changed because another name of it was replaced in this run.
            is_file = manifest.kind(entry) == REGULAR
            if not (sightings.is_untouched if is_file else sightings.is_same_inode)(entry, found):
                raise OSError(errno.ESTALE, "somebody changed it")
            if not self._destination.metadata.give(entry, handle, found).is_right:
                self._result.undone.add(entry)

    @contextmanager
    def _pinned(self, entry: int, parent_fd: int, name: bytes) -> Iterator[tuple[Handle, os.stat_result]]:
        """Yield a handle of the entry with this name, and its status. Raise OSError if it is of another kind."""
        with pinned(parent_fd, name) as handle:
            found = handle.status()
            if found.st_mode >> KIND_SHIFT != self._manifest.kind(entry):
                raise OSError(errno.ESTALE, "something else took its place")
            yield handle, found

    def _give_attributes(self, entry: int, parent_fd: int, name: bytes) -> None:
        """Set the attributes of a soft link or special file that was just made under this name."""
        with self._pinned(entry, parent_fd, name) as (handle, found):
            if found.st_rdev != self._manifest.devices.get(entry, 0):
                raise OSError(errno.ESTALE, "something else took its place")
            self._destination.metadata.give(entry, handle, found)

    def _finalize_directory(self, entry: int) -> None:
        """Set owner, mode and time of a directory, after the last change below it."""
        manifest = self._manifest
        fd = self._directories.pair(manifest.parents[entry], entry)[1]
        found = os.fstat(fd)
        if entry and not os.path.samestat(found, self._directories.status(entry)):
            raise OSError(errno.ESTALE, "another directory took its place")
        if entry in self._mended and not self._comparison.sightings.is_same_inode(entry, found):
            raise OSError(errno.ESTALE, "another directory took its place")
        metadata, handle = self._destination.metadata, Opened(fd)
        if manifest.is_implied(entry) and entry not in self._destination.made:
            is_given = metadata.give_time(entry, handle)
        else:
            is_given = metadata.give(entry, handle, found).is_right
            self._directories.settled(entry)
        if not is_given and entry in self._mended:
            self._result.undone.add(entry)

    def _empty_lasting(self) -> None:
        """Empty directories that block a file because a protected entry is in them; like rsync, delete the rest."""
        manifest = self._manifest
        for entry in sorted(self._destination.placement.blocked if manifest.policy.deletes else ()):
            with suppress(OSError):  # that the file could not be put in place was already reported
                self._removals.clear(manifest.parents[entry], manifest.names[entry])

    def _delete_listed(self, paths: list[bytes]) -> None:
        listed_deletions = self._removals.listed_deletions
        assert listed_deletions is not None  # it made the list of paths
        for path in paths:
            self._count(1)
            try:
                if listed_deletions.delete(path):
                    self._destination.directories.touched.add(self._manifest.find(os.path.dirname(path)))
            except OSError as error:
                if error.errno != errno.ENOTEMPTY or not self._removals.has_backups_beside:
                    self._result.failures.append(Failure.of(error, path, "delete"))
        self._destination.directories.touched.discard(-1)  # the parent is not in the manifest, or was deleted as well
        self._result.failures += listed_deletions.restore()

    def _delete(self, directory: int, name: bytes) -> None:
        self._count(1)
        try:
            self._destination.directories.change(directory, lambda fd: self._delete_in(directory, fd, name))
        except FileNotFoundError:
            return
        except OSError as error:
            path = os.path.join(self._manifest.path(directory), name)
            self._result.failures.append(Failure.of(error, path, "delete"))

    def _delete_in(self, directory: int, fd: int, name: bytes) -> None:
        deletions = self._removals.deletions
        is_directory = stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
        if self._rereads_rules and self._removals.is_protected(directory, name, is_directory=is_directory):
            return
        if is_directory:
            self._delete_directory(directory, fd, name)
        elif deletions.allows():
            self._removals.delete(directory, fd, name)
            deletions.note(directory, name, is_directory=False)

    def _delete_directory(self, directory: int, fd: int, name: bytes) -> None:
        deletions = self._removals.deletions
        if self._manifest.policy.deletes:
            self._removals.remove_tree(directory, fd, name, self._count)
        elif deletions.allows():  # --delete-missing-args alone, which deletes nothing that came into it meanwhile
            os.rmdir(name, dir_fd=fd)
            deletions.note(directory, name, is_directory=True)
