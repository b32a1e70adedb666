"""Statuses: what lstat(2) tells about many entries of one directory, in columns.

A scan with nothing to do is little else. os.stat makes an object with 19 numbers for each entry, which takes as long as
the system call. So `StatusTable` calls statx(2), which writes a row of a fixed layout into memory of the caller; a
column is one number of each row, and loops in C take it out of there. `StatusRows` has the same columns of what os.stat
returned. It serves single entries, directories of which something cannot be read, and systems without statx.
"""

from __future__ import annotations

import os
import sys
import threading
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, Protocol

from mrsync.c_library import c_library
from mrsync.tuples import NamedTuple

ROWS = 512  # of a table; more would not fit into the processor's cache
_ROW_BYTES = 256
_FLAGS = 0x100 | 0x800  # AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT: as os.stat does
_OPEN = 0x1000 | 0x800  # AT_EMPTY_PATH: of the open file itself
_MASK = 0x7FF  # STATX_BASIC_STATS: what os.stat tells
_SECOND_NS = 1_000_000_000
_NEAR_BITS = 33  # of seconds: until the year 2242 their ns have at most 63 bits
_FAR_BITS = int.from_bytes(array("Q", [(1 << 64) - (1 << _NEAR_BITS)] * ROWS).tobytes(), "little")


class Column(NamedTuple):
    """Where a number stands. typecode, offset: in struct statx, see array. attribute: of os.stat_result."""

    typecode: str
    offset: int
    attribute: str


LINK_COUNTS = Column("I", 16, "st_nlink")
UIDS = Column("I", 20, "st_uid")
GIDS = Column("I", 24, "st_gid")
MODES = Column("H", 28, "st_mode")
INODES = Column("Q", 32, "st_ino")
SIZES = Column("q", 40, "st_size")
BLOCKS = Column("q", 48, "st_blocks")
CTIMES = Column("q", 96, "st_ctime_ns")  # seconds; nanoseconds follow
MTIMES = Column("q", 112, "st_mtime_ns")
_SPECIAL, _DEVICE = 128, 136  # offsets of a major and a minor number


class Statuses(Protocol):
    """Columns by position."""

    def column(self, column: Column) -> array[int]: ...

    def times(self, column: Column) -> Sequence[int]:
        """Return CTIMES or MTIMES in ns since 1970."""

    def device(self, position: int) -> int:
        """Return the number of the device that the entry is on."""

    def special(self, position: int) -> int:
        """Return the number of the device that the entry is."""


class StatusRows:
    """Columns of what os.stat returned."""

    def __init__(self, rows: Sequence[os.stat_result]) -> None:
        self._rows = rows

    def column(self, column: Column) -> array[int]:
        return array(column.typecode, map(attrgetter(column.attribute), self._rows))

    def times(self, column: Column) -> list[int]:
        return list(map(attrgetter(column.attribute), self._rows))

    def device(self, position: int) -> int:
        return self._rows[position].st_dev

    def special(self, position: int) -> int:
        return self._rows[position].st_rdev


class StatusTable:
    """Memory for ROWS entries, which is filled again and again.

    Each thread has its own, because system calls run side by side.
    """

    def __init__(self) -> None:
        self._count = 0
        self._memory = memoryview(bytearray(ROWS * _ROW_BYTES))
        cast = self._memory.cast
        self._views: dict[str, memoryview] = {"H": cast("H"), "I": cast("I"), "Q": cast("Q"), "q": cast("q")}
        self._statx, self._rows = _statx_into(self._memory)

    def read(self, directory_fd: int, names: list[bytes]) -> bool:
        """Read the status of at most ROWS entries. Return False if that of any cannot be read in this way."""
        return self._read(len(names), repeat(directory_fd), names, _FLAGS)

    def read_open(self, fds: Sequence[int]) -> bool:
        """Do the same for at most ROWS open files."""
        return self._read(len(fds), fds, repeat(b""), _OPEN)

    def _read(self, count: int, directory_fds: Iterable[int], names: Iterable[bytes], flags: int) -> bool:
        self._count = count
        if self._statx is None:
            return False
        rows = self._rows[:count]  # it ends the loop where the other columns do not
        return not any(map(self._statx, directory_fds, names, repeat(flags), repeat(_MASK), rows))

    def column(self, column: Column) -> array[int]:
        found = array(column.typecode)
        found.frombytes(self._of_each_row(column.typecode, column.offset).tobytes())
        return found

    def times(self, column: Column) -> Sequence[int]:
        """Return times in ns since 1970, as an array if each has less than 64 bits.

        To multiply one after the other would take a twentieth of a scan. So the seconds of all rows are taken as one
        long number of which each row is 64 bits, and are multiplied at once. No row runs over into the next one.
        """
        seconds, rest = self._of_each_row("q", column.offset), self._of_each_row("q", column.offset + 8)
        number = int.from_bytes(seconds.tobytes(), "little")
        if number & _FAR_BITS:  # after 2242, or before 1970
            return [second * _SECOND_NS + ns for second, ns in zip(seconds, rest)]
        number = number * _SECOND_NS + int.from_bytes(rest.tobytes(), "little")
        return array("q", number.to_bytes(8 * self._count, "little"))

    def device(self, position: int) -> int:
        return self._number(_DEVICE, position)

    def special(self, position: int) -> int:
        return self._number(_SPECIAL, position)

    def _of_each_row(self, typecode: str, offset: int) -> memoryview:
        view = self._views[typecode]
        stride = _ROW_BYTES // view.itemsize
        return view[offset // view.itemsize : self._count * stride : stride]

    def _number(self, offset: int, position: int) -> int:
        major, minor = self._memory[position * _ROW_BYTES + offset :][:8].cast("I")
        return os.makedev(major, minor)


def _statx_into(memory: memoryview) -> tuple[Callable[..., int] | None, list[Any]]:
    """Return the C function and where it is to write each row; without it, None."""
    if sys.byteorder != "little":  # `times` takes ns and the four zeros behind them as one number
        return None, []
    library = c_library("statx")
    if library is None:
        return None, []
    import ctypes

    start = (ctypes.c_char * len(memory)).from_buffer(memory)
    return library.statx, [ctypes.byref(start, offset) for offset in range(0, len(memory), _ROW_BYTES)]


_per_thread = threading.local()


def read_statuses(directory_fd: int, names: list[bytes]) -> StatusTable | None:
    """Return the status of at most ROWS entries, until this thread reads others; None if it cannot be read so."""
    table = _own_table()
    return table if table.read(directory_fd, names) else None


def statuses_of(fds: Sequence[int]) -> Statuses:
    """Return the statuses of at most ROWS open files, until this thread reads others. Raise OSError."""
    table = _own_table()
    return table if table.read_open(fds) else StatusRows([os.fstat(fd) for fd in fds])


def _own_table() -> StatusTable:
    table: StatusTable | None = getattr(_per_thread, "table", None)
    if table is None:
        table = _per_thread.table = StatusTable()
    return table
