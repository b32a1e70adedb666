"""Keep records outside of all destinations, one file for each, which only its owner may read."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress

from mrsync.files import CAUTIOUS, may_others_write, open_regular
from mrsync.tree.fs.state_directory import state_directory

SUFFIX = b".record"
UNUSED_S = 30 * 86400  # after which the record of a destination that is gone is removed
_LINE_BYTES_MAX = 9000
_MARK = b"mrsync: the record of "  # and the path of the destination in hexadecimal


class Store:
    """The record of one destination. Raise OSError if there is no directory for records that only its owner can change.

    path: of the destination; it need not exist yet.
    """

    def __init__(self, path: bytes, *, makes: bool) -> None:
        self._path = os.path.realpath(path)
        self._name = hashlib.sha256(self._path).hexdigest()[:32].encode() + SUFFIX
        directory = state_directory()
        self.place = os.path.join(directory, self._name)
        if makes:
            os.makedirs(directory, 0o700, exist_ok=True)
        self.fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | CAUTIOUS)
        if may_others_write(os.fstat(self.fd)):
            os.close(self.fd)
            raise PermissionError(1, "others may write to it; forbid that by chmod go-w", directory)

    def read(self, most: int = -1) -> tuple[bytes, float] | None:
        """Return the record, or its first `most` bytes, and when it was written, in seconds since 1970.

        Return None if there is none, and nothing of a file that does not begin as a record does.
        """
        try:
            fd = open_regular(self._name, self.fd)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb") as stream:
            status = os.fstat(fd)
            if status.st_uid not in (0, os.geteuid()):
                return None
            is_record = stream.readline(_LINE_BYTES_MAX).startswith(_MARK)  # else it may be larger than memory
            return stream.read(most if is_record else 0), status.st_mtime

    def write(self, record: Iterable[bytes], *, is_durable: bool) -> None:
        """Replace the record by one rename. record: its parts."""
        name = b"%s.%d" % (self._name, os.getpid())
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAUTIOUS, 0o600, dir_fd=self.fd)
        try:
            with os.fdopen(fd, "wb") as stream:
                stream.write(_MARK + self._path.hex().encode() + b"\n")
                stream.writelines(record)
                stream.flush()
                if is_durable:
                    os.fsync(fd)
            os.rename(name, self._name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:
            with suppress(OSError):
                os.unlink(name, dir_fd=self.fd)
            raise
        if is_durable:
            os.fsync(self.fd)

    def touch(self) -> None:
        """Note that the tree was equal to what the record says once more."""
        os.utime(self._name, dir_fd=self.fd, follow_symlinks=False)

    def prune(self) -> None:
        """Remove records that were not touched for a month and whose destinations are gone."""
        with suppress(OSError):
            for name in os.listdir(self.fd):
                encoded = os.fsencode(name)
                if SUFFIX in encoded and self._is_unused(encoded):
                    os.unlink(encoded, dir_fd=self.fd)

    def _is_unused(self, name: bytes) -> bool:
        status = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        if time.time() - status.st_mtime < UNUSED_S:
            return False
        with os.fdopen(open_regular(name, self.fd), "rb") as stream:
            line = stream.readline(_LINE_BYTES_MAX)
        try:
            path = bytes.fromhex(line.removeprefix(_MARK).decode())
        except ValueError:
            return True
        return not os.path.lexists(path)

    def close(self) -> None:
        with suppress(OSError):  # nothing is written through a directory, and Linux frees the descriptor all the same
            os.close(self.fd)
