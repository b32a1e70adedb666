"""Write received contents to staged files beside their final names.

Why files are staged: readers of the destination must see the old file or the new one, complete, and a run that breaks
off must change nothing. rename() gives exactly that, but only within one file system. So each file is staged in the
deepest existing directory of its own path, or in that of --temp-dir (`Homes`), under the temporary name
.mrsync-<tag>-<plan file> (`StagedFiles`). With --inplace, the old version is the staged file where that is possible
(`overwriting`): it has its final name already, and the journal knows nothing about it.

The states of planned files, and how they follow one another, are in `staged_files`.

Invariants:

- Each byte is written once. `_remaining` counts the bytes to come, so a file is complete when it reaches zero; a
  page that is written twice would complete a file too early. The protocol passes each page on exactly once.
- A complete file already has its final size, owner, mode and time, and `Placement.check` has found that its name can be
  replaced. So a commit is a mere rename, and little is left that could fail on one target only. A file that is
  overwritten gets size and attributes at its commit (`settle_overwritten`). Until then they show that it is torn.
- Data is noted after it was written and withdrawn before it is removed; see `notes` and `journal`.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby, repeat
from operator import sub

from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.page_cache import forget_whole, forget_written
from mrsync.tree.fs.pieces import Data, cut, write_all, write_sparsely
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.status_table import Statuses
from mrsync.tree.staging.identity import replaced_error
from mrsync.tree.staging.notes import Notes
from mrsync.tree.staging.staged_files import (
    DISCARDED,
    SAT_OUT,
    STARTED,
    WAITING,
    WHOLE,
    FileStates,
    StagedFiles,
    reserve,
)

IOV_MAX = 1024


class Stage:
    """The staged files of one plan.

    needs: ranges of manifest entries whose contents `compare` found to be needed here.
    tag: the session's, hexadecimal.
    states: the state of each plan file.
    files: the temporary files themselves.
    ready: every plan file below this number is complete, sat out or not needed.
    notes: by them, staged files survive a broken session.
    unchanged: plan files that have the contents of their old versions, so that no backups of these are kept; with
    (device, inode) of an old version that was replaced.

    A file that cannot be written is sat out: its staged file is removed, and no error is raised. Call `advance` until
    it returns False, at the start and after every write.
    """

    def __init__(
        self, destination: Destination, manifest: Manifest, plan: Plan, needs: Iterable[tuple[int, int]], tag: str
    ) -> None:
        self.destination = destination
        self.manifest = manifest
        self.plan = plan
        self.ready = 0
        self.bytes_written = 0
        self.states = FileStates(plan, needs)
        self.files = StagedFiles(destination, manifest, plan, tag.encode("ascii"))
        self.notes = Notes(destination, manifest, plan, tag.encode("ascii"), self.duplicate)
        self._remaining = array("q", map(sub, plan.starts[1:], plan.starts))
        self._prefilled: set[int] = set()  # files that were not empty at first
        self.unchanged: dict[int, tuple[int, int] | None] = {}
        self._sat_out: deque[tuple[int, int]] = deque()  # the worker appends, the loop takes

    def write(self, offset: int, data: Data) -> None:
        """Write bytes at an offset of the contents object. Each byte must be passed exactly once, in any order."""
        self._write_run(offset, [data], len(data))

    def write_many(self, pages: Iterable[tuple[int, Data]]) -> None:
        """Write several pages, (offset, bytes) each; adjacent ones of one file become a single write."""
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
        self.notes.keep_time()

    def advance(self, most: int = 1000) -> bool:
        """Move `ready` forward, creating files without data on the way. Return True if it stopped after `most` of them.

        most: a limit that keeps one call short; call again if it was reached.
        """
        file = self.ready
        while file < len(self.states) and most:
            if self.states[file] not in (WAITING, STARTED):
                file += 1
                continue
            end = file
            while end < min(file + most, len(self.states)) and self._is_empty(end):
                end += 1
            if end == file:
                break
            self._write_pieces([(each, 0, 0) for each in range(file, end)], repeat([]))
            most -= end - file
        self.ready = file
        if file == len(self.states):
            self.notes.flush()  # there may be no further write for a long time
        return not most

    def take_sat_out(self) -> list[tuple[int, int]]:
        """Return (plan file, errno) of each file sat out since the last call."""
        taken = []
        while self._sat_out:
            taken.append(self._sat_out.popleft())
        return taken

    def sit_out(self, file: int, reason: int) -> None:
        """Give up a file for this session. reason: an errno."""
        self.discard(file)
        self.states[file] = SAT_OUT
        self._sat_out.append((file, reason))

    def discard(self, file: int) -> None:
        """Remove the staged file, if there is one."""
        if self.states[file] in (STARTED, WHOLE):
            self.notes.forget(file)
            self.files.remove(file)
        self.states[file] = DISCARDED

    def start_journal(self) -> None:
        """Keep a journal from now on, if it can be created. Raise FileError as `Notes.start` does."""
        files = array("I", (file for file, state in enumerate(self.states) if state == WAITING))
        if files:
            self.notes.start(files)

    def cleanup(self) -> None:
        """Stop. Remove every staged file that the journal does not know, and undo temporary modes."""
        journal = self.notes.journal
        if journal is not None and journal.is_empty:
            self.notes.end()
        for file, state in enumerate(self.states):
            if state in (STARTED, WHOLE) and self.notes.knows(file):
                self._leave(file)
            elif state in (WAITING, STARTED, WHOLE):
                self.discard(file)
        self.notes.close()
        self.destination.directories.restore()

    def forget_writing(self) -> None:
        """Free what only writing and renaming needed, 24 bytes per file. No staged file may be left."""
        self._remaining = array("q")
        self.files.forget_identities()

    def _leave(self, file: int) -> None:
        """Leave a file to a later session, unless closing it reports that data may be lost."""
        try:
            self.files.close(file)
        except OSError:
            self.discard(file)

    def take_over(
        self, file: int, directory: int, name: bytes, fd: int, pieces: Iterable[tuple[int, int]], *, is_cloned: bool
    ) -> None:
        """Adopt a staged file of an earlier session for a plan file. Raise OSError if it cannot be renamed.

        file: the plan file.
        directory, name: entry of the directory where it is now, and its name there.
        fd: its descriptor, already verified; the stage keeps it.
        pieces: spans [first, end) of bytes that it has.
        is_cloned: the other bytes may have any value.
        """
        self.notes.bound(file, fd)  # before the rename: until then the old journal still covers the file
        if is_cloned:
            self.notes.cloned(file)
        self.notes.pieces(file, ((first, end - first) for first, end in pieces))
        self.notes.flush()
        try:
            self.files.adopt(file, directory, name, fd)
        except OSError:
            self.notes.forget(file)
            raise
        self.states[file] = STARTED
        self._prefilled.add(file)

    def begin(self, file: int) -> int:
        """Return the descriptor of an incomplete staged file, creating it if necessary. Raise OSError.

        The descriptor is valid until the next call of any method that opens files.
        """
        return self._open(file)

    def put(self, file: int, pieces: Sequence[tuple[int, int]], data: bytes) -> None:
        """Write data to a file that was begun, split into pieces (offset, length). Raise OSError."""
        view = memoryview(data)
        for position, length in pieces:
            self._write_all(file, self._open(file), [view[:length]], position, length)
            view = view[length:]
        self.note_pieces(file, pieces)

    def note_pieces(self, file: int, pieces: Iterable[tuple[int, int]]) -> None:
        """Note in the journal that these pieces (offset, length) of a file that was begun are right."""
        self._note(file, pieces)
        self.notes.keep_time()

    def _note(self, file: int, pieces: Iterable[tuple[int, int]]) -> None:
        """Note pieces for a resume, which no overwritten file has.

        To flush one in another thread would keep its lock there, so that it could not be opened again.
        """
        if file not in self.files.overwritten:
            self.notes.pieces(file, pieces)

    def restart(self, file: int) -> None:
        """Discard the staged file and wait for all its contents again."""
        self.discard(file)
        self.states[file] = WAITING

    def complete(self, file: int, fd: int) -> None:
        """Complete an adopted file that needs no more bytes. On failure, wait for it again and raise OSError."""
        try:
            self._complete(file, fd)
        except OSError:
            self.restart(file)
            raise
        self.files.close(file)
        self._remaining[file] = 0

    def settle_overwritten(self, file: int) -> None:
        """Give an overwritten file its size and attributes, because its commit is granted. Raise OSError."""
        entry = self.plan.entries[file]
        fd = self.files.open(file)
        self.files.check_overwritten(file, fd)
        os.ftruncate(fd, self.manifest.sizes[entry])
        self.destination.metadata.give_new([entry], [fd])
        self.files.close(file)

    def expect(self, file: int, length: int) -> None:
        """Set the number of bytes that will still be written to an adopted file."""
        self._remaining[file] = length

    def duplicate(self, file: int) -> int:
        """Return a new descriptor of a staged file, readable as well. Raise OSError if it was replaced."""
        if self.states[file] == STARTED:
            return os.dup(self._open(file))
        if self.states[file] != WHOLE:
            raise replaced_error()
        return self.files.duplicate_whole(file)

    def _is_empty(self, file: int) -> bool:
        """Return whether a file is waited for and has no data."""
        return self.states[file] == WAITING and not self._remaining[file]

    def _write_run(self, offset: int, run: list[Data], length: int) -> None:
        pieces = self.plan.locate(offset, length)
        if len(pieces) == 1:
            file, position, _ = pieces[0]
            self._write_piece(file, position, run, length)
        else:
            self._write_pieces(pieces, cut(run, (size for _, _, size in pieces)))

    def _write_pieces(self, pieces: Iterable[tuple[int, int, int]], data: Iterable[list[Data]]) -> None:
        """Write pieces of different files, (file, offset, length) each. Whole files of one directory are made together.

        data: the buffers of each piece.
        """
        for parent, some in groupby(zip(pieces, data), key=lambda found: self._plain_parent(*found[0])):
            left = list(some)
            while parent >= 0 and left and self._make_plainly(parent, left[: self.files.at_once]):
                del left[: self.files.at_once]
            for (file, position, length), run in left:
                self._write_piece(file, position, run, length)

    def _plain_parent(self, file: int, _: int, length: int) -> int:
        """Return the directory of a file that is waited for and is whole in a piece of this length, else -1."""
        is_whole = self.states[file] == WAITING and length == self._remaining[file] and file not in self.plan.extents
        return self.manifest.parents[self.plan.entries[file]] if is_whole and self.files.at_once else -1

    def _make_plainly(self, parent: int, found: Sequence[tuple[tuple[int, int, int], list[Data]]]) -> bool:
        """Make files of a directory, each of one piece. Return False if that fails for any, and leave all as it was."""
        files, lengths = [file for (file, _, _), _ in found], [length for (_, _, length), _ in found]
        try:
            statuses = self.files.make_whole(parent, files, [run for _, run in found], lengths)
        except OSError:
            return False  # each is tried alone, which shows what is wrong
        for file in files:
            self._remaining[file] = 0
        self.bytes_written += sum(lengths)
        self._note_whole(files, statuses)
        return True

    def _note_whole(self, files: Sequence[int], statuses: Statuses) -> None:
        """Note that files are complete. statuses: as they were after the last change to them."""
        for file in files:
            self.states[file] = WHOLE
        self.files.note_whole(files, statuses)
        self.notes.whole(files, statuses)

    def _write_piece(self, file: int, position: int, run: list[Data], length: int) -> None:
        state = self.states[file]
        if state not in (WAITING, STARTED):
            return
        try:
            if state == WAITING and length == self._remaining[file]:
                self._write_whole(file, run, position, length)
            else:
                fd = self.files.open(file) if state == STARTED else self._open(file)
                self._write_all(file, fd, run, position, length)
                if length == self._remaining[file]:
                    self._complete(file, fd)
                    self.files.close(file)
                else:
                    self._note(file, [(position, length)])
        except OSError as error:
            self.sit_out(file, error.errno or 0)
            return
        self._remaining[file] -= length
        self.bytes_written += length

    def _write_whole(self, file: int, run: Sequence[Data], position: int, length: int) -> None:
        """Write a file that arrived as one piece, as most files do."""
        fd = self._create(file)
        try:
            self._write_all(file, fd, run, position, length)
            self._complete(file, fd)
        finally:
            os.close(fd)

    def _write_all(self, file: int, fd: int, run: Sequence[Data], position: int, length: int) -> None:
        if self.manifest.policy.sparse:
            write_sparsely(fd, run, position, is_empty=file not in self._prefilled)
        else:
            write_all(fd, run, position, length)
        if self.manifest.policy.drops_cache:
            forget_written(fd, position, length)

    def _create(self, file: int) -> int:
        fd = self.files.create(file)
        self.states[file] = STARTED
        if file in self.files.overwritten:
            self._prefilled.add(file)
            return fd
        policy = self.manifest.policy
        if policy.preallocates and not policy.sparse and file not in self.plan.extents:
            try:
                reserve(fd, self.manifest.sizes[self.plan.entries[file]])
            except OSError:
                os.close(fd)
                raise
        return fd

    def _open(self, file: int) -> int:
        """Return the descriptor of an incomplete staged file. It is owned by the cache, which may close it later."""
        if self.states[file] != WAITING:
            return self.files.open(file)
        fd = self._create(file)
        if file not in self.files.overwritten:
            self.notes.bound(file, fd)
        self.files.keep(file, fd)
        return fd

    def _complete(self, file: int, fd: int) -> None:
        """Set final size and attributes of a file with all its data.

        Raise OSError if it could not be renamed into place later. This is found out now, before any target commits, so
        that with --commit file the other targets do not commit it either.
        """
        manifest = self.manifest
        entry = self.plan.entries[file]
        if manifest.policy.drops_cache:
            forget_whole(fd, manifest.sizes[entry])
        if file in self.files.overwritten:
            self.files.note_partial(file, fd)
            self.states[file] = WHOLE
            return
        ancestor = self.files.homes.ancestor(manifest.parents[entry])
        self.destination.placement.check([entry], ancestor, self.files.home(file), self.files.name(file))
        if file in self.plan.extents or manifest.policy.sparse:
            os.ftruncate(fd, manifest.sizes[entry])
        self._note_whole([file], self.destination.metadata.give_new([entry], [fd]))
