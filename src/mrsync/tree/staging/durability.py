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


class Durability:
    """Flush the file systems of a destination: its own, those mounted below it, and that of its backups.

    on_activity: called every LOOK_S seconds while the disk is busy, which may take minutes.
    """

    def __init__(self, destination: Destination, on_activity: Callable[[int], None]) -> None:
        self._destination = destination
        self._on_activity = on_activity

    def flush(self) -> None:
        """Return when all changes made so far are on disk. Raise OSError if a file system reports an error."""
        for fd in self._open_all():
            try:
                self._flush(fd)
            finally:
                os.close(fd)

    def _open_all(self) -> list[int]:
        """Return one descriptor for each file system that may have changed."""
        destination = self._destination
        fds = [os.dup(destination.root_fd)]
        for point in Mounts().points_below(destination.path):
            with suppress(OSError):  # a mount point that cannot be opened has not been written to
                fds.append(os.open(point, os.O_RDONLY | CAUTIOUS, dir_fd=destination.root_fd))
        backups = destination.backups.outside_fd if destination.backups is not None else -1
        if backups >= 0:
            fds.append(os.dup(backups))
        return _one_each(fds)

    def _flush(self, fd: int) -> None:
        """Flush in a thread, so that this one can report activity meanwhile."""
        failures: list[OSError] = []

        def flush() -> None:
            try:
                flush_file_system(fd)
            except OSError as error:
                failures.append(error)

        thread = threading.Thread(target=flush, name="flush", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(LOOK_S)
            self._on_activity(1)
        if failures:
            raise failures[0]


def _one_each(fds: list[int]) -> list[int]:
    """Return one descriptor per device and close the others."""
    kept: dict[int, int] = {}
    for fd in fds:
        if kept.setdefault(os.fstat(fd).st_dev, fd) != fd:
            os.close(fd)
    return list(kept.values())
