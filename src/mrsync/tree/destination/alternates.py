"""Open the directories of --link-dest, --copy-dest and --compare-dest, which may have what a target lacks."""

from __future__ import annotations

import os

from mrsync.errors import FileError
from mrsync.files import NAMED, absolute, close_quietly
from mrsync.tree.destination.root import open_directory_from
from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.failure import printable
from mrsync.tree.model.manifest import Manifest


class Alternates:
    """Directories beside the destination in which the manifest's entries are looked up by path, the first one first.

    Relative paths begin at the destination, and `{host}` stands for `host`. root_fd: of the destination, or None if it
    does not exist yet. directories: those that could be opened. missing: sentences about the others. Nothing in them is
    changed, and below them nothing is reached through a link. Raise FileError if one is the destination itself.
    """

    def __init__(self, manifest: Manifest, path: bytes, root_fd: int | None, host: str) -> None:
        self.directories: list[Directories] = []
        self.missing: list[str] = []
        self._root_fds: list[int] = []
        option = manifest.policy.alternates
        for name in option.paths:
            wanted = os.fsencode(name.replace("{host}", host))
            try:
                self._open(manifest, path, root_fd, wanted)
            except OSError as error:
                self.missing.append(f"--{option.use}-dest {printable(wanted)} is not used: {error.strerror}")
            except FileError as error:
                self.close()
                raise FileError(f"--{option.use}-dest {printable(wanted)}: {error}") from None

    @property
    def root_fds(self) -> list[int]:
        return self._root_fds

    def close(self) -> None:
        for directories in self.directories:
            directories.close()
        for fd in self._root_fds:
            close_quietly(fd)
        self.directories, self._root_fds = [], []

    def _open(self, manifest: Manifest, path: bytes, root_fd: int | None, wanted: bytes) -> None:
        if root_fd is None:
            fd = os.open(absolute(os.path.join(path, wanted)), os.O_RDONLY | os.O_DIRECTORY | NAMED)
        else:
            fd = open_directory_from(root_fd, wanted)
        self._root_fds.append(fd)
        if root_fd is not None and os.path.samestat(os.fstat(fd), os.fstat(root_fd)):
            raise FileError("this is the destination itself")
        self.directories.append(Directories(fd, manifest.names, manifest.parents))
