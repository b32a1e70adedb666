"""Claims: what the journal of an earlier session says, as far as it is to be believed."""

from __future__ import annotations

import errno
import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from mrsync.errors import MrsyncError
from mrsync.files import open_regular
from mrsync.tree.fs.temporary_names import journal_name
from mrsync.tree.model.limits import ENTRIES_MAX
from mrsync.tree.model.packing import Unpacker
from mrsync.tree.model.spans import Span, merged
from mrsync.tree.staging.identity import incarnation
from mrsync.tree.staging.journal import (
    BOUND,
    CLAIM,
    CLONED,
    DURABLE,
    FRAME,
    HEAD,
    MAGIC,
    PIECE,
    VOID,
    WHOLE,
    boot_id,
    self_of,
)

JOURNAL_BYTES_MAX = 1 << 28
_GENERATION = 0xFFFFFFFF  # of an incarnation: all that outlives a reboot
_MASK = (1 << 64) - 1


class Running(Exception):
    """The session of a journal still runs."""


class JournalClaim(NamedTuple):
    """What is staged of one file of the source.

    pieces: spans of its bytes; is_whole: all of them, and the file was complete. is_cloned: what is not in the pieces
    may be anything, also in holes. staged_inode, mark: of the staged file; mark is its ctime if it is whole, else its
    incarnation, of which the device counts only within one boot, is_this_boot.
    """

    directory: bytes
    name: bytes
    size: int
    mtime: int
    ctime: int
    inode: int
    pieces: list[Span]
    is_whole: bool
    is_cloned: bool
    staged_inode: int
    mark: int
    is_this_boot: bool

    def is_about(self, fd: int) -> bool:
        """Whether the open file is the one that was staged, and nobody else changed it since.

        One that is complete may belong to somebody else already, who might write to it: then its ctime shows that.
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
        """How long the staged file is at least, unless zeros became holes in it."""
        return self.size if self.is_whole else self.pieces[-1][1]

    @property
    def bytes_held(self) -> int:
        return self.size if self.is_whole else sum(end - first for first, end in self.pieces)


class Claims:
    """By the plan file of the session that made them. ProtocolDataError for a head that makes no sense.

    tag: of that session; itself: what the file says that this was read from, as of `self_of`. Claims end at the first
    that is damaged. What a session before the last boot said counts only where it was on the disk, too.
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
        self._pieces: dict[int, list[Span]] = {}
        self._whole: dict[int, tuple[int, int]] = {}
        self._bound: dict[int, tuple[int, int]] = {}
        self._cloned: set[int] = set()
        self._read(data, head_end)

    def find(self, file: int) -> JournalClaim | None:
        """What is claimed of a plan file, if anything is."""
        if file not in self._pieces and file not in self._whole:
            return None
        row = self._rows[file]
        mark, staged_inode = self._whole.get(file) or self._bound.get(file, (0, 0))
        return JournalClaim(
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
        """Claims of before the last boot are believed when a later one says that they were durable."""
        durable: dict[int, int] = {}
        if not self._is_this_boot:
            for _, what, file, number, _ in _claims(data, position):
                if what == DURABLE:
                    durable[file] = number
        for start, what, file, first, second in _claims(data, position):
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


def _claims(data: bytes, position: int) -> Iterator[tuple[int, ...]]:
    """(position of the frame, what, file, a, b) of each claim, up to the first frame that is damaged."""
    while position + FRAME.size <= len(data):
        length, checksum = FRAME.unpack_from(data, position)
        start, end = position + FRAME.size, position + FRAME.size + length
        body = data[start:end]
        if len(body) != length or length % CLAIM.size or zlib.crc32(body) != checksum:
            return
        for claim in CLAIM.iter_unpack(body):
            yield (position, *claim)
        position = end


def read_claims(root_fd: int, tag: bytes) -> Claims | None:
    """What the journal of an earlier session of ours says; None if nothing. Running if that session is not over."""
    try:
        with _opened(root_fd, tag) as file:
            return Claims(file.read(), tag, self_of(file.fileno()), boot_id())
    except (OSError, MrsyncError):
        return None


def is_running(root_fd: int, tag: bytes) -> bool:
    """Whether the session of this journal is not over."""
    try:
        _opened(root_fd, tag).close()
    except Running:
        return True
    except OSError:
        pass
    return False


def _opened(root_fd: int, tag: bytes) -> BinaryIO:
    """The journal, locked; OSError unless it is a plain file of ours, with one name, closed to all others."""
    file = os.fdopen(open_regular(journal_name(tag), root_fd), "rb")
    try:
        status = os.fstat(file.fileno())
        is_ours = status.st_uid == os.geteuid() and status.st_nlink == 1
        if not is_ours or status.st_mode & 0o077 or status.st_size > JOURNAL_BYTES_MAX:
            raise OSError(errno.EPERM, "not a journal of ours")
        with suppress(OSError):  # not every file system has locks
            _lock(file)
        return file
    except BaseException:
        file.close()
        raise


def _lock(file: BinaryIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Running from error
