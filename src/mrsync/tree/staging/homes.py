"""Choose the directories in which files are staged: beside their final names, or in that of --temp-dir.

A staged file is put into place by rename(), which works only within one mount. So a directory of --temp-dir serves the
directories of the destination that are in the same mount, and the others stage their files beside the final names.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress

from mrsync.errors import FileError
from mrsync.files import NAMED, let_go, may_others_write
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.directories import ASIDE, OPEN_DIRECTORY
from mrsync.tree.fs.mounts import mount_id
from mrsync.tree.fs.temporary_names import area_name, parsed
from mrsync.tree.model.failure import printable
from mrsync.tree.model.manifest import Manifest


class Homes:
    """The directories, by entry, in which files are staged. The answers never change, as staged files lie there."""

    def __init__(self, destination: Destination, manifest: Manifest) -> None:
        self._destination = destination
        self._parents = manifest.parents
        self._homes: dict[int, int] = {}
        self._rooms: dict[int, int] = {}  # by home
        self._shared: dict[int, bool] = {}  # by room

    def home(self, directory: int) -> int:
        """Return the deepest directory of the path to a directory that existed at the first call."""
        home = self._homes.get(directory)
        if home is None:
            home = directory
            while home:
                if home in self._homes:
                    home = self._homes[home]
                    break
                try:
                    self._destination.directories.open(home)
                    break
                except (FileNotFoundError, NotADirectoryError):
                    home = self._parents[home]
            self._homes[directory] = home
        return home

    def room(self, directory: int) -> int:
        """Return where the files of a directory are staged: its home, or ASIDE."""
        home = self.home(directory)
        directories = self._destination.directories
        if directories.aside_fd < 0:
            return home
        if home not in self._rooms:
            is_near = mount_id(directories.open(home)) == mount_id(directories.aside_fd)
            self._rooms[home] = ASIDE if is_near else home
        return self._rooms[home]

    def is_shared(self, room: int) -> bool:
        """Return whether other users may write to a directory in which files are staged."""
        if room not in self._shared:
            self._shared[room] = may_others_write(os.fstat(self._destination.directories.open(room)))
        return self._shared[room]


class StagingArea:
    """A directory for the staged files of one destination, in the directory that --temp-dir names.

    It is named after the destination, so that what is in it belongs to no other one. In a dry run it is not made. Raise
    FileError if the directory of --temp-dir cannot be used, or is in another mount than the destination.
    """

    def __init__(self, destination: Destination, name: str, host: str) -> None:
        path = os.fsencode(name.replace("{host}", host))
        self.fd = -1
        self._name = area_name(_key_of(destination.path))
        try:
            self.above_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | NAMED, dir_fd=destination.root_fd)
        except OSError as error:
            raise FileError(f"--temp-dir {printable(path)}: {error.strerror}") from error
        try:
            if mount_id(self.above_fd) != mount_id(destination.root_fd):
                raise FileError(
                    f"--temp-dir {printable(path)} is on another file system than the destination, and from there no "
                    "file can be renamed into its place: name a directory on the same one"
                )
            if not destination.is_dry_run:
                self.fd = self._open()
        except OSError as error:
            self.close()
            raise FileError(f"--temp-dir {printable(path)}: {error.strerror}") from error
        except FileError:
            self.close()
            raise

    def leftovers(self) -> list[tuple[int, bytes]]:
        """Return (ASIDE, name) of each file that an earlier session left."""
        return [(ASIDE, name) for name in map(os.fsencode, os.listdir(self.fd)) if parsed(name)] if self.fd >= 0 else []

    def close(self) -> None:
        """Close the directory, and remove it unless files are kept there for a later session."""
        if self.fd >= 0:
            let_go(self.fd)
            with suppress(OSError):  # it is not empty, or was deleted with a directory of the destination
                os.rmdir(self._name, dir_fd=self.above_fd)
        let_go(self.above_fd)

    def _open(self) -> int:
        with suppress(FileExistsError):
            os.mkdir(self._name, 0o700, dir_fd=self.above_fd)
        return os.open(self._name, OPEN_DIRECTORY, dir_fd=self.above_fd)


def _key_of(path: bytes) -> bytes:
    """Return a hexadecimal name for a destination and the user who writes to it."""
    return hashlib.blake2b(b"%d:%s" % (os.geteuid(), os.path.realpath(path)), digest_size=8).hexdigest().encode()
