"""Check whether a staged file can be renamed to its final name, before anything is changed on any target."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Sequence
from functools import cached_property
from typing import Callable

from mrsync.tree.destination.tree_remover import check_name, check_tree
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.mounts import Mounts
from mrsync.tree.model.manifest import Manifest

# Names that every file system accepts, and one that only a file system without restrictions accepts.
_HARMLESS = re.compile(rb"[A-Za-z0-9_-]([A-Za-z0-9 ._-]{0,98}[A-Za-z0-9_-])?")
_NASTY = b'\xff\x01:*?"<>|\\'.ljust(254, b"x") + b"."


class Placement:
    """Ask the kernel what it would refuse: immutable and append-only flags, sticky directories, mount points.

    Each check raises the OSError that the change itself would raise. Nothing is changed, except that names are tried
    out in a scratch directory.

    path: of the destination. can_clear: returns whether the directory with this (parent entry, name), which is not
    empty, may be removed for a file. None: this is decided when it is removed, because a list says what goes, or its
    files become backups.
    """

    def __init__(
        self,
        path: bytes,
        manifest: Manifest,
        directories: Directories,
        can_clear: Callable[[int, bytes], bool] | None,
    ) -> None:
        self._path = path
        self._manifest = manifest
        self._directories = directories
        self._can_clear = can_clear
        self.blocked: set[int] = set()  # entries whose place is kept by a directory that cannot be removed
        self._homes: set[int] = set()  # directories out of which files can be renamed
        self._ways: set[int] = set()  # directories that can be created
        self._takes_all: dict[int, bool] = {}  # by device: whether it accepts every name

    def check(self, entries: Sequence[int], ancestor: int, home: int, staged: bytes) -> None:
        """Raise OSError if a file of these, all of one directory, cannot get its final name.

        ancestor: the deepest directory of their path that exists. home: where they are staged, one of them as `staged`.
        """
        directories = self._directories
        if home not in self._homes:
            check_name(directories.open(home), staged)
            self._homes.add(home)
        parent = self._manifest.parents[entries[0]]
        if ancestor == parent:
            for entry in entries:
                self._check_old(entry)
        else:
            if parent not in self._ways:
                self._check_way(parent, ancestor)
            for name in self._manifest.names.pick(entries):
                self._check_new(name, ancestor)

    def _check_way(self, directory: int, ancestor: int) -> None:
        """Raise OSError if a missing directory below `ancestor` cannot be created."""
        missing = []
        while directory != ancestor and directory not in self._ways:
            missing.append(directory)
            directory = self._manifest.parents[directory]
        for entry in reversed(missing):
            if self._manifest.parents[entry] == ancestor:
                self._check_old(entry)
            else:
                self._check_new(self._manifest.names[entry], ancestor)
            self._ways.add(entry)

    def _check_new(self, name: bytes, ancestor: int) -> None:
        """Raise OSError if the file system refuses a new name, because of a character or its length."""
        if _HARMLESS.fullmatch(name):
            return
        device = os.fstat(self._directories.open(ancestor)).st_dev
        if device not in self._takes_all:
            self._takes_all[device] = self._why_not(ancestor, _NASTY) == 0
        reason = 0 if self._takes_all[device] else self._why_not(ancestor, name)
        if reason:
            raise OSError(reason, os.strerror(reason))

    def _why_not(self, ancestor: int, name: bytes) -> int:
        """Return the errno with which a name is refused in a directory like this one, or 0."""
        with self._directories.scratch(ancestor) as fd:
            try:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=fd))
            except OSError as error:
                return error.errno or errno.EINVAL
            os.unlink(name, dir_fd=fd)
        return 0

    def _check_old(self, entry: int) -> None:
        """Raise OSError if the existing entry with this name cannot be replaced."""
        manifest = self._manifest
        parent, name = manifest.parents[entry], manifest.names[entry]
        fd = self._directories.open(parent)
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENOENT:
                self._check_new(name, parent)
                return
            raise
        if self._mounted and manifest.path(entry) in self._mounted:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        check_name(fd, name, is_directory=stat.S_ISDIR(found.st_mode))
        if stat.S_ISDIR(found.st_mode):
            self._check_directory(entry, fd)

    def _check_directory(self, entry: int, fd: int) -> None:
        """Raise OSError unless a directory in a file's place is empty, or everything in it may be deleted."""
        parent, name = self._manifest.parents[entry], self._manifest.names[entry]
        if self._can_clear is None or check_tree(fd, name):
            return
        if not self._can_clear(parent, name):
            self.blocked.add(entry)
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    @cached_property
    def _mounted(self) -> frozenset[bytes]:
        return Mounts().points_below(self._path)
