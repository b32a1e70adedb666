"""The journal of a session: what it has staged so far, so that a later one may take it up where this one breaks."""

from __future__ import annotations

import fcntl
import os
import struct
import time
import zlib
from array import array
from contextlib import suppress

from mrsync.files import CAUTIOUS, let_go
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.temporary_names import journal_name
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.packing import Packer
from mrsync.tree.model.plan import Plan
from mrsync.tree.staging.identity import generation_of, incarnation

MAGIC = b"mrsync journal\x02"
BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"
HEAD = struct.Struct("<Q")  # bytes of the head
FRAME = struct.Struct("<II")  # bytes and CRC-32 of the claims that follow
CLAIM = struct.Struct("<IIQQ")  # what, plan file, two numbers a and b
SELF = struct.Struct("<QI")  # inode and generation of the journal itself
PIECE = 1  # of this file the bytes from a on, b of them, are written
WHOLE = 2  # this file is complete; a: its ctime in ns, b: its inode
VOID = 3  # nothing that was said of this file counts any more
DURABLE = 4  # what was said of this file before position a of the journal is on the disk
CLONED = 5  # this file began as a clone of another one: what is not claimed of it may be anything, also in holes
BOUND = 6  # pieces of this file are in inode b; a: device and generation of the inode, see `incarnation`
UNKNOWN = 0  # inode number of a file whose identity is not known
FLUSH_S = 0.02  # what arrived in so short a time may get lost
LARGE_BYTES = 8 << 20  # smaller files are not worth the time that the disk needs to make them durable
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | CAUTIOUS
_MASK = (1 << 64) - 1


