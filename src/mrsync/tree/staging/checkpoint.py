"""Checkpoints: now and then what is staged of large files goes to the disk, so that it outlives a crash."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import Callable

from mrsync.tree.staging.journal import Journal

INTERVAL_S = 10.0


class Checkpoints:
    """Syncs files in a thread of its own, so that nobody waits for it, and tells the journal when it is done.

    reopened: gives a descriptor of a staged file, to be closed here; raises OSError where it is no longer staged.
    """

    def __init__(self, journal: Journal, reopened: Callable[[int], int]) -> None:
        self._journal = journal
        self._reopened = reopened
        self._due_at = time.monotonic() + INTERVAL_S
        self._thread: threading.Thread | None = None
        self._synced: list[int] = []  # files, by the thread
        self._position = 0  # of the journal when the thread began

    def keep_time(self) -> None:
        """Called after every write."""
        if self._thread is not None:
            if self._thread.is_alive():
                return
            self._thread = None
            self._note()
        if time.monotonic() >= self._due_at:
            self._begin()

    def _begin(self) -> None:
        """Have all files synced of which something was claimed since the last time."""
        self._due_at = time.monotonic() + INTERVAL_S
        self._journal.flush()
        self._position = self._journal.position
        opened: list[tuple[int, int]] = []
        for file in self._journal.take_dirty():
            with suppress(OSError):  # it is in its place, for one
                opened.append((file, self._reopened(file)))
        if opened:
            self._thread = threading.Thread(target=self._sync, args=(opened,), name="checkpoint", daemon=True)
            self._thread.start()

    def _sync(self, opened: list[tuple[int, int]]) -> None:
        for file, fd in opened:
            with suppress(OSError):  # then it does not count as synced
                os.fsync(fd)
                self._synced.append(file)
            os.close(fd)

    def _note(self) -> None:
        for file in self._synced:
            self._journal.durable(file, self._position)
        self._synced.clear()
        self._journal.flush()
        self._journal.sync()
