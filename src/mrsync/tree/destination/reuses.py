"""Record which entries are linked or copied from another directory of the target."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator

from mrsync.tuples import NamedTuple


class Reuse(NamedTuple):
    """An entry to place. number: of the other directory. original: the entry that has its contents there.

    is_link: make a hard link, not a copy. inode, mtime_ns: what the original must still be; its ctime changes with
    every link to it.
    """

    entry: int
    number: int
    original: int
    is_link: bool
    inode: int
    mtime_ns: int

    def is_about(self, status: os.stat_result) -> bool:
        return (status.st_ino, status.st_mtime_ns) == (self.inode, self.mtime_ns)


class Reuses:
    """Reuses in columns, because there may be one for each entry."""

    def __init__(self) -> None:
        self._columns = tuple([array(code) for code in ("I", "B", "I", "B", "Q", "q")])

    def __len__(self) -> int:
        return len(self._columns[0])

    def __iter__(self) -> Iterator[Reuse]:
        for entry, number, original, is_link, inode, mtime_ns in zip(*self._columns):
            yield Reuse(entry, number, original, bool(is_link), inode, mtime_ns)

    def add(self, reuse: Reuse) -> None:
        for column, value in zip(self._columns, reuse):
            column.append(value)