class Journal:
    """Claims about the staged files of a plan, appended to a file in the root of the destination.

    The head says which session and which inode the journal belongs to, so that no other file can pass for it, and which
    source file each planned file is: path, size, mtime, ctime, inode. While the file is open it is locked: the session
    is running. Claims wait for `flush`. OSError when it cannot be made; one that cannot be written
    to any more ends there.
    """

    def __init__(self, destination: Destination, tag: bytes, manifest: Manifest, plan: Plan, files: array[int]) -> None:
        self.is_empty = True
        self.position = 0
        self._destination = destination
        self._name = journal_name(tag)
        sizes, entries = manifest.sizes, plan.entries
        files = array("I", (file for file in files if plan.inodes[file] != UNKNOWN and sizes[entries[file]]))
        self._known = bytearray(plan.file_count)
        for file in files:
            self._known[file] = 1
        self._large = {file for file in files if sizes[entries[file]] >= LARGE_BYTES}
        self._dirty: set[int] = set()
        self._waiting = bytearray()
        self._piece = (0, 0, 0)  # plan file, begin, end; it may yet grow
        self._flushed_at = 0.0
        self._fd = destination.change(0, lambda fd: os.open(self._name, _CREATE, 0o600, dir_fd=fd))
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        head = _head(manifest, plan, files, tag, self_of(self._fd))
        self._append(HEAD.pack(sum(map(len, head))), *head)

    def piece(self, file: int, offset: int, length: int) -> None:
        """These bytes of a planned file are written."""
        last, begin, end = self._piece
        if last == file and end == offset:
            self._piece = (file, begin, offset + length)
        else:
            self._end_piece()
            self._piece = (file, offset, offset + length)

    def bound(self, file: int, fd: int) -> None:
        """Pieces of a planned file are written to the file that is open here."""
        if self._known[file]:
            self._claim(BOUND, file, incarnation(fd), os.fstat(fd).st_ino)

    def whole(self, file: int, status: os.stat_result) -> None:
        """A planned file is complete, and has this status."""
        self._claim(WHOLE, file, status.st_ctime_ns & _MASK, status.st_ino)

    def cloned(self, file: int) -> None:
        """What is staged of a planned file began as a clone of an older copy."""
        self._claim(CLONED, file)

    def durable(self, file: int, position: int) -> None:
        """What was claimed of a planned file by then is on the disk."""
        self._claim(DURABLE, file, position)

    def knows(self, file: int) -> bool:
        """Whether a later session may take this file up."""
        return bool(self._known[file])

    def forget(self, file: int) -> None:
        """What is staged of a planned file goes, or is about to; of this one nothing is claimed any more."""
        if self._known[file]:
            self._claim(VOID, file)
            self._known[file] = 0
            self.flush()

    def take_dirty(self) -> set[int]:
        """Large files of which something was claimed since the last call."""
        taken, self._dirty = self._dirty, set()
        return taken

    def flush_now_and_then(self) -> None:
        """Append what waits, unless that was just done."""
        now = time.monotonic()
        if now - self._flushed_at > FLUSH_S:
            self._flushed_at = now
            self.flush()

    def flush(self) -> None:
        """Append what waits."""
        self._end_piece()
        if self._waiting:
            self.is_empty = False
            self._append(FRAME.pack(len(self._waiting), zlib.crc32(self._waiting)), self._waiting)
            self._waiting = bytearray()

    def _end_piece(self) -> None:
        file, begin, end = self._piece
        if begin < end:
            self._piece = (0, 0, 0)
            self._claim(PIECE, file, begin, end - begin)

    def _claim(self, what: int, file: int, first: int = 0, second: int = 0) -> None:
        if self._known[file]:
            self._waiting += CLAIM.pack(what, file, first, second)
            if what in (PIECE, WHOLE) and file in self._large:
                self._dirty.add(file)

    def sync(self) -> None:
        """Have it written to the disk."""
        if self._fd >= 0:
            with suppress(OSError):
                os.fdatasync(self._fd)

    def close(self) -> None:
        """Leave it behind for a later session."""
        if self._fd >= 0:
            self.flush()
        self._end()

    def remove(self) -> None:
        """Nothing is left to be taken up."""
        self._end()
        with suppress(OSError):  # then it is removed as stale by the next run
            self._destination.change(0, lambda fd: os.unlink(self._name, dir_fd=fd))

    def _append(self, *parts: bytes | bytearray) -> None:
        if self._fd < 0:
            return
        length = sum(map(len, parts))
        try:
            is_written = os.writev(self._fd, parts) == length
        except OSError:
            is_written = False
        if is_written:
            self.position += length
        else:
            self._end()  # the disk is full, say; whoever reads it stops at what is cut off

    def _end(self) -> None:
        if self._fd >= 0:
            let_go(self._fd)  # of what did not get written nothing is believed
            self._fd = -1


def self_of(fd: int) -> bytes:
    """What the head of an open journal says of itself."""
    return SELF.pack(os.fstat(fd).st_ino, generation_of(fd) & 0xFFFFFFFF)


def boot_id() -> bytes:
    """Of the running system, so that it is known whether the page cache outlived a session; empty if not known."""
    try:
        with open(BOOT_ID_PATH, "rb") as file:
            return file.read(64).strip()
    except OSError:
        return b""


def _head(manifest: Manifest, plan: Plan, files: array[int], tag: bytes, itself: bytes) -> list[bytes]:
    entries = array("I", map(plan.entries.__getitem__, files))
    parents = array("I", map(manifest.parents.__getitem__, entries))
    directories = {directory: turn for turn, directory in enumerate(dict.fromkeys(parents))}
    packer = Packer(MAGIC, level=0)
    packer.blob(tag)
    packer.blob(itself)
    packer.blob(boot_id())
    packer.number(len(files))
    packer.column(files)
    packer.strings(map(manifest.names.__getitem__, entries))
    packer.column(array("I", map(directories.__getitem__, parents)))
    packer.number(len(directories))
    packer.strings(map(manifest.path, directories))
    packer.column(array("q", map(manifest.sizes.__getitem__, entries)))
    packer.column(array("q", map(manifest.mtimes.__getitem__, entries)))
    packer.column(array("q", map(plan.ctimes.__getitem__, files)))
    packer.column(array("Q", map(plan.inodes.__getitem__, files)))
    return packer.parts
