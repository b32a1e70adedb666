"""Write the journal of a session, from which a later session resumes after this one breaks off.

The journal is a file `.mrsync-...` in the root of the destination. It consists of a head and of frames of notes, each
with a CRC-32. Once the head is written, it is only appended to. docs/resume.md describes the format.

Invariant: a note is written only when what it says is true. Data is written to the staged file first, then the
piece is noted. A file is taken back in the reverse order: VOID is appended and flushed before the staged file is
removed or reused (`forget`). So the journal may say too little, but never too much. A missing note only costs the
bytes again.

Three things can break that, and each has its own note:

- A power cut may lose data that was written but not synced. Notes from before the last boot therefore count only as
  far as a DURABLE note confirms them (`Checkpoints`). With --durable, a flush of the file systems confirms all of them.
- Somebody may replace a staged file. BOUND and WHOLE name its inode, with the generation or the ctime.
- The journal itself may be torn, copied or swapped. A reader stops at the first bad CRC, and the head names the
  session's tag and the journal's own inode.

A lock on the open journal says that the session is still running. If an append fails, the journal ends at that point,
because a reader cannot find a frame after a torn one.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from mrsync.files import CAUTIOUS, close_quietly
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.temporary_names import journal_name
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.packing import Packer
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.status_table import CTIMES, INODES, Statuses
from mrsync.tree.staging.identity import incarnation, inode_generation

MAGIC = b"mrsync journal\x02"
BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"
HEAD = struct.Struct("<Q")  # bytes of the head
FRAME = struct.Struct("<II")  # length in bytes and CRC-32 of the notes that follow
NOTE = struct.Struct("<IIQQ")  # kind of note, plan file, two numbers a and b
SELF = struct.Struct("<QI")  # inode and generation of the journal itself
PIECE = 1  # b bytes at offset a of this file are written
WHOLE = 2  # this file is complete; a: its ctime in ns, b: its inode
VOID = 3  # earlier notes about this file no longer hold
DURABLE = 4  # notes about this file before position a of the journal are on disk
CLONED = 5  # this file began as a clone of another one, so unnoted bytes may have any value, even in holes
BOUND = 6  # pieces of this file are in inode b; a: device and generation of the inode, see `incarnation`
UNKNOWN = 0  # inode number of a source file whose identity is not known
FLUSH_S = 0.02  # notes wait at most this long before they are appended
LARGE_BYTES = 8 << 20  # smaller files are not made durable: syncing them would cost more than it saves
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAUTIOUS
_MASK = (1 << 64) - 1
# Of a plan file: it may be resumed; something is noted about it; and a flush of the disk covers that. 0: none of these.
_KNOWN, _NOTED, _COVERED = 1, 2, 3


class Journal:
    """Append notes about staged files to the journal of a session.

    The head names the session (tag) and the journal's own inode, and for each planned file its source: path, size,
    mtime, ctime and inode. Notes are buffered until `flush`. The constructor raises OSError if the journal cannot be
    created. If a later append fails, the journal ends there, without an error.

    Its lock says that the session is running. That holds with --no-partial, too: then the plan knows no inodes, nothing
    can be resumed, and the journal stays empty.

    files: the plan files that this target stages. position: length of the journal in bytes.
    """

    def __init__(self, destination: Destination, tag: bytes, manifest: Manifest, plan: Plan, files: array[int]) -> None:
        self.position = 0
        self._destination = destination
        self._name = journal_name(tag)
        sizes, entries = manifest.sizes, plan.entries
        files = files if plan.inodes else array("I")
        files = array("I", (file for file in files if plan.inodes[file] != UNKNOWN and sizes[entries[file]]))
        self._known = bytearray(plan.file_count)
        for file in files:
            self._known[file] = _KNOWN
        self._large = {file for file in files if sizes[entries[file]] >= LARGE_BYTES}
        self._dirty: set[int] = set()
        self._waiting = bytearray()
        self._piece = (0, 0, 0)  # plan file, begin, end; adjacent pieces are merged into it before it is noted
        self._flushed_at = 0.0
        self._fd = destination.directories.change(0, lambda fd: os.open(self._name, _CREATE, 0o600, dir_fd=fd))
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._write_head(_head(manifest, plan, files, tag, self_of(self._fd)))

    def _write_head(self, head: Iterable[bytes]) -> None:
        """Write the parts of the head one by one, so that memory never holds them all, and then their length.

        Without it a reader takes nothing from the journal. Nothing is staged before the head is whole.
        """
        self._append(HEAD.pack(0))
        for part in head:
            self._append(part)
        if self._fd >= 0:
            try:
                os.pwrite(self._fd, HEAD.pack(self.position - HEAD.size), 0)
            except OSError:
                self._end()

    def piece(self, file: int, offset: int, length: int) -> None:
        """Note that `length` bytes at `offset` of a plan file are written."""
        last, begin, end = self._piece
        if last == file and end == offset:
            self._piece = (file, begin, offset + length)
        else:
            self._end_piece()
            self._piece = (file, offset, offset + length)

    def bound(self, file: int, fd: int) -> None:
        """Note that the pieces of a plan file are in the inode that is open as fd."""
        if self._known[file]:
            self._note(BOUND, file, incarnation(fd), os.fstat(fd).st_ino)

    def whole(self, files: Sequence[int], statuses: Statuses) -> None:
        """Note that plan files are complete. statuses: those of the staged files."""
        for file, inode, ctime in zip(files, statuses.column(INODES), statuses.times(CTIMES)):
            self._note(WHOLE, file, ctime & _MASK, inode)

    def cloned(self, file: int) -> None:
        """Note that the staged file began as a clone of an older version."""
        self._note(CLONED, file)

    def durable(self, file: int, position: int) -> None:
        """Note that everything noted about a plan file before this position of the journal is on disk."""
        self._note(DURABLE, file, position)

    @property
    def is_empty(self) -> bool:
        """Whether no notes are left of which a later session can make use."""
        return _NOTED not in self._known and _COVERED not in self._known

    def knows(self, file: int) -> bool:
        """Return whether a later session can resume this file."""
        return bool(self._known[file])

    def forget(self, file: int) -> None:
        """Withdraw all notes about a plan file, and note nothing about it from now on.

        Call this before its staged file is removed.
        """
        if self._known[file]:
            self._note(VOID, file)
            self._known[file] = 0
            self.flush()

    def take_dirty(self, most: int) -> list[int]:
        """Return large files with new notes that were not returned since, at most this many."""
        return [self._dirty.pop() for _ in range(min(most, len(self._dirty)))]

    def take_uncovered(self) -> list[int]:
        """Return the files, large or small, with new notes since the last call."""
        taken = []
        file = self._known.find(_NOTED)
        while file >= 0:
            taken.append(file)
            self._known[file] = _COVERED
            file = self._known.find(_NOTED, file + 1)
        return taken

    def flush_now_and_then(self) -> None:
        """Append the buffered notes unless that was done less than FLUSH_S ago."""
        now = time.monotonic()
        if now - self._flushed_at > FLUSH_S:
            self._flushed_at = now
            self.flush()

    def flush(self) -> None:
        """Append the buffered notes as one frame."""
        self._end_piece()
        if self._waiting:
            self._append(FRAME.pack(len(self._waiting), zlib.crc32(self._waiting)), self._waiting)
            self._waiting = bytearray()

    def _end_piece(self) -> None:
        file, begin, end = self._piece
        if begin < end:
            self._piece = (0, 0, 0)
            self._note(PIECE, file, begin, end - begin)

    def _note(self, what: int, file: int, first: int = 0, second: int = 0) -> None:
        if self._known[file]:
            if what != DURABLE:
                self._known[file] = _NOTED
            self._waiting += NOTE.pack(what, file, first, second)
            if what in (PIECE, WHOLE) and file in self._large:
                self._dirty.add(file)

    def sync(self) -> None:
        """Sync the journal to disk."""
        if self._fd >= 0:
            with suppress(OSError):
                os.fdatasync(self._fd)

    def close(self) -> None:
        """Flush and close the journal, and leave it for a later session."""
        if self._fd >= 0:
            self.flush()
        self._end()

    def remove(self) -> None:
        """Close and delete the journal, because nothing remains to be resumed."""
        self._end()
        with suppress(OSError):  # otherwise the next run removes it as stale
            self._destination.directories.change(0, lambda fd: os.unlink(self._name, dir_fd=fd))

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
            self._end()  # the disk is full, for example; readers stop at the torn frame

    def _end(self) -> None:
        if self._fd >= 0:
            close_quietly(self._fd)  # an error of close() costs no more than the last notes
            self._fd = -1


def self_of(fd: int) -> bytes:
    """Return the inode and generation of an open journal, as they stand in its head."""
    return SELF.pack(os.fstat(fd).st_ino, inode_generation(fd) & 0xFFFFFFFF)


def boot_id() -> bytes:
    """Return the kernel's boot ID, or b"" if it is not known.

    Within one boot, everything written is still in the page cache; after a reboot only synced data counts.
    """
    try:
        with open(BOOT_ID_PATH, "rb") as file:
            return file.read(64).strip()
    except OSError:
        return b""


def _head(manifest: Manifest, plan: Plan, files: array[int], tag: bytes, itself: bytes) -> Iterator[bytes]:
    """Yield the parts of the head, each made when it is asked for."""
    entries = array("I", map(plan.entries.__getitem__, files))
    parents = array("I", map(manifest.parents.__getitem__, entries))
    directories = {directory: number for number, directory in enumerate(dict.fromkeys(parents))}
    packer = Packer(MAGIC, level=0)
    packer.blob(tag)
    packer.blob(itself)
    packer.blob(boot_id())
    packer.number(len(files))
    packer.column(files)
    packer.strings(map(manifest.names.__getitem__, entries))
    yield from packer.take_parts()
    packer.column(array("I", map(directories.__getitem__, parents)))
    packer.number(len(directories))
    packer.strings(map(manifest.path, directories))
    yield from packer.take_parts()
    columns = (
        ("q", manifest.sizes, entries),
        ("q", manifest.mtimes, entries),
        ("q", plan.ctimes, files),
        ("Q", plan.inodes, files),
    )
    for typecode, column, rows in columns:
        packer.column(array(typecode, map(column.__getitem__, rows)))
        yield from packer.take_parts()
