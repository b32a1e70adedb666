"""The temporary files of a stage: where they are, under which names, and whether they are still the ones made here.

Each planned file goes through these states:

    WAITING -> STARTED -> WHOLE -> PLACED          the normal way; `Commit` does the last step
    WAITING, STARTED, WHOLE -> SAT_OUT             it cannot be taken here (disk full, name refused, ...)
    WAITING, STARTED, WHOLE -> DISCARDED           the master made it an exception, or the run is being cleaned up
    UNWANTED                                       only other targets need it; its bytes are skipped

A file that is started anew, because it turned out to be wrong or was replaced, is WAITING again.

Nothing is renamed, written or linked unless it is the inode that this session made (`Identities`). Other users may be
able to replace files in a shared directory. So whatever is opened again is compared with the inode that was closed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import compress

from mrsync.files import CAUTIOUS, close_quietly, open_regular
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.descriptors import cache_limit
from mrsync.tree.fs.fdcache import FdCache
from mrsync.tree.fs.pieces import Data
from mrsync.tree.fs.temporary_names import link_name, staged_prefix
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.model.status_table import Statuses
from mrsync.tree.staging.homes import Homes
from mrsync.tree.staging.identity import Identities, replaced_error
from mrsync.tree.staging.overwriting import lock_old, open_old, overwrites

WAITING, STARTED, WHOLE, SAT_OUT, UNWANTED, DISCARDED, PLACED = range(7)
FILES_OPEN_MAX = 128
MADE_AT_ONCE = 128  # open at the same time
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | CAUTIOUS
_CANNOT_RESERVE = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV)


def _table(*states: int) -> bytes:
    """Return what translates these states into 1 and all others into 0."""
    return bytes(state in states for state in range(256))


_UNPLACED = _table(WAITING, STARTED, WHOLE, SAT_OUT, DISCARDED)
_MISSED = _table(WAITING, STARTED, WHOLE)
_PLACED = _table(PLACED)


class FileStates(bytearray):
    """The state of each plan file, one byte each.

    needs: ranges of manifest entries whose contents are needed here.
    """

    def __init__(self, plan: Plan, needs: Iterable[tuple[int, int]]) -> None:
        super().__init__(bytes([UNWANTED]) * plan.file_count)
        self._entries = plan.entries
        for first, end in needs:
            low, high = plan.first_file(first), plan.first_file(end)
            self[low:high] = bytes([WAITING]) * (high - low)

    def unplaced(self) -> Iterator[int]:
        """Yield the entries whose contents were needed here and were not put into place."""
        return compress(self._entries, self.translate(_UNPLACED))

    def missed(self) -> Iterator[int]:
        """Yield the entries that are neither in place nor sat out nor discarded: nothing was reported about them."""
        return compress(self._entries, self.translate(_MISSED))

    def placed(self) -> Iterator[int]:
        """Yield the entries whose contents were put into place."""
        return compress(self._entries, self.translate(_PLACED))

    def placed_files(self) -> Iterator[tuple[int, int]]:
        """Yield (plan file, entry) of all files that got into place."""
        return compress(enumerate(self._entries), self.translate(_PLACED))


class StagedFiles:
    """Create, open, compare and remove the temporary files of a plan. tag: the session's.

    overwrites: with --inplace, old versions are the staged files where that is possible. overwritten: those files, with
    their sizes until the commit. at_once: how many files `make_whole` can make; 0 if the policy asks for something that
    it cannot do. Descriptors are kept open in a cache. A descriptor that `open` returns is valid until the next call of
    a method that opens files. Every method may raise OSError, and does so for a file that was replaced.
    """

    def __init__(self, destination: Destination, manifest: Manifest, plan: Plan, tag: bytes) -> None:
        self._destination = destination
        self._manifest = manifest
        self._plan = plan
        self._tag = tag
        self._prefix = staged_prefix(tag)
        self.homes = Homes(destination, manifest)
        self.overwrites = overwrites(manifest.policy)
        self.at_once = cache_limit(MADE_AT_ONCE) if _is_plain(manifest.policy) else 0
        self.overwritten: dict[int, int] = {}
        self._identities = Identities(plan.file_count)
        self._fds = FdCache(cache_limit(FILES_OPEN_MAX), self._identities.note_partial)

    def forget_identities(self) -> None:
        """Free the identities, because no staged file is left."""
        self._identities.clear()

    # where they are

    def name(self, file: int) -> bytes:
        """Return the name of a staged file: a temporary one, unless it is the old version."""
        if file in self.overwritten:
            return self._manifest.names[self._plan.entries[file]]
        return self.temporary_name(file)

    def temporary_name(self, file: int) -> bytes:
        """Return the name under which a new file is staged."""
        return b"%s%d" % (self._prefix, file)

    def link_name(self, entry: int) -> bytes:
        """Return the temporary name of a link or special file."""
        return link_name(self._tag, entry)

    def home(self, file: int) -> int:
        """Return the directory entry in which a file is staged."""
        parent = self._manifest.parents[self._plan.entries[file]]
        return parent if file in self.overwritten else self.homes.home(parent)

    # making and opening them

    def create(self, file: int) -> int:
        """Create an empty file, or take the old version for it. Return its descriptor.

        The caller closes it or passes it to `keep`.
        """
        entry = self._plan.entries[file]
        if self.overwrites and (fd := self._take_old(file, entry)) >= 0:
            return fd
        destination, name, home = self._destination, self.name(file), self.home(file)
        if self._manifest.policy.remove_first:
            self._remove_old(entry)
        try:
            fd = os.open(name, _CREATE, 0o600, dir_fd=destination.directories.open(home))
            destination.directories.touched.add(home)
        except PermissionError:
            fd = destination.directories.change(home, lambda directory: os.open(name, _CREATE, 0o600, dir_fd=directory))
        return fd

    def make_whole(
        self, parent: int, files: Sequence[int], runs: Sequence[Sequence[Data]], lengths: Sequence[int]
    ) -> Statuses:
        """Make whole files of a directory, at most `at_once`, with their attributes, and return their statuses.

        Small files come by the thousand. Each costs six system calls here and a rename later, and Python would take
        longer than these if it called a function for each step and file. So each step is done for all of them before
        the next one. If any of them cannot be taken, or needs more than this, all that were made are removed.

        parent: the directory's entry. runs: the buffers of each file. lengths: the bytes of each.
        """
        ancestor, home = self.homes.ancestor(parent), self.homes.home(parent)
        names = list(map(self.temporary_name, files))
        home_fd = self._destination.directories.open(home)  # no other directory is opened before all is done
        self._destination.directories.touched.add(home)
        made: list[bytes] = []
        fds: list[int] = []
        try:
            for name in names:
                fds.append(os.open(name, _CREATE, 0o600, dir_fd=home_fd))
                made.append(name)
            if list(map(os.writev, fds, runs)) != lengths:
                raise OSError("some bytes are left to write")
            entries = [self._plan.entries[file] for file in files]
            self._destination.placement.check(entries, ancestor, home, names[0])
            statuses = self._destination.metadata.give_new(entries, fds)
            while fds:
                os.close(fds.pop())
        except OSError:
            for fd in fds:
                close_quietly(fd)
            for name in made:
                with suppress(OSError):  # the next run removes it as stale
                    os.unlink(name, dir_fd=home_fd)
            raise
        return statuses

    def keep(self, file: int, fd: int) -> None:
        """Keep the descriptor of an incomplete file open, if there is room."""
        self._fds.put(file, fd)

    def open(self, file: int) -> int:
        """Return the descriptor of an incomplete file that was created before."""
        fd = self._fds.get(file)
        if fd is None:
            fd = self._reopen(file)
            self._fds.put(file, fd)
        return fd

    def close(self, file: int) -> None:
        """Close the descriptor that is kept of a file, if there is one."""
        self._fds.close(file)

    def adopt(self, file: int, directory: int, name: bytes, fd: int) -> None:
        """Rename a file of an earlier session to be this plan's. directory, name: where it is now. fd: of the file."""
        self._rename_over(file, directory, name, fd)
        self._identities.note_partial(file, fd)
        self._destination.directories.touched.update((directory, self.home(file)))

    def remove(self, file: int) -> None:
        """Remove a file, or leave it to the next run, which removes it as stale. An old version stays, torn."""
        with suppress(OSError):  # its data does not matter any more
            self._fds.close(file)
        if file not in self.overwritten:
            with suppress(OSError):
                self._destination.directories.change(self.home(file), lambda fd: os.unlink(self.name(file), dir_fd=fd))

    # whether they are still the same

    def note_whole(self, files: Sequence[int], statuses: Statuses) -> None:
        """Remember the statuses of complete files of one directory after the last change to them."""
        self._identities.note(files, statuses)

    def note_partial(self, file: int, fd: int) -> None:
        """Remember a file that will be opened again for a last change."""
        self._identities.note_partial(file, fd)

    def duplicate_whole(self, file: int) -> int:
        """Return a new descriptor of a complete file."""
        fd = open_regular(self.name(file), self._home_fd(file))
        if self._is_untouched(file, os.fstat(fd)):
            return fd
        os.close(fd)
        raise replaced_error()

    def check(self, file: int) -> None:
        """Raise OSError unless the name of a complete file still leads to that file."""
        status = os.stat(self.name(file), dir_fd=self._home_fd(file), follow_symlinks=False)
        if not self._is_untouched(file, status):
            raise replaced_error()

    def check_overwritten(self, file: int, fd: int) -> None:
        """Raise OSError if another run has overwritten or replaced a file that is overwritten and open as fd."""
        status = os.fstat(fd)
        if not (lock_old(fd) and status.st_nlink and status.st_size == self.overwritten[file]):
            raise replaced_error()

    def check_placed(self, file: int, parent_fd: int, name: bytes) -> None:
        """Raise OSError, and remove the name, unless it was this staged file that was renamed to another directory.

        parent_fd: of that directory. A user who may write to the staging directory could replace a file between `check`
        and the rename, and so get a file of their own into a directory that they may not write to.
        """
        status = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
        if not self._identities.is_placed(file, status):
            os.unlink(name, dir_fd=parent_fd)
            raise replaced_error()

    def _take_old(self, file: int, entry: int) -> int:
        """Let the old version be the staged file. Return its descriptor, or -1 if it cannot be."""
        self.overwritten.pop(file, None)
        fd = open_old(self._destination, self._manifest, entry, self._plan.data_of(file))
        if fd >= 0:
            self.overwritten[file] = os.fstat(fd).st_size
        return fd

    def _remove_old(self, entry: int) -> None:
        """Remove the old file to free its space; a directory in its place is left to the commit."""
        name = self._manifest.names[entry]
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self._destination.directories.change(self._manifest.parents[entry], lambda fd: os.unlink(name, dir_fd=fd))

    def _reopen(self, file: int) -> int:
        fd = open_regular(self.name(file), self._home_fd(file), os.O_RDWR)
        try:
            self._identities.check_partial(file, fd, is_shared=self._is_shared(file))
            if file in self.overwritten:
                self.check_overwritten(file, fd)
        except OSError:
            os.close(fd)
            raise
        return fd

    def _rename_over(self, file: int, directory: int, name: bytes, fd: int) -> None:
        """Rename a file of an earlier session, and raise OSError unless it was the open file that got the name."""
        directories = self._destination.directories
        home = self.home(file)
        fds = directories.pair(directory, home)
        try:
            os.rename(name, self.name(file), src_dir_fd=fds[0], dst_dir_fd=fds[1])
        except PermissionError:
            if not directories.loosen(directory) | directories.loosen(home):
                raise
            fds = directories.pair(directory, home)
            os.rename(name, self.name(file), src_dir_fd=fds[0], dst_dir_fd=fds[1])
        if not os.path.samestat(os.fstat(fd), os.stat(self.name(file), dir_fd=fds[1], follow_symlinks=False)):
            raise replaced_error()

    def _home_fd(self, file: int) -> int:
        return self._destination.directories.open(self.home(file))

    def _is_shared(self, file: int) -> bool:
        return self.homes.is_shared(self.home(file))

    def _is_untouched(self, file: int, status: os.stat_result) -> bool:
        """Return whether this is the status of the complete staged file, unchanged."""
        entry = self._plan.entries[file]
        size, mtime_ns = self._manifest.sizes[entry], self._manifest.mtime_ns(entry)
        return self._identities.is_whole(file, status, size, mtime_ns, is_shared=self._is_shared(file))


def _is_plain(policy: Policy) -> bool:
    """Return whether files that arrive whole are just created, written and given their attributes."""
    is_special = policy.sparse or policy.preallocates or policy.drops_cache or policy.remove_first
    return not is_special and not overwrites(policy)


def reserve(fd: int, size: int) -> None:
    """Reserve space for a file, where the file system is able to. Raise OSError if there is too little."""
    try:
        if size:
            os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in _CANNOT_RESERVE:
            raise
