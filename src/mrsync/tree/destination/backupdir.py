"""Manage the backup directory: a hierarchy like the destination's, created as needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from mrsync.files import NAMED, close_quietly
from mrsync.tree.fs.directories import OPEN_DIRECTORY, Directories, check_made
from mrsync.tree.model.columns import PathTree

_OPEN = os.O_RDONLY | os.O_DIRECTORY | NAMED


class BackupDirectory:
    """A backup directory, outside of the destination or below its root.

    root_fd: the destination's root. below: the path of the backup directory below that root, or None if it is outside;
    then it has `path`. No link is followed below the backup directory. on_changed: called with the path, below the
    destination's root, of each directory there that gets or may get a new entry. hidden_mode: return the original mode
    of a directory of the destination that has a temporary mode, else None.
    """

    def __init__(
        self,
        root_fd: int,
        path: bytes,
        below: bytes | None,
        on_changed: Callable[[bytes], None] = lambda path: None,
        hidden_mode: Callable[[bytes], int | None] = lambda path: None,
    ) -> None:
        self._destination_fd = root_fd
        self._path = path
        self._below = below
        self._on_changed = on_changed
        self._hidden_mode = hidden_mode
        self._fd = -1
        self._tree = PathTree()
        self._directories: Directories | None = None
        self._originals: Directories | None = None
        self._known: set[int] = set()  # directories that were made writable, as far as that is possible

    @property
    def outside_fd(self) -> int:
        """Its descriptor if it is open and outside of the destination, else -1."""
        return self._fd if self._below is None else -1

    @property
    def outside_path(self) -> bytes:
        """Its path, empty if it is below the destination's root."""
        return self._path if self._below is None else b""

    def open(self, path: bytes) -> int:
        """Return the descriptor of the backup directory for a directory of the destination. Raise OSError.

        path: that directory, below the destination's root. Missing directories are created with its owner and mode.
        """
        if self._directories is None or self._originals is None:
            self._directories, self._originals = self._open_root()
        number = self._tree.add(path)
        try:
            fd = self._directories.open(number)
        except (FileNotFoundError, NotADirectoryError):
            self._make(number)
            fd = self._directories.open(number)
        if number not in self._known:
            self._known.add(number)
            self._directories.loosen(number)
            self._note_changed(number)
        return fd

    def close(self) -> None:
        """Undo temporary modes as far as possible, and close everything."""
        if self._directories is not None and self._originals is not None:
            self._directories.restore()
            self._directories.close()
            self._originals.close()
            self._directories = self._originals = None
        if self._fd >= 0:
            close_quietly(self._fd)
            self._fd = -1

    def _open_root(self) -> tuple[Directories, Directories]:
        if self._below is None:
            is_new = not os.path.lexists(self._path)
            os.makedirs(self._path, 0o700, exist_ok=True)
            self._fd = os.open(self._path, _OPEN)
            if is_new:
                check_made(self._fd)
                self._copy_attributes(self._fd, self._destination_fd, b"")
        else:
            self._fd = self._open_below(self._below)
        tree = self._tree
        return (
            Directories(self._fd, tree.names, tree.parents, is_loosening=True),
            Directories(self._destination_fd, tree.names, tree.parents),
        )

    def _open_below(self, below: bytes) -> int:
        """Open a path from the destination's root downwards, creating missing directories."""
        fd = os.dup(self._destination_fd)
        done = b""
        for name in below.split(b"/"):
            try:
                try:
                    deeper = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
                except FileNotFoundError:
                    os.mkdir(name, 0o700, dir_fd=fd)
                    self._on_changed(done.rstrip(b"/"))
                    deeper = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
                    check_made(deeper)
                    self._copy_attributes(deeper, self._destination_fd, b"")
            finally:
                os.close(fd)
            fd = deeper
            done += name + b"/"
        return fd

    def _make(self, number: int) -> None:
        """Create a directory and its missing parents."""
        assert self._directories is not None  # `open` comes first
        assert self._originals is not None
        missing = [number]
        while True:
            parent = self._tree.parents[missing[-1]]
            try:
                self._directories.open(parent)
                break
            except (FileNotFoundError, NotADirectoryError):
                missing.append(parent)
        for entry in reversed(missing):
            parent, name = self._tree.parents[entry], self._tree.names[entry]
            self._directories.loosen(parent)
            self._note_changed(parent)
            parent_fd = self._directories.open(parent)
            with suppress(FileNotFoundError):  # removes an old backup of a file where there is a directory now
                os.unlink(name, dir_fd=parent_fd)
            os.mkdir(name, 0o700, dir_fd=parent_fd)
            with suppress(OSError):  # on failure it stays private to us
                self._copy_attributes(
                    self._directories.open_made(entry), self._originals.open(entry), self._tree.path(entry)
                )

    def _note_changed(self, number: int) -> None:
        if self._below is not None:
            self._on_changed(os.path.join(self._below, self._tree.path(number)).rstrip(b"/"))

    def _copy_attributes(self, made: int, original: int, path: bytes) -> None:
        """Copy owner and mode of the original directory, which has this path, as far as permitted."""
        status = os.fstat(original)
        hidden = self._hidden_mode(path)
        with suppress(OSError):
            os.fchown(made, status.st_uid, status.st_gid)
            os.fchmod(made, status.st_mode & 0o7777 if hidden is None else hidden)
