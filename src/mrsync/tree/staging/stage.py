"""Write contents beside their final place."""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from operator import sub
from typing import Union

from mrsync.files import CAUTIOUS, may_others_write, open_regular
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.descriptors import cache_limit
from mrsync.tree.fs.fdcache import FdCache
from mrsync.tree.fs.handles import Opened
from mrsync.tree.fs.holes import write_sparsely
from mrsync.tree.fs.temporary_names import link_name, staged_name
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.staging.checkpoint import Checkpoints
from mrsync.tree.staging.identity import Identities, taken
from mrsync.tree.staging.journal import Journal

Data = Union[bytes, bytearray, memoryview]

WAITING, STARTED, WHOLE, SAT_OUT, UNWANTED, DISCARDED, PLACED = range(7)
FILES_OPEN_MAX = 128
IOV_MAX = 1024
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | CAUTIOUS


class Stage:
    """Staged files of a plan, named .mrsync-<tag>-<plan file>, in the deepest directory of their path that exists.

    needs: what `compare` found here; planned files that only others need are passed over. tag: hexadecimal, of the
    session. A file that cannot be taken is sat out, with all that was staged of it removed; nothing is raised for it.
    states: per plan file. journal: hears of all that is staged, so that a later session may take it up; then it stays
    when this one breaks. Duty: `advance` until it returns False, at first and after every write.

    Users of this host may have the right to rename and replace staged files. So each is bound to its inode: whatever is
    opened again or renamed into place is the very file that was written here.
    """

    def __init__(
        self, destination: Destination, manifest: Manifest, plan: Plan, needs: Iterable[tuple[int, int]], tag: str
    ) -> None:
        self.destination = destination
        self.manifest = manifest
        self.plan = plan
        self.ready = 0
        self.bytes_written = 0
        self.states = bytearray([UNWANTED]) * plan.file_count
        for first, end in needs:
            low, high = plan.first_file(first), plan.first_file(end)
            self.states[low:high] = bytes([WAITING]) * (high - low)
        self.journal: Journal | None = None
        self._checkpoints: Checkpoints | None = None
        self._tag = tag.encode("ascii")
        self._remaining = array("q", map(sub, plan.starts[1:], plan.starts))
        self._dense: set[int] = set()  # files that had contents when they were begun, so that zeros must be written
        self._homes: dict[int, int] = {}
        self._identities = Identities(plan.file_count)
        self._shared: dict[int, bool] = {}  # homes: whether others may write there
        self._fds = FdCache(cache_limit(FILES_OPEN_MAX), self._identities.note_partial)
        self._sat_out: deque[tuple[int, int]] = deque()  # the worker appends, the loop takes

    def write(self, offset: int, data: Data) -> None:
        """Take bytes of the contents object; each must come exactly once, in any order."""
        self._write_run(offset, [data], len(data))

    def write_many(self, pages: Iterable[tuple[int, Data]]) -> None:
        """Take several pages; those that follow one another in a file become one write."""
        run: list[Data] = []
        start = end = 0
        for offset, data in sorted(pages, key=lambda page: page[0]):
            if run and (offset != end or len(run) == IOV_MAX):
                self._write_run(start, run, end - start)
                run = []
            if not run:
                start = end = offset
            run.append(data)
            end += len(data)
        if run:
            self._write_run(start, run, end - start)
        if self.journal is not None:
            self._keep_journal()

    def advance(self, most: int = 1000) -> bool:
        """Move `ready` on, making files that have no data on the way; True if it stopped after `most` of them."""
        file = self.ready
        while file < len(self.states) and most:
            if self.states[file] == WAITING and not self._remaining[file]:
                self._write_piece(file, 0, [], 0)
                most -= 1
            if self.states[file] in (WAITING, STARTED):
                break
            file += 1
        self.ready = file
        if self.journal is not None and file == len(self.states):
            self.journal.flush()  # perhaps nothing more is written for a long time
        return not most

    def take_sat_out(self) -> list[tuple[int, int]]:
        """(plan file, errno) of files sat out since the last call."""
        taken = []
        while self._sat_out:
            taken.append(self._sat_out.popleft())
        return taken

    def unplaced(self) -> list[int]:
        """Entries whose contents were needed here and did not get into place."""
        return [self.plan.entries[file] for file, state in enumerate(self.states) if state not in (PLACED, UNWANTED)]

    def missed(self) -> list[int]:
        """Entries that are neither in place nor sat out nor discarded: nobody was told what became of them."""
        return [self.plan.entries[file] for file, state in enumerate(self.states) if state in (WAITING, STARTED, WHOLE)]

    def placed(self) -> list[int]:
        """Entries whose contents got into place."""
        return [self.plan.entries[file] for file, state in enumerate(self.states) if state == PLACED]

    def sit_out(self, file: int, reason: int) -> None:
        """This file cannot be taken: errno reason."""
        self.discard(file)
        self.states[file] = SAT_OUT
        self._sat_out.append((file, reason))

    def discard(self, file: int) -> None:
        """Remove what is staged of a file, if anything is."""
        if self.states[file] in (STARTED, WHOLE):
            with suppress(OSError):  # it goes
                self._fds.close(file)
            if self.journal is not None:
                self.journal.forget(file)
            directory = self.home(self._parent(file))
            # What cannot be removed now is removed as stale by the next run.
            with suppress(OSError):
                self.destination.change(directory, lambda fd: os.unlink(self.name(file), dir_fd=fd))
        self.states[file] = DISCARDED

    def start_journal(self) -> None:
        """Keep a journal from now on, if this can be done here."""
        files = array("I", (file for file, state in enumerate(self.states) if state == WAITING))
        if files and self.plan.inodes:
            with suppress(OSError):  # then a later session takes nothing up
                self.journal = Journal(self.destination, self._tag, self.manifest, self.plan, files)
                self._checkpoints = Checkpoints(self.journal, self.duplicate)

    def end_journal(self) -> None:
        """All that was staged is in its place, or gone."""
        if self.journal is not None:
            self.journal.remove()
            self.journal = None

    def cleanup(self) -> None:
        """Take no more, remove every staged file but those that the journal knows, and give back temporary modes."""
        kept = self.journal
        if kept is not None and kept.is_empty:
            self.end_journal()
            kept = None
        for file, state in enumerate(self.states):
            if state in (STARTED, WHOLE) and kept is not None and kept.knows(file):
                self._leave(file)
            elif state in (WAITING, STARTED, WHOLE):
                self.discard(file)
        if kept is not None:
            kept.close()
        self.destination.directories.restore()

    def _leave(self, file: int) -> None:
        """To a later session; what may not have been written is no good to it."""
        try:
            self._fds.close(file)
        except OSError:
            self.discard(file)

    def take_over(
        self, file: int, directory: int, name: bytes, fd: int, pieces: Iterable[tuple[int, int]], *, is_cloned: bool
    ) -> None:
        """Make what an earlier session staged of a file, with these spans of its bytes, this one's; raises OSError.

        fd: of that file, which was found to be the one that the session staged.
        """
        home = self.home(self._parent(file))
        if self.journal is not None:  # first: while it has the old name, the old journal is believed
            self.journal.bound(file, fd)
            if is_cloned:
                self.journal.cloned(file)
            for first, end in pieces:
                self.journal.piece(file, first, end - first)
            self.journal.flush()
        try:
            self._rename_over(file, directory, name, fd)
        except OSError:
            if self.journal is not None:
                self.journal.forget(file)
            raise
        self._identities.note_partial(file, fd)
        self.destination.touched.update((directory, home))
        self.states[file] = STARTED
        self._dense.add(file)

    def begin(self, file: int) -> int:
        """Descriptor of the staged file of a file that is waited for, made if need be; OSError. Good until the next."""
        return self._open(file)

    def put(self, file: int, pieces: Iterable[tuple[int, int]], data: bytes) -> None:
        """Write bytes of a file that was begun, (offset, length) of each piece; OSError."""
        view = memoryview(data)
        for position, length in pieces:
            self._write_all(file, self._open(file), [view[:length]], position, length)
            view = view[length:]
        self.claim(file, pieces)

    def claim(self, file: int, pieces: Iterable[tuple[int, int]]) -> None:
        """These bytes of a file that was begun are what they must be."""
        if self.journal is not None:
            for position, length in pieces:
                self.journal.piece(file, position, length)
            self._keep_journal()

    def give_up(self, file: int) -> None:
        """What is staged of a file is of no use: it is waited for from the beginning."""
        self.discard(file)
        self.states[file] = WAITING

    def complete(self, file: int, fd: int) -> None:
        """All of a file that was taken over is there; if it cannot be finished, OSError, and it is waited for."""
        try:
            self._complete(file, fd)
        except OSError:
            self.give_up(file)
            raise
        self._fds.close(file)
        self._remaining[file] = 0

    def expect(self, file: int, length: int) -> None:
        """Of a file that was taken over so many bytes are to come."""
        self._remaining[file] = length

    def duplicate(self, file: int) -> int:
        """Another descriptor of a staged file, for reading too; raises OSError."""
        if self.states[file] == STARTED:
            return os.dup(self._open(file))
        fd = open_regular(self.name(file), self._home_fd(file))
        if self.states[file] == WHOLE and self._is_untouched(file, os.fstat(fd)):
            return fd
        os.close(fd)
        raise taken()

    def check(self, file: int) -> None:
        """OSError unless what has the name of a complete staged file now is that file."""
        status = os.stat(self.name(file), dir_fd=self._home_fd(file), follow_symlinks=False)
        if not self._is_untouched(file, status):
            raise taken()

    def check_placed(self, file: int, parent_fd: int, name: bytes) -> None:
        """OSError unless it was this staged file that was just renamed, into another directory; what was, goes.

        Whoever may write to the directory of staged files could replace one between `check` and the rename, and so put
        something into a directory that is closed to them.
        """
        status = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
        if not self._identities.is_placed(file, status):
            os.unlink(name, dir_fd=parent_fd)
            raise taken()

    def is_shared(self, home: int) -> bool:
        """Whether other users may write to this directory."""
        if home not in self._shared:
            self._shared[home] = may_others_write(os.fstat(self.destination.directories.open(home)))
        return self._shared[home]

    def name(self, file: int) -> bytes:
        """Name of a staged file."""
        return staged_name(self._tag, file)

    def link_name(self, entry: int) -> bytes:
        """Temporary name of a link in the making."""
        return link_name(self._tag, entry)

    def home(self, directory: int) -> int:
        """Where files for a directory are staged: the deepest directory of its path that exists at the first call."""
        home = self._homes.get(directory)
        if home is None:
            home = directory
            while home:
                if home in self._homes:
                    home = self._homes[home]
                    break
                try:
                    self.destination.directories.open(home)
                    break
                except (FileNotFoundError, NotADirectoryError):
                    home = self.manifest.parents[home]
            self._homes[directory] = home
        return home

    def _keep_journal(self) -> None:
        if self.journal is not None and self._checkpoints is not None:
            self.journal.flush_now_and_then()
            self._checkpoints.keep_time()

    def _write_run(self, offset: int, run: list[Data], length: int) -> None:
        pieces = self.plan.locate(offset, length)
        if len(pieces) == 1:
            file, position, _ = pieces[0]
            self._write_piece(file, position, run, length)
        elif len(run) > 1:
            for data in run:
                self._write_run(offset, [data], len(data))
                offset += len(data)
        else:
            view = memoryview(run[0])
            at = 0
            for file, position, size in pieces:
                self._write_piece(file, position, [view[at : at + size]], size)
                at += size

    def _write_piece(self, file: int, position: int, run: list[Data], length: int) -> None:
        state = self.states[file]
        if state not in (WAITING, STARTED):
            return
        try:
            if state == WAITING and length == self._remaining[file]:
                fd = self._create(file)
                try:
                    self._write_all(file, fd, run, position, length)
                    self._complete(file, fd)
                finally:
                    os.close(fd)
            else:
                fd = self._open(file)
                self._write_all(file, fd, run, position, length)
                if length == self._remaining[file]:
                    self._complete(file, fd)
                    self._fds.close(file)
                elif self.journal is not None:
                    self.journal.piece(file, position, length)
        except OSError as error:
            self.sit_out(file, error.errno or 0)
            return
        self._remaining[file] -= length
        self.bytes_written += length

    def _write_all(self, file: int, fd: int, run: Sequence[Data], position: int, length: int) -> None:
        if self.manifest.policy.sparse and file not in self._dense:
            write_sparsely(fd, run, position)
        else:
            _write_all(fd, run, position, length)

    def _create(self, file: int) -> int:
        home = self.home(self._parent(file))
        destination = self.destination
        name = self.name(file)
        if self.manifest.policy.remove_first:
            self._remove_old(self.plan.entries[file])
        try:
            fd = os.open(name, _CREATE, 0o600, dir_fd=destination.directories.open(home))
            destination.touched.add(home)
        except PermissionError:
            fd = destination.change(home, lambda directory: os.open(name, _CREATE, 0o600, dir_fd=directory))
        self.states[file] = STARTED
        return fd

    def _remove_old(self, entry: int) -> None:
        """Make room for the new one; a directory in its place waits for the commit."""
        name = self.manifest.names[entry]
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self.destination.change(self.manifest.parents[entry], lambda fd: os.unlink(name, dir_fd=fd))

    def _open(self, file: int) -> int:
        """Descriptor of a staged file that is not complete, for as long as the cache keeps it."""
        fd = self._fds.get(file)
        if fd is not None:
            return fd
        if self.states[file] == WAITING:
            fd = self._create(file)
            if self.journal is not None:
                self.journal.bound(file, fd)
        else:
            fd = self._reopen(file)
        self._fds.put(file, fd)
        return fd

    def _reopen(self, file: int) -> int:
        fd = open_regular(self.name(file), self._home_fd(file), os.O_RDWR)
        try:
            self._identities.check_partial(file, fd, is_shared=self.is_shared(self.home(self._parent(file))))
        except OSError:
            os.close(fd)
            raise
        return fd

    def _rename_over(self, file: int, directory: int, name: bytes, fd: int) -> None:
        """Give a file of an earlier session its new name, and see that it was this file that got it."""
        directories = self.destination.directories
        home = self.home(self._parent(file))
        fds = directories.pair(directory, home)
        try:
            os.rename(name, self.name(file), src_dir_fd=fds[0], dst_dir_fd=fds[1])
        except PermissionError:
            if not directories.loosen(directory) | directories.loosen(home):
                raise
            fds = directories.pair(directory, home)
            os.rename(name, self.name(file), src_dir_fd=fds[0], dst_dir_fd=fds[1])
        if not os.path.samestat(os.fstat(fd), os.stat(self.name(file), dir_fd=fds[1], follow_symlinks=False)):
            raise taken()

    def _parent(self, file: int) -> int:
        return self.manifest.parents[self.plan.entries[file]]

    def _home_fd(self, file: int) -> int:
        return self.destination.directories.open(self.home(self._parent(file)))

    def _is_untouched(self, file: int, status: os.stat_result) -> bool:
        """Whether this is the status of a staged file as we completed it."""
        entry = self.plan.entries[file]
        size, mtime_ns = self.manifest.sizes[entry], self.manifest.mtime_ns(entry)
        is_shared = self.is_shared(self.home(self._parent(file)))
        return self._identities.is_whole(file, status, size, mtime_ns, is_shared=is_shared)

    def _complete(self, file: int, fd: int) -> None:
        """All data is there: the final size, and all attributes as far as they are taken.

        OSError if the file could not be put in place later; then no other target puts it in place either.
        """
        manifest = self.manifest
        entry = self.plan.entries[file]
        self.destination.places.check(entry, self.home(manifest.parents[entry]), self.name(file))
        if file in self.plan.extents or manifest.policy.sparse:
            os.ftruncate(fd, manifest.sizes[entry])
        status = self.destination.metadata.give(entry, Opened(fd)).status
        self.states[file] = WHOLE
        self._identities.note(file, status)
        if self.journal is not None:
            self.journal.whole(file, status)


def _write_all(fd: int, run: Sequence[Data], position: int, length: int) -> None:
    written = os.pwritev(fd, run, position) if run else 0
    if written == length:
        return
    rest = memoryview(b"".join(run))
    while written < length:
        written += os.pwrite(fd, rest[written:], position + written)
