"""Find out how exactly a target's file systems keep times, and which times they cannot hold."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from functools import partial

from mrsync.files import close_quietly
from mrsync.tree.destination.refusals import TIME, Refusals
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.temporary_names import backup_name
from mrsync.tree.model.times import COARSEST_NS, is_kept_time, is_safe_time

_GRAINS_NS = (100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000)
_UNNAMED = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
_NAMED = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Timestamps:
    """Set a time on a probe file and read it back, so that nothing needs to be known about kinds of file systems.

    In a dry run only unnamed probe files are made. Where the file system has none, a time counts as kept if it is the
    wanted one as some file system would round it down.
    """

    def __init__(self, directories: Directories, refusals: Refusals, *, is_dry_run: bool) -> None:
        self._directories = directories
        self._refusals = refusals
        self._is_dry_run = is_dry_run
        self._probes: dict[int, int] = {}  # device -> descriptor of the probe file, -1 for none
        self._named: list[tuple[int, bytes]] = []

    def is_kept(self, directory: int, entry: int, wanted_ns: int, found_ns: int) -> bool:
        """Return whether the time found is the closest to the wanted one that the file system can store.

        Both are in ns since 1970. directory: where the probe file may be made. A time that cannot be stored at all is
        noted as a refusal of the entry.
        """
        if is_safe_time(wanted_ns) and abs(wanted_ns - found_ns) >= COARSEST_NS:
            return False
        if self._kept(directory, wanted_ns, found_ns) != found_ns:
            return False
        if not is_kept_time(wanted_ns, found_ns):
            self._refusals.note(TIME, errno.EOVERFLOW, entry)
        return True

    def close(self) -> None:
        """Remove the probe files. They are made again when needed."""
        for probe in self._probes.values():
            if probe >= 0:
                close_quietly(probe)
        self._probes.clear()
        while self._named:
            directory, name = self._named.pop()
            with suppress(OSError):  # otherwise the next run removes it
                self._directories.change(directory, partial(_unlink, name))

    def _kept(self, directory: int, wanted_ns: int, found_ns: int) -> int:
        """Return the time that the file system stores for the wanted one; without a probe, guess."""
        try:
            device = os.fstat(self._directories.open(directory)).st_dev
            if device not in self._probes:
                self._probes[device] = self._make_probe(directory)
            probe = self._probes[device]
            if probe >= 0:
                os.utime(probe, ns=(wanted_ns, wanted_ns))
                return os.fstat(probe).st_mtime_ns
        except OSError:
            return wanted_ns
        cut = {wanted_ns // grain * grain for grain in _GRAINS_NS} if self._is_dry_run else set()
        return found_ns if found_ns in cut else wanted_ns

    def _make_probe(self, directory: int) -> int:
        with suppress(OSError):
            return os.open(b".", _UNNAMED, 0o600, dir_fd=self._directories.open(directory))
        if self._is_dry_run:
            return -1
        name = backup_name(os.urandom(8).hex().encode(), 0)
        with suppress(OSError):
            probe = self._directories.change(directory, lambda fd: os.open(name, _NAMED, 0o600, dir_fd=fd))
            self._named.append((directory, name))
            return probe
        return -1


def _unlink(name: bytes, directory_fd: int) -> None:
    os.unlink(name, dir_fd=directory_fd)
