"""What is left when all contents are in place: directories, links, attributes, deletions, and directory times last."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mrsync.tree.compare.differences import file_window, is_same_time
from mrsync.tree.compare.result import Comparison
from mrsync.tree.fs.xattrs import path_in
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import DIRECTORY, LINK
from mrsync.tree.staging.resume import Leftovers
from mrsync.tree.staging.stage import PLACED, UNWANTED, Stage


@dataclass
class Result:
    """created: directories and links made; mended: attributes set; deleted: entries, with all in them.

    undone: entries of which this could not be done. skipped: deletions that were one too many.
    """

    created: int = 0
    mended: int = 0
    deleted: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: int = 0
    undone: set[int] = field(default_factory=set)

    @property
    def errors(self) -> int:
        return len(self.failures)


def finish(
    stage: Stage,
    comparison: Comparison,
    on_activity: Callable[[int], None] = lambda entries: None,
    again: Stage | None = None,
) -> Result:
    """Do the comparison's work without contents; failures are collected, nothing is raised for a path.

    on_activity is called with the number of entries done, at least for every 1000. again: that of the second round.
    """
    return _Finisher(stage, comparison, on_activity, again).run()


class _Finisher:
    def __init__(
        self, stage: Stage, comparison: Comparison, on_activity: Callable[[int], None], again: Stage | None
    ) -> None:
        self._stage = stage
        self._again = again
        self._destination = stage.destination
        self._directories = stage.destination.directories
        self._manifest = stage.manifest
        self._comparison = comparison
        self._on_activity = on_activity
        self._result = Result()
        self._pending = 0
        self._now = time.time_ns()

    def run(self) -> Result:
        comparison = self._comparison
        self._stage.end_journal()
        for entry in comparison.made:
            if self._attempt(entry, "make", self._make):
                self._result.created += 1
        for entry in comparison.linked:
            if not self._leader_is_right(entry):
                self._result.undone.add(entry)
            elif self._attempt(entry, "link", self._link):
                self._result.created += 1
        for entry in comparison.mended:
            if self._manifest.kind(entry) != DIRECTORY and self._attempt(entry, "change", self._mend):
                self._result.mended += 1
        for directory, name in comparison.extras:
            self._delete(directory, name)
        leftovers = Leftovers(self._destination, self._manifest, comparison.stale)
        self._result.failures += leftovers.remove()
        if comparison.doomed:
            self._delete_doomed(comparison.doomed)
        self._result.deleted = self._destination.deletions.count
        mended = set(comparison.mended)
        directories = self._destination.touched | self._destination.made
        directories.update(entry for entry in comparison.mended if self._manifest.kind(entry) == DIRECTORY)
        if self._manifest.policy.leaves_root and 0 not in self._destination.made:
            directories.discard(0)
        for entry in sorted(directories, reverse=True):
            if self._attempt(entry, "change", self._settle) and entry in mended:
                self._result.mended += 1
        for entry, reason in self._directories.restore():
            self._result.failures.append(Failure(reason, self._manifest.path(entry), "change"))
        if self._destination.kept is not None:
            self._result.failures += self._destination.kept.take_failures()
        self._on_activity(self._pending)
        return self._result

    def _attempt(self, entry: int, action: str, operation: Callable[[int], None]) -> bool:
        self._count(1)
        try:
            operation(entry)
        except OSError as error:
            self._result.failures.append(Failure(error.errno or 0, self._manifest.path(entry), action))
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
        os.mknod(name, manifest.kind(entry) << 12 | 0o600, manifest.devices.get(entry, 0), dir_fd=fd)
        try:
            self._dress_in(entry, fd, name)
        except OSError:
            os.unlink(name, dir_fd=fd)
            raise

    def _make_link(self, entry: int) -> None:
        manifest = self._manifest
        target = manifest.link_targets[entry]

        def make(fd: int, name: bytes) -> None:
            os.symlink(target, name, dir_fd=fd)
            self._set_link_attributes(entry, fd, name)

        self._replace(entry, make)

    def _link(self, entry: int) -> None:
        """Make a member another name of its leader."""
        manifest = self._manifest
        leader = manifest.leaders[entry]
        leader_parent, parent = manifest.parents[leader], manifest.parents[entry]
        self._destination.ensure(parent)
        if self._is_same_file(leader, entry):
            return  # rename would do nothing and leave the temporary name

        def make(fd: int, name: bytes) -> None:
            leader_fd, fd = self._directories.pair(leader_parent, parent)
            found = os.stat(manifest.names[leader], dir_fd=leader_fd, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.ESTALE, "the leader is no file")
            os.link(manifest.names[leader], name, src_dir_fd=leader_fd, dst_dir_fd=fd, follow_symlinks=False)

        self._replace(entry, make)

    def _is_same_file(self, first: int, second: int) -> bool:
        manifest = self._manifest
        fds = self._directories.pair(manifest.parents[first], manifest.parents[second])
        try:
            one, other = (
                os.stat(manifest.names[entry], dir_fd=fd, follow_symlinks=False)
                for entry, fd in zip((first, second), fds)
            )
        except FileNotFoundError:
            return False
        return os.path.samestat(one, other)

    def _replace(self, entry: int, make: Callable[[int, bytes], None]) -> None:
        """Make something under a temporary name and rename it into place."""
        manifest = self._manifest
        name, parent = manifest.names[entry], manifest.parents[entry]
        temporary = self._stage.link_name(entry)
        destination = self._destination
        destination.ensure(parent)
        destination.change(parent, lambda fd: make(fd, temporary))
        try:
            destination.keep_old(parent, name)
            try:
                destination.change(parent, lambda fd: os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd))
            except IsADirectoryError:
                destination.make_way(parent, name)
                destination.change(parent, lambda fd: os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd))
        except OSError:
            destination.change(parent, lambda fd: os.unlink(temporary, dir_fd=fd))
            raise

    def _leader_is_right(self, entry: int) -> bool:
        """False if the leader's contents were needed but did not come: then its names stay as they were."""
        for stage in (self._again, self._stage):
            file = -1 if stage is None else stage.plan.file_of(self._manifest.leaders[entry])
            if stage is not None and file >= 0:
                return stage.states[file] in (PLACED, UNWANTED)
        return True

    def _mend(self, entry: int) -> None:
        """Set all attributes of something that is no directory."""
        manifest = self._manifest
        parent_fd = self._directories.open(manifest.parents[entry])
        if manifest.kind(entry) == LINK:
            self._set_link_attributes(entry, parent_fd, manifest.names[entry])
        else:
            self._dress_in(entry, parent_fd, manifest.names[entry])

    def _dress_in(self, entry: int, parent_fd: int, name: bytes) -> None:
        # O_PATH: neither read permission is needed nor can a fifo in its place block.
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
        try:
            found = os.fstat(fd)
            if found.st_mode >> 12 != self._manifest.kind(entry):
                raise OSError(errno.ESTALE, "something else took its place")
            self._dress(entry, fd, found)
        finally:
            os.close(fd)

    def _dress(self, entry: int, fd: int, found: os.stat_result) -> None:
        """Owner, mode, extended attributes and time of what a descriptor, of O_PATH too, is open on."""
        manifest = self._manifest
        path = f"/proc/self/fd/{fd}"
        if self._destination.ownership.differs(
            (manifest.uids[entry], manifest.gids[entry]), (found.st_uid, found.st_gid)
        ):
            self._chown(entry, path)
        self._set_mode(entry, fd, lambda: os.chmod(path, manifest.modes[entry] & 0o7777))
        wanted_ns = manifest.mtime_ns(entry)
        if not is_same_time(wanted_ns, found.st_mtime_ns, file_window(manifest.policy)):
            os.utime(path, ns=(self._now, wanted_ns))

    def _set_mode(self, entry: int, fd: int, set_mode: Callable[[], None]) -> None:
        """The mode, and the extended attributes around it."""
        kept = self._destination.kept
        if kept is None:
            set_mode()
        else:
            kept.set(entry, fd, set_mode)

    def _settle(self, entry: int) -> None:
        """Owner, mode and time of a directory, when nothing below changes any more."""
        manifest = self._manifest
        parent_fd, fd = self._directories.pair(manifest.parents[entry], entry)
        if entry and not os.path.samestat(
            os.fstat(fd), os.stat(manifest.names[entry], dir_fd=parent_fd, follow_symlinks=False)
        ):
            raise OSError(errno.ESTALE, "another directory took its place")
        is_left = manifest.is_implied(entry) and entry not in self._destination.made  # but for its time
        if not is_left:
            self._chown(entry, fd)
            self._set_mode(entry, fd, lambda: os.fchmod(fd, manifest.modes[entry] & 0o7777))
        if not manifest.policy.omit_dir_times:
            os.utime(fd, ns=(self._now, manifest.mtime_ns(entry)))
        if not is_left:
            self._directories.settled(entry)

    def _chown(self, entry: int, path: int | str) -> None:
        uid, gid = self._destination.ownership.settable(self._manifest.uids[entry], self._manifest.gids[entry])
        if uid != -1 or gid != -1:
            os.chown(path, uid, gid)

    def _set_link_attributes(self, entry: int, fd: int, name: bytes) -> None:
        manifest = self._manifest
        uid, gid = self._destination.ownership.settable(manifest.uids[entry], manifest.gids[entry])
        if uid != -1 or gid != -1:
            os.chown(name, uid, gid, dir_fd=fd, follow_symlinks=False)
        if self._destination.kept is not None:
            self._destination.kept.set(entry, path_in(fd, name), lambda: None)
        os.utime(name, ns=(self._now, manifest.mtime_ns(entry)), dir_fd=fd, follow_symlinks=False)

    def _delete_doomed(self, paths: list[bytes]) -> None:
        doomed = self._destination.doomed
        assert doomed is not None  # who found them
        for path in paths:
            self._count(1)
            try:
                if doomed.delete(path):
                    self._destination.touched.add(self._manifest.find(os.path.dirname(path)))
            except OSError as error:
                if error.errno != errno.ENOTEMPTY or not self._destination.has_backups_beside:
                    self._result.failures.append(Failure(error.errno or 0, path, "delete"))
        self._destination.touched.discard(-1)  # a directory that has gone, too
        self._result.failures += doomed.restore()

    def _delete(self, directory: int, name: bytes) -> None:
        self._count(1)
        try:
            self._destination.change(directory, lambda fd: self._delete_in(directory, fd, name))
        except FileNotFoundError:
            return
        except OSError as error:
            path = os.path.join(self._manifest.path(directory), name)
            self._result.failures.append(Failure(error.errno or 0, path, "delete"))

    def _delete_in(self, directory: int, fd: int, name: bytes) -> None:
        deletions = self._destination.deletions
        if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            self._destination.remove_tree(directory, fd, name, self._count)
        elif deletions.allows():
            self._destination.delete(directory, fd, name)
            deletions.note(directory, name, is_directory=False)
