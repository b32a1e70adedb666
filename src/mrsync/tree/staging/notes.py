"""Notes: what a stage notes of its files in a journal, if it can keep one.

Without a journal, nothing is noted, and a later session starts from scratch. `journal` says in which order notes and
changes of files must follow each other.

`Checkpoints` note which staged files are on the disk, so that a resume works even after a power cut. Large files are
synced for that from time to time. With --durable, commits flush the whole file systems (`durability`), which covers
small files as well.

The order matters. The journal's position is taken and its notes are flushed before the files are synced, so every
note before that position describes data that the sync covers. Only after fsync has returned does the journal record
DURABLE with that position. A note that arrives during the sync comes after the position and has to wait for the next
checkpoint. Where a sync fails, Linux drops what it could not write and reports that once, so a later success says
nothing about these files, and they are never recorded as durable.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from mrsync.errors import FileError
from mrsync.tree.destination.destination import Destination
from mrsync.tree.destination.root import claim_root, is_closed
from mrsync.tree.fs.descriptors import cache_limit
from mrsync.tree.model.failure import printable
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.status_table import Statuses
from mrsync.tree.staging.journal import Journal

INTERVAL_S = 10.0  # between two checkpoints
FILES_MAX = 64  # of a checkpoint: they are open until they are synced


class Notes:
    """The notes about the staged files of a plan.

    tag: the session's. reopened: see Checkpoints. journal: None if none is kept.
    """

    def __init__(
        self, destination: Destination, manifest: Manifest, plan: Plan, tag: bytes, reopened: Callable[[int], int]
    ) -> None:
        self.journal: Journal | None = None
        self._checkpoints: Checkpoints | None = None
        self._destination = destination
        self._manifest = manifest
        self._plan = plan
        self._tag = tag
        self._reopened = reopened

    def start(self, files: array[int]) -> None:
        """Keep a journal about these plan files from now on, if it can be created.

        Raise FileError if another target of this session is in this directory: its staged files would have our names.
        """
        if is_closed(self._destination.root_fd):
            from mrsync.tree.staging.journal_reader import mark_closed_root

            mark_closed_root(self._destination.root_fd)
        else:
            self._start_journal(files)
        if not claim_root(self._destination.root_fd, self._tag):
            self.end()
            raise self._shared()

    def bound(self, file: int, fd: int) -> None:
        """Note that the pieces of a plan file are in the inode that is open as fd."""
        if self.journal is not None:
            self.journal.bound(file, fd)

    def pieces(self, file: int, pieces: Iterable[tuple[int, int]]) -> None:
        """Note that these pieces (offset, length) of a file are written."""
        if self.journal is not None:
            for position, length in pieces:
                self.journal.piece(file, position, length)

    def whole(self, files: Sequence[int], statuses: Statuses) -> None:
        """Note that plan files are complete. statuses: those of the staged files."""
        if self.journal is not None:
            self.journal.whole(files, statuses)

    def cloned(self, file: int) -> None:
        """Note that the staged file began as a clone of an older version."""
        if self.journal is not None:
            self.journal.cloned(file)

    def forget(self, file: int) -> None:
        """Withdraw all notes about a plan file. Call this before its staged file is removed."""
        if self.journal is not None:
            self.journal.forget(file)

    def knows(self, file: int) -> bool:
        """Return whether a later session can resume this file."""
        return self.journal is not None and self.journal.knows(file)

    def flush(self) -> None:
        """Append what was noted to the journal."""
        if self.journal is not None:
            self.journal.flush()

    def keep_time(self) -> None:
        """Append notes that have waited, and keep checkpoints. Call this after every write."""
        if self.journal is not None:
            self.journal.flush_now_and_then()
        if self._checkpoints is not None:
            self._checkpoints.keep_time()

    def begin_flush(self) -> None:
        """Call this before the file systems are flushed, and `end_flush` if that succeeded."""
        if self._checkpoints is not None:
            self._checkpoints.begin_flush()

    def end_flush(self) -> None:
        """Note that all that was staged before `begin_flush` is on the disk."""
        if self._checkpoints is not None:
            self._checkpoints.end_flush()

    def end(self) -> None:
        """Remove the journal: every staged file is in place or discarded."""
        if self.journal is not None:
            self.journal.remove()
        self.journal = self._checkpoints = None

    def close(self) -> None:
        """Leave the journal to a later session."""
        if self.journal is not None:
            self.journal.close()

    def _start_journal(self, files: array[int]) -> None:
        try:
            self.journal = Journal(self._destination, self._tag, self._manifest, self._plan, files)
        except FileExistsError:
            from mrsync.tree.staging.journal_reader import is_running

            if is_running(self._destination.root_fd, self._tag):
                raise self._shared() from None
        except OSError:
            return
        else:
            self._checkpoints = Checkpoints(self.journal, self._reopened)

    def _shared(self) -> FileError:
        return FileError(
            f"another target of this session has the same directory {printable(self._destination.path)}: "
            "if it is one host with two names, or a shared file system, name it once"
        )


class Checkpoints:
    """Sync files in a thread, so that writing does not wait for the disk, and note the result in the journal.

    reopened: return a new descriptor of a staged file, which is closed here. It raises OSError if the file is no longer
    staged.
    """

    def __init__(self, journal: Journal, reopened: Callable[[int], int]) -> None:
        self._journal = journal
        self._reopened = reopened
        self._due_at = time.monotonic() + INTERVAL_S
        self._thread: threading.Thread | None = None
        self._synced: list[int] = []  # files that the thread has synced; read only after it has ended
        self._position = 0  # length of the journal when the thread was started
        self._uncovered: list[int] = []  # files with new notes when the last flush of the file systems began,
        self._flushed = 0  # and length of the journal then
        self._doubted: set[int] = set()  # files of which the disk may have lost something

    def begin_flush(self) -> None:
        """Note that the file systems are about to be flushed."""
        self._doubted.update(self._uncovered)  # the last flush failed
        self._journal.flush()
        self._uncovered = [file for file in self._journal.take_uncovered() if file not in self._doubted]
        self._flushed = self._journal.position

    def end_flush(self) -> None:
        """Note that the flush succeeded. The notes reach the disk by the next one, after the renames."""
        for file in self._uncovered:
            self._journal.durable(file, self._flushed)
        self._uncovered.clear()
        self._journal.flush()

    def keep_time(self) -> None:
        """Start a checkpoint if one is due, and record one that has ended. Call this after every write."""
        if self._thread is not None:
            if self._thread.is_alive():
                return
            self._thread = None
            self._note()
        if time.monotonic() >= self._due_at:
            self._begin()

    def _begin(self) -> None:
        """Start syncing large files with new notes. If there are too many, the next checkpoint follows at once."""
        self._journal.flush()
        self._position = self._journal.position
        opened: list[tuple[int, int]] = []
        most = cache_limit(FILES_MAX)
        files = self._journal.take_dirty(most)
        for file in files:
            with suppress(OSError):  # no longer staged: it has been committed, for example
                if file not in self._doubted:
                    opened.append((file, self._reopened(file)))
        if len(files) < most:
            self._due_at = time.monotonic() + INTERVAL_S
        if opened:
            self._thread = threading.Thread(target=self._sync, args=(opened,), name="checkpoint", daemon=True)
            self._thread.start()

    def _sync(self, opened: list[tuple[int, int]]) -> None:
        for file, fd in opened:
            try:
                os.fsync(fd)
                self._synced.append(file)
            except OSError:
                self._doubted.add(file)
            os.close(fd)

    def _note(self) -> None:
        for file in self._synced:
            self._journal.durable(file, self._position)
        self._synced.clear()
        self._journal.flush()
        self._journal.sync()
