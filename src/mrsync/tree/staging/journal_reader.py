"""Read the journal of an earlier session, and decide which of its notes count.

The file may be torn, forged or a copy, so nothing in it is trusted until it is checked: owner, mode, link count, size,
the tag and inode in the head, and the CRC of each frame. Files that cannot be verified count as not staged.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from mrsync.errors import MrsyncError
from mrsync.files import open_regular
from mrsync.ranges import Range, merged
from mrsync.tree.destination.root import is_closed
from mrsync.tree.fs.temporary_names import journal_name
from mrsync.tree.model.limits import ENTRIES_MAX
from mrsync.tree.model.packing import Unpacker
from mrsync.tree.staging.identity import incarnation
from mrsync.tree.staging.journal import (
    BOUND,
    CLONED,
    DURABLE,
    FRAME,
    HEAD,
    MAGIC,
    NOTE,
    PIECE,
    VOID,
    WHOLE,
    boot_id,
    self_of,
)
from mrsync.tuples import NamedTuple

MARK_WAIT_S = 2.0  # a look takes microseconds, but any process may hold the lock for ever
_LOOK_S = 0.001
JOURNAL_BYTES_MAX = 1 << 31  # about 25 million files; it is read into memory
_GENERATION = 0xFFFFFFFF  # the part of an incarnation that survives a reboot; device numbers may change
_MASK = (1 << 64) - 1


class Running(Exception):
    """The session that writes this journal is still running."""


class JournalNote(NamedTuple):
    """The part of one file that an earlier session has staged.

    directory, name, size, mtime, ctime, inode: the source file.
    pieces: spans of bytes that are written.
    is_whole: the staged file is complete.
    is_cloned: bytes outside of the pieces may have any value, even in holes.
    staged_inode: inode of the staged file.
    mark: its ctime in ns if it is whole, else its `incarnation`.
    is_this_boot: the note was made since the last boot; otherwise the device number in `mark` does not count.
    """

    directory: bytes
    name: bytes
    size: int
    mtime: int
    ctime: int
    inode: int
    pieces: list[Range]
    is_whole: bool
    is_cloned: bool
    staged_inode: int
    mark: int
    is_this_boot: bool

    def is_about(self, fd: int) -> bool:
        """Return whether the open file is the staged one, and nobody else has changed it since.

        A complete file may already belong to another user, who could have written to it. Its ctime would show that.
        """
        status = os.fstat(fd)
        if status.st_nlink != 1 or status.st_ino != self.staged_inode:
            return False
        if self.is_whole:
            return status.st_ctime_ns & _MASK == self.mark
        is_ours_alone = status.st_uid == os.geteuid() and not status.st_mode & 0o022
        counts = _MASK if self.is_this_boot else _GENERATION
        return is_ours_alone and not (incarnation(fd) ^ self.mark) & counts

    @property
    def end(self) -> int:
        """Return the least size in bytes of the staged file, if it is not written sparsely."""
        return self.size if self.is_whole else self.pieces[-1][1]

    @property
    def bytes_held(self) -> int:
        return self.size if self.is_whole else sum(end - first for first, end in self.pieces)


class JournalReader:
    """The valid notes in a journal, by plan file of the session that wrote it.

    data: the whole journal. tag: that of its session. itself: `self_of` the file that data was read from. boot: the
    present `boot_id`. Notes after the first damaged frame are ignored. Of a session from before the last boot, only
    notes that are marked as durable count. Raises ProtocolDataError if the head is not valid.
    """

    def __init__(self, data: bytes, tag: bytes, itself: bytes, boot: bytes) -> None:
        head_end = HEAD.size + (HEAD.unpack_from(data)[0] if len(data) >= HEAD.size else 0)
        unpacker = Unpacker(data[HEAD.size : head_end], MAGIC, "journal")
        if unpacker.blob() != tag or unpacker.blob() != itself:
            raise unpacker.error("it is that of another session, or a copy")
        self._is_this_boot = unpacker.blob() == boot != b""
        count = unpacker.number(ENTRIES_MAX)
        self._rows = {file: row for row, file in enumerate(unpacker.column("I", count))}
        self._names = unpacker.strings(count)
        self._parents = unpacker.column("I", count)
        self._directories = unpacker.strings(unpacker.number(count))
        self._sizes, self._mtimes, self._ctimes = (unpacker.column("q", count) for _ in range(3))
        self._inodes = unpacker.column("Q", count)
        unpacker.end()
        if len(self._rows) != count or (count and max(self._parents) >= len(self._directories)):
            raise unpacker.error("its files do not add up")
        self._pieces: dict[int, list[Range]] = {}
        self._whole: dict[int, tuple[int, int]] = {}
        self._bound: dict[int, tuple[int, int]] = {}
        self._cloned: set[int] = set()
        self._read(data, head_end)

    def find(self, file: int) -> JournalNote | None:
        """Return what is noted about a plan file, or None."""
        if file not in self._pieces and file not in self._whole:
            return None
        row = self._rows[file]
        mark, staged_inode = self._whole.get(file) or self._bound.get(file, (0, 0))
        return JournalNote(
            self._directories[self._parents[row]],
            self._names[row],
            self._sizes[row],
            self._mtimes[row],
            self._ctimes[row],
            self._inodes[row],
            merged(self._pieces.get(file, ())),
            file in self._whole,
            file in self._cloned,
            staged_inode,
            mark,
            self._is_this_boot,
        )

    def _read(self, data: bytes, position: int) -> None:
        """Apply all notes in order; those from before the last boot only if a later DURABLE covers them."""
        durable: dict[int, int] = {}
        if not self._is_this_boot:
            for _, what, file, number, _ in _notes(data, position):
                if what == DURABLE:
                    durable[file] = number
        for start, what, file, first, second in _notes(data, position):
            if file not in self._rows:
                continue
            if what == VOID:
                self._pieces.pop(file, None)
                self._whole.pop(file, None)
                self._bound.pop(file, None)
                self._cloned.discard(file)
            elif what == CLONED:
                self._cloned.add(file)
            elif what == BOUND:
                self._bound[file] = first, second
            elif self._is_this_boot or start < durable.get(file, 0):
                self._believe(what, file, first, second)

    def _believe(self, what: int, file: int, first: int, second: int) -> None:
        if what == WHOLE:
            self._whole[file] = first, second
        elif what == PIECE and 0 < second <= self._sizes[self._rows[file]] - first:
            self._pieces.setdefault(file, []).append((first, first + second))


def _notes(data: bytes, position: int) -> Iterator[tuple[int, ...]]:
    """Yield (position of the frame, kind, file, a, b) for each note before the first damaged frame."""
    while position + FRAME.size <= len(data):
        length, checksum = FRAME.unpack_from(data, position)
        start, end = position + FRAME.size, position + FRAME.size + length
        body = data[start:end]
        if len(body) != length or length % NOTE.size or zlib.crc32(body) != checksum:
            return
        for note in NOTE.iter_unpack(body):
            yield (position, *note)
        position = end


def read_notes(root_fd: int, tag: bytes) -> JournalReader | None:
    """Return the notes in the journal with this tag, or None if there is no valid one. Raise Running if it is in use.

    root_fd: the root of the destination.
    """
    try:
        with _opened(root_fd, tag) as file:
            return JournalReader(file.read(), tag, self_of(file.fileno()), boot_id())
    except (OSError, MrsyncError):
        return None


def is_running(root_fd: int, tag: bytes) -> bool:
    """Return whether a journal of ours with this tag belongs to a session that is still running."""
    try:
        _opened(root_fd, tag).close()
    except Running:
        return True
    except OSError:
        return False
    return False


def may_run(root_fd: int, tag: bytes) -> bool:
    """Return whether the session with this tag, of whatever user, is or may be still running.

    A session to which the root is closed has no journal there, so any such session that runs may be the one.
    """
    try:
        _opened(root_fd, tag).close()
    except Running:
        return True
    except FileNotFoundError:
        return _has_others(root_fd)
    except PermissionError:
        return _is_locked(root_fd, tag)
    except OSError:
        return False
    return False


def _is_locked(root_fd: int, tag: bytes) -> bool:
    """Return whether the journal of another user is locked. If it cannot be opened, it counts as locked."""
    try:
        fd = open_regular(journal_name(tag), root_fd)
    except OSError as error:
        return isinstance(error, PermissionError)
    try:
        _check_unlocked(fd)
    except Running:
        return True
    finally:
        os.close(fd)
    return False


def mark_closed_root(root_fd: int) -> None:
    """Let other sessions see that one runs in a closed root, as long as it is open as root_fd.

    Wait for a session that looks for marks at this moment.
    """
    deadline = time.monotonic() + MARK_WAIT_S
    while time.monotonic() < deadline:
        try:
            fcntl.flock(root_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_S)
        except OSError:  # not every file system has locks
            return
        else:
            return


def _has_others(root_fd: int) -> bool:
    """Return whether sessions to which the root is closed have marked it, or may have where it cannot be locked."""
    is_closed_to_us = is_closed(root_fd)
    try:
        fcntl.flock(root_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_closed_to_us:
            fcntl.flock(root_fd, fcntl.LOCK_UN)
    except OSError as error:
        return is_closed_to_us or isinstance(error, BlockingIOError)
    finally:
        if is_closed_to_us:
            mark_closed_root(root_fd)  # an attempt that fails takes the mark away, too
    return False


def _opened(root_fd: int, tag: bytes) -> BinaryIO:
    """Open a journal that nobody writes. Raise Running if somebody does.

    Raise OSError unless it is a regular file of ours with one link and a private mode.
    """
    file = os.fdopen(open_regular(journal_name(tag), root_fd), "rb")
    try:
        status = os.fstat(file.fileno())
        is_ours = status.st_uid == os.geteuid() and status.st_nlink == 1
        if not is_ours or status.st_mode & 0o077 or status.st_size > JOURNAL_BYTES_MAX:
            raise OSError(errno.EPERM, "not a journal of ours")
        _check_unlocked(file.fileno())
        return file
    except BaseException:
        file.close()
        raise


def _check_unlocked(fd: int) -> None:
    """Raise Running if the session that writes this journal has locked it.

    A shared lock does that: others look at the same time, and NFS gives no exclusive one to a reader.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Running from error
    except OSError:
        pass  # not every file system has locks
