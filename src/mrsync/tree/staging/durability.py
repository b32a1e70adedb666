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
        with suppress(OSError, RuntimeError):  # too many files or threads: `flush` is what counts
            self._ahead = self._start()

    def flush(self, on_activity: Callable[[int], None]) -> None:
        """Return when all changes made so far are on disk. Raise OSError if a file system reported an error.

        on_activity: called every LOOK_S seconds while the disk is busy, which may take minutes.
        """
        for thread in (self._ahead, self._start()):
            while thread is not None and thread.is_alive():
                thread.join(LOOK_S)
                on_activity(1)
        self._written = 0
        failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    def _start(self) -> threading.Thread:
        """Flush in a thread, so that this one can go on. Raise OSError if it has no descriptors to work with."""
        destination = self._destination
        fds = [os.dup(destination.root_fd)]  # the session may end before the thread
        backups = destination.removals.backups.outside_fd if destination.removals.backups is not None else -1
        try:
            if backups >= 0:
                fds.append(os.dup(backups))
            points = sorted(Mounts().points_below(destination.path))
            thread = threading.Thread(target=self._flush_all, args=(fds, points), name="flush", daemon=True)
            thread.start()
        except BaseException:
            _close(fds)
            raise
        return thread

    def _flush_all(self, fds: list[int], points: list[bytes]) -> None:
        """Flush the file systems of open directories, and those mounted at points below the first one. Close all.

        The mount points are opened one after the other, because there may be more of them than descriptors.
        """
        devices: set[int] = set()
        try:
            for fd in fds:
                self._flush_one(fd, devices)
            for point in points:
                try:
                    fd = os.open(point, os.O_RDONLY | CAUTIOUS, dir_fd=fds[0])
                except (FileNotFoundError, NotADirectoryError, PermissionError):
                    continue  # it was unmounted, or is closed to this user, who cannot have written there
                except OSError as error:
                    self._failures.append(error)
                    continue
                try:
                    self._flush_one(fd, devices)
                finally:
                    os.close(fd)
        finally:
            _close(fds)

    def _flush_one(self, fd: int, devices: set[int]) -> None:
        """Flush the file system of an open directory unless its device is among these, and add it."""
        try:
            device = os.fstat(fd).st_dev
            if device not in devices:
                devices.add(device)
                flush_file_system(fd)
        except OSError as error:
            self._failures.append(error)


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
