"""Note in the journal which staged files are on the disk, so that a resume works even after a power cut.

Large files are synced for that from time to time. With --durable, commits flush the whole file systems (`durability`),
which covers small files as well.

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
from contextlib import suppress
from typing import Callable

from mrsync.tree.staging.journal import Journal

INTERVAL_S = 10.0


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
        """Start syncing all large files with new notes since the last checkpoint."""
        self._due_at = time.monotonic() + INTERVAL_S
        self._journal.flush()
        self._position = self._journal.position
        opened: list[tuple[int, int]] = []
        for file in self._journal.take_dirty() - self._doubted:
            with suppress(OSError):  # no longer staged: it has been committed, for example
                opened.append((file, self._reopened(file)))
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
