"""Flush the file systems of a destination, so that its changes survive a power cut (--durable)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

from mrsync.files import CAUTIOUS
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.flushing import flush_file_system
from mrsync.tree.fs.mounts import Mounts

LOOK_S = 0.5
AHEAD_BYTES = 8 << 20  # written before a flush is started


class Durability:
    """Flush the file systems of a destination: its own, those mounted below it, and that of its backups.

    While contents arrive, `note_written` flushes in the background, so that little is left to do in the end.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._written = 0
        self._ahead: threading.Thread | None = None
        self._failures: list[OSError] = []  # a file system reports each error only once

    def note_written(self, length: int) -> None:
        """Note that this many bytes were written. The disk begins with them if it is idle."""
        self._written += length
        if self._written < AHEAD_BYTES or (self._ahead is not None and self._ahead.is_alive()):
            return
        self._written = 0
        self._ahead = self._start(self._open_all())

    def flush(self, on_activity: Callable[[int], None]) -> None:
        """Return when all changes made so far are on disk. Raise OSError if a file system reported an error.

        on_activity: called every LOOK_S seconds while the disk is busy, which may take minutes.
        """
        for thread in (self._ahead, self._start(self._open_all())):
            while thread is not None and thread.is_alive():
                thread.join(LOOK_S)
                on_activity(1)
        self._written = 0
        failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    def _open_all(self) -> list[int]:
        """Return one descriptor for each file system that may have changed."""
        destination = self._destination
        fds = [os.dup(destination.root_fd)]
        for point in Mounts().points_below(destination.path):
            with suppress(OSError):  # a mount point that cannot be opened has not been written to
                fds.append(os.open(point, os.O_RDONLY | CAUTIOUS, dir_fd=destination.root_fd))
        backups = destination.removals.backups.outside_fd if destination.removals.backups is not None else -1
        if backups >= 0:
            fds.append(os.dup(backups))
        return _one_each(fds)

    def _start(self, fds: list[int]) -> threading.Thread:
        """Flush in a thread, so that this one can go on. The descriptors are closed there."""

        def flush() -> None:
            for fd in fds:
                try:
                    flush_file_system(fd)
                except OSError as error:
                    self._failures.append(error)
                finally:
                    os.close(fd)

        thread = threading.Thread(target=flush, name="flush", daemon=True)
        thread.start()
        return thread


def _one_each(fds: list[int]) -> list[int]:
    """Return one descriptor per device and close the others."""
    kept: dict[int, int] = {}
    for fd in fds:
        if kept.setdefault(os.fstat(fd).st_dev, fd) != fd:
            os.close(fd)
    return list(kept.values())
