"""Choose the directories in which files are staged: beside their final names, or in that of --temp-dir.

A staged file is put into place by rename(), which works only within one mount, and there not between subvolumes, or
into directories with another quota or key. So each directory is tried: a directory of --temp-dir serves those to which
a rename leads from it, and the others stage their files beside the final names.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress

from mrsync.errors import FileError
from mrsync.files import CAUTIOUS, NAMED, absolute, close_quietly, may_others_write
from mrsync.tree.destination.destination import Destination
from mrsync.tree.destination.root import open_directory_from
from mrsync.tree.fs.directories import OPEN_DIRECTORY, TEMP_DIR
from mrsync.tree.fs.mounts import mount_id
from mrsync.tree.fs.temporary_names import area_name, backup_name, parsed
from mrsync.tree.model.acl import DEFAULT
from mrsync.tree.model.failure import printable
from mrsync.tree.model.manifest import Manifest

_PROBE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAUTIOUS
_NO_ACLS = (errno.ENODATA, errno.EOPNOTSUPP)


class Homes:
    """The directories, by entry, in which files are staged. The answers never change, as staged files lie there."""

    def __init__(self, destination: Destination, manifest: Manifest) -> None:
        self._destination = destination
        self._parents = manifest.parents
        self._ancestors: dict[int, int] = {}  # by directory
        self._homes: dict[int, int] = {}  # by directory
        self._homes_of_ancestors: dict[int, int] = {}  # by ancestor, with --temp-dir
        self._shared: dict[int, bool] = {}  # by home

    def ancestor(self, directory: int) -> int:
        """Return the deepest directory of the path to a directory that existed at the first call."""
        ancestor = self._ancestors.get(directory)
        if ancestor is None:
            ancestor = directory
            while ancestor:
                if ancestor in self._ancestors:
                    ancestor = self._ancestors[ancestor]
                    break
                try:
                    self._destination.directories.open(ancestor)
                    break
                except (FileNotFoundError, NotADirectoryError):
                    ancestor = self._parents[ancestor]
            self._ancestors[directory] = ancestor
        return ancestor

    def home(self, directory: int) -> int:
        """Return where the files of a directory are staged: its ancestor, or TEMP_DIR."""
        home = self._homes.get(directory)
        if home is None:
            home = self._homes[directory] = self._choose_home(self.ancestor(directory))
        return home

    def is_shared(self, home: int) -> bool:
        """Return whether other users may write to a directory in which files are staged."""
        if home not in self._shared:
            self._shared[home] = may_others_write(os.fstat(self._destination.directories.open(home)))
        return self._shared[home]

    def _choose_home(self, ancestor: int) -> int:
        if self._destination.directories.temp_dir_fd < 0:
            return ancestor
        if ancestor not in self._homes_of_ancestors:
            self._homes_of_ancestors[ancestor] = TEMP_DIR if self._leads_to(ancestor) else ancestor
        return self._homes_of_ancestors[ancestor]

    def _leads_to(self, ancestor: int) -> bool:
        """Return False if no file can be renamed from --temp-dir to a directory. Raise OSError if none can be made."""
        directories = self._destination.directories
        name = backup_name(os.urandom(8).hex().encode(), 0)
        os.close(os.open(name, _PROBE, 0o600, dir_fd=directories.temp_dir_fd))
        try:
            directories.change(
                ancestor, lambda fd: os.rename(name, name, src_dir_fd=directories.temp_dir_fd, dst_dir_fd=fd)
            )
        except OSError as error:
            os.unlink(name, dir_fd=directories.temp_dir_fd)
            return error.errno != errno.EXDEV  # any other reason is found with the file itself
        directories.change(ancestor, lambda fd: os.unlink(name, dir_fd=fd))
        return True


class StagingArea:
    """A directory for the staged files of one destination, in the directory that --temp-dir names.

    name: the value of --temp-dir, in which "{host}" becomes `host`. The staging area is named after the destination, so
    that what is in it belongs to no other one. In a dry run it is not made. Raise FileError if the directory of
    --temp-dir cannot be used, or is on another file system than the destination.
    """

    def __init__(self, destination: Destination, name: str, host: str) -> None:
        path = os.fsencode(name.replace("{host}", host))
        self.fd = -1
        self._name = area_name(_key_of(destination.path))
        self._is_inside = _is_inside(destination.path, path)
        self.above_fd = -1
        try:
            self.above_fd = open_directory_from(destination.root_fd, path)
            _check_near(path, self.above_fd, destination.root_fd)
            if not destination.is_dry_run:
                self._change_above(self._make)
                self.fd = os.open(self._name, OPEN_DIRECTORY, dir_fd=self.above_fd)
                self._check_own(path)
        except OSError as error:
            self._let_go()
            raise FileError(f"--temp-dir {printable(path)}: {error.strerror}") from error
        except FileError:
            self._let_go()
            raise

    def leftovers(self) -> list[tuple[int, bytes]]:
        """Return (TEMP_DIR, name) of each file that an earlier session left."""
        return (
            [(TEMP_DIR, name) for name in map(os.fsencode, os.listdir(self.fd)) if parsed(name)] if self.fd >= 0 else []
        )

    def close(self) -> None:
        """Close the directory, and remove it unless files are kept there for a later session."""
        if self.fd >= 0:
            with suppress(OSError):  # it is not empty, or was deleted with a directory of the destination
                self._change_above(lambda: os.rmdir(self._name, dir_fd=self.above_fd))
        self._let_go()

    def _make(self) -> None:
        with suppress(FileExistsError):
            os.mkdir(self._name, 0o700, dir_fd=self.above_fd)

    def _change_above(self, change: Callable[[], None]) -> None:
        """Make or remove the directory.

        Directories of the destination keep their times, because these are the source's.
        """
        status = os.fstat(self.above_fd)
        change()
        if self._is_inside:
            with suppress(OSError):  # it is not ours, and has a time of its own anyway
                os.utime(self.above_fd, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _check_own(self, path: bytes) -> None:
        """Refuse a directory that another user made or may write to, and remove its inherited ACL."""
        status = os.fstat(self.fd)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise FileError(
                f"--temp-dir {printable(path)}: {printable(self._name)} there belongs to somebody else, or others may "
                "write to it: remove it, or name another directory"
            )
        try:
            os.removexattr(self.fd, DEFAULT)
        except OSError as error:
            if error.errno not in _NO_ACLS:
                raise

    def _let_go(self) -> None:
        for fd in (self.fd, self.above_fd):
            if fd >= 0:
                close_quietly(fd)


def foresee_area(path: bytes, near_fd: int, name: str, host: str) -> None:
    """Raise FileError if --temp-dir would be refused for a destination that does not exist yet.

    path: of the destination. name, host: as for StagingArea. near_fd: the deepest existing directory of the
    destination's path.
    """
    wanted = os.fsencode(name.replace("{host}", host))
    try:
        fd = os.open(absolute(os.path.join(path, wanted)), os.O_RDONLY | os.O_DIRECTORY | NAMED)
    except OSError as error:
        raise FileError(f"--temp-dir {printable(wanted)}: {error.strerror}") from error
    try:
        _check_near(wanted, fd, near_fd)
    finally:
        close_quietly(fd)


def _check_near(path: bytes, fd: int, near_fd: int) -> None:
    if mount_id(fd) != mount_id(near_fd) or os.fstat(fd).st_dev != os.fstat(near_fd).st_dev:
        raise FileError(
            f"--temp-dir {printable(path)} is on another file system than the destination, and from there no "
            "file can be renamed into its place: name a directory on the same one"
        )


def _is_inside(destination: bytes, path: bytes) -> bool:
    root = os.path.realpath(destination)
    return (os.path.realpath(os.path.join(root, path)) + b"/").startswith(root.rstrip(b"/") + b"/")


def _key_of(path: bytes) -> bytes:
    """Return a hexadecimal name for a destination and the user who writes to it."""
    return hashlib.blake2b(b"%d:%s" % (os.geteuid(), os.path.realpath(path)), digest_size=8).hexdigest().encode()
