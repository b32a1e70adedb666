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
7. The path of the destination must still lead to it. Otherwise somebody has moved what was changed here.

No path raises: a failure is recorded with its entry, and the run goes on with the next one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from functools import partial

from mrsync.tree.compare.result import Comparison
from mrsync.tree.fs.directories import TEMP_DIR
from mrsync.tree.fs.handles import Opened
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import DIRECTORY, MADE_MODE, REGULAR
from mrsync.tree.staging.final_deletions import FinalDeletions
from mrsync.tree.staging.making import EntryMaker, pinned_entry
from mrsync.tree.staging.stage import Stage
from mrsync.tree.staging.staged_files import PLACED, UNWANTED


class Result:
    """The result of `finish`.

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
        self._maker = EntryMaker(stage, on_activity)

    def run(self) -> Result:
        self._stage.notes.end()
        self._make_entries()
        self._update_entries()
        self._link_entries()
        self._delete_entries()
        self._finalize_directories()
        self._look_for_root()
        self._on_activity(self._pending)
        return self._result

    def _make_entries(self) -> None:
        for entry in self._comparison.made:
            if self._attempt(entry, "make", partial(self._maker.make, entry)):
                self._result.created += 1

    def _update_entries(self) -> None:
        for entry in self._comparison.mended:
            if self._manifest.kind(entry) != DIRECTORY and self._attempt(entry, "change", partial(self._mend, entry)):
                self._result.mended += entry not in self._result.undone

    def _link_entries(self) -> None:
        """Link or copy entries from other directories, and link further names of files to their leaders."""
        comparison = self._comparison
        for reuse in comparison.reuses:
            if self._attempt(reuse.entry, "link" if reuse.is_link else "copy", partial(self._maker.take, reuse)):
                self._result.created += 1
        for entry in comparison.superseded:
            self._attempt(entry, "remove", partial(self._remove_superseded, entry))
        for entry in comparison.linked:
            if not self._leader_is_right(entry):
                self._result.undone.add(entry)
            elif self._attempt(entry, "link", partial(self._maker.link, entry)):
                self._result.created += 1

    def _delete_entries(self) -> None:
        deletions = FinalDeletions(self._destination, self._manifest, self._comparison, self._count)
        self._result.failures += deletions.run()
        self._result.deleted = self._removals.deletions.count

    def _finalize_directories(self) -> None:
        """Give directories their attributes, deepest first, and report refusals of all kinds."""
        comparison, destination, result = self._comparison, self._destination, self._result
        directories = destination.directories.touched | destination.made
        directories.discard(TEMP_DIR)
        directories.update(entry for entry in comparison.mended if self._manifest.kind(entry) == DIRECTORY)
        if self._manifest.policy.leaves_root:
            directories.discard(0)
            if 0 in destination.made:  # as any program makes it: no owner is given, and no --chmod counts
                self._attempt(0, "change", partial(os.fchmod, destination.root_fd, MADE_MODE))
        for entry in sorted(directories, reverse=True):
            if self._attempt(entry, "change", partial(self._finalize_directory, entry)) and entry in self._mended:
                result.mended += entry not in result.undone
        for entry, reason in self._directories.restore():
            result.failures.append(Failure(reason, self._manifest.path(entry), "change"))
        if destination.kept_links is not None:
            for entry, failure in destination.kept_links.failures():
                result.undone.add(entry)
                result.failures.append(failure)
        result.failures += destination.refusals.take()

    def _look_for_root(self) -> None:
        """Record a failure if the destination is no longer what its path leads to."""
        destination = self._destination
        try:
            is_there = os.path.samestat(os.stat(destination.path), os.fstat(destination.root_fd))
            reason = 0 if is_there else errno.ESTALE
        except (FileNotFoundError, NotADirectoryError) as error:
            reason = error.errno or errno.ENOENT
        except OSError:
            return  # whoever may not look there cannot tell
        if reason:
            self._result.failures.append(Failure(reason, b"", "find the destination at its path any more"))

    def _attempt(self, entry: int, action: str, operation: Callable[[], None]) -> bool:
        self._count(1)
        try:
            operation()
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

    def _remove_superseded(self, entry: int) -> None:
        self._removals.clear(self._manifest.parents[entry], self._manifest.names[entry])

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
        with pinned_entry(manifest, entry, parent_fd, manifest.names[entry]) as (handle, found):
            # Only a regular file has contents that could have been forged, so only there the ctime must match as well.
            # The ctime of a link or device may have changed because another name of it was replaced in this run.
            is_file = manifest.kind(entry) == REGULAR
            if not (sightings.is_untouched if is_file else sightings.is_same_inode)(entry, found):
                raise OSError(errno.ESTALE, "somebody changed it")
            if not self._destination.metadata.give(entry, handle, found).is_right:
                self._result.undone.add(entry)

    def _finalize_directory(self, entry: int) -> None:
        """Set owner, mode and time of a directory, after the last change below it."""
        manifest = self._manifest
        fd = self._directories.pair(manifest.parents[entry], entry)[1]
        found = os.fstat(fd)
        if entry in self._destination.made and not manifest.policy.modes:
            manifest.modes[entry] |= found.st_mode & stat.S_ISGID  # a new directory has that of the one above it
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
