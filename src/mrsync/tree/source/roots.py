"""Open entries of the source, which are below one root or distributed over several."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from mrsync.errors import SelectionError
from mrsync.files import NAMED, known_regular, open_known
from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.failure import printable
from mrsync.tree.model.manifest import Manifest
from mrsync.tuples import NamedTuple


class Roots(NamedTuple):
    """The roots of a source.

    paths: one per root. numbers: for each entry, the index of its root; empty if there is one root. followed: entries
    whose soft links are followed. inodes: of directories that were opened, one dict per root. A user who may
    rename entries could otherwise show a closed directory, after the scan, in the place of an open one of their own.
    stand_ins: entries whose names are gone -> other names of the same files, which are opened instead.
    """

    paths: tuple[bytes, ...]
    numbers: Sequence[int] = ()
    followed: Collection[int] = ()
    inodes: tuple[dict[int, int], ...] = ()
    stand_ins: Mapping[int, int] = MappingProxyType({})


def open_source(root: bytes) -> int:
    """Return a descriptor of the source's root, which may be reached through a link. Raise SelectionError."""
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SelectionError(f"cannot read the source {printable(root)}: {os.strerror(error.errno or 0)}") from error


class OpenRoots:
    """Open entries of a manifest below their roots. The constructor raises SelectionError if a root cannot be read.

    `roots.numbers` and the manifest may grow meanwhile. A directory's descriptor is valid until the next is requested.
    """

    def __init__(self, roots: Roots | bytes, manifest: Manifest) -> None:
        self._roots = Roots((roots,)) if isinstance(roots, bytes) else roots
        self._manifest = manifest
        self.root_fds: list[int] = []
        self._trees: list[Directories] = []
        try:
            for number, path in enumerate(self._roots.paths):
                fd = open_source(path)
                self.root_fds.append(fd)
                inodes = self._roots.inodes[number] if self._roots.inodes else None
                followed = self._roots.followed
                self._trees.append(Directories(fd, manifest.names, manifest.parents, followed=followed, inodes=inodes))
        except SelectionError:
            self.close()
            raise

    def directory(self, entry: int, root: int = 0) -> int:
        """Return the descriptor of a directory below one of the roots. Raise OSError."""
        return self._trees[root].open(entry)

    def of(self, entry: int) -> int:
        """Return the descriptor of the directory that contains an entry. Raise OSError."""
        numbers = self._roots.numbers
        return self._trees[numbers[entry] if numbers else 0].open(self._manifest.parents[entry])

    def open(self, entry: int) -> int:
        """Return a descriptor of a regular file, to be closed by the caller. Raise OSError as `open_regular` does."""
        return self.open_known(entry)[0]

    def open_known(self, entry: int) -> tuple[int, os.stat_result]:
        """Do the same, and return the status of the open file as well."""
        entry = self._roots.stand_ins.get(entry, entry)
        name, directory_fd = self._manifest.names[entry], self.of(entry)
        if entry not in self._roots.followed:
            return open_known(name, directory_fd)
        return _open_followed(name, directory_fd)

    def close(self) -> None:
        for tree in self._trees:
            tree.close()
        for fd in self.root_fds:
            os.close(fd)


def _open_followed(name: bytes, directory_fd: int) -> tuple[int, os.stat_result]:
    return known_regular(os.open(name, os.O_RDONLY | NAMED, dir_fd=directory_fd))
