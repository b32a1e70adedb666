"""Whether a staged file will get its name, found out before anything is changed anywhere."""

from __future__ import annotations

import errno
import os
import re
import stat
from functools import cached_property
from typing import TYPE_CHECKING

from mrsync.tree.destination.removal import check_name, check_tree
from mrsync.tree.fs.mounts import Mounts
from mrsync.tree.model.manifest import Manifest

if TYPE_CHECKING:
    from mrsync.tree.destination.destination import Destination

# Names that every file system takes, and one that takes all that can be in a name.
_HARMLESS = re.compile(rb"[A-Za-z0-9_-]([A-Za-z0-9 ._-]{0,98}[A-Za-z0-9_-])?")
_NASTY = b'\xff\x01:*?"<>|\\'.ljust(254, b"x") + b"."


class Places:
    """Asks the kernel for what it would refuse: flags such as immutable and append-only, sticky directories, mounts.

    All checks raise the OSError that the change itself would raise, and change nothing.
    """

    def __init__(self, destination: Destination, manifest: Manifest) -> None:
        self._destination = destination
        self._manifest = manifest
        self.lasting: set[int] = set()  # entries in whose place a directory stays, as something in it does
        self._homes: set[int] = set()  # directories that let go of what is staged in them
        self._ways: set[int] = set()  # directories that can be made
        self._takes_all: dict[int, bool] = {}  # devices: whether they refuse no name

    def check(self, entry: int, home: int, staged: bytes) -> None:
        """For a file that is staged under a name in the directory home."""
        directories = self._destination.directories
        if home not in self._homes:
            check_name(directories.open(home), staged)
            self._homes.add(home)
        parent = self._manifest.parents[entry]
        if home == parent:
            self._check_old(entry)
        else:
            self._check_way(parent, home)
            self._check_new(entry, home)

    def _check_way(self, directory: int, home: int) -> None:
        """Whether a directory can be made somewhere below one that is there."""
        missing = []
        while directory != home and directory not in self._ways:
            missing.append(directory)
            directory = self._manifest.parents[directory]
        for entry in reversed(missing):
            if self._manifest.parents[entry] == home:
                self._check_old(entry)
            else:
                self._check_new(entry, home)
            self._ways.add(entry)

    def _check_new(self, entry: int, home: int) -> None:
        """Whether the file system takes a name that is not there yet: it may refuse characters, and lengths."""
        name = self._manifest.names[entry]
        if _HARMLESS.fullmatch(name):
            return
        device = os.fstat(self._destination.directories.open(home)).st_dev
        if device not in self._takes_all:
            self._takes_all[device] = self._why_not(home, _NASTY) == 0
        reason = 0 if self._takes_all[device] else self._why_not(home, name)
        if reason:
            raise OSError(reason, os.strerror(reason))

    def _why_not(self, home: int, name: bytes) -> int:
        """Why a name cannot be made in a directory like this one, 0 if it can be."""
        with self._destination.scratch(home) as fd:
            try:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=fd))
            except OSError as error:
                return error.errno or errno.EINVAL
            os.unlink(name, dir_fd=fd)
        return 0

    def _check_old(self, entry: int) -> None:
        """What has the name of an entry now must be able to lose it."""
        manifest = self._manifest
        parent, name = manifest.parents[entry], manifest.names[entry]
        fd = self._destination.directories.open(parent)
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENOENT:
                self._check_new(entry, parent)
                return
            raise
        if self._mounted and manifest.path(entry) in self._mounted:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        check_name(fd, name, is_directory=stat.S_ISDIR(found.st_mode))
        if stat.S_ISDIR(found.st_mode):
            self._check_directory(entry, fd)

    def _check_directory(self, entry: int, fd: int) -> None:
        """A directory in a file's place goes if it is empty, or if all in it may be deleted."""
        destination, parent, name = self._destination, self._manifest.parents[entry], self._manifest.names[entry]
        if destination.doomed is not None or destination.backups is not None:
            return  # a list says what goes of it; what is kept elsewhere need not be deleted
        if check_tree(fd, name):
            return
        if not self._manifest.policy.deletes or not destination.can_go_whole(parent, name):
            self.lasting.add(entry)
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    @cached_property
    def _mounted(self) -> frozenset[bytes]:
        return Mounts().points_below(self._destination.path)
