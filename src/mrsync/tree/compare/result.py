"""Comparison: everything that a target lacks."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator

from mrsync.tree.compare.sightings import Sightings
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.items import Items
from mrsync.tuples import NamedTuple


class Comparison:
    """What a target lacks.

    names_read: the number of names in all directories that were read here, which `check_deletions` compares with the
    number to delete.
    needs: ranges [a, b) of entries whose contents are needed (regular files; of a hard-link group at most one).
    made: directories, soft links and special files to make.
    linked: hard-link members to link to their leader, which is in the manifest after the comparison.
    mended: entries of which only attributes differ.
    sightings: identities of these entries.
    listed_deletions: existing paths that a list deletes.
    reuses: what is linked or copied from other directories.
    failures: what could not be read; its entries count as needed.
    items: every change, if the policy asks for it.

    Five more lists are about what is on the target already:

        extraneous   (directory entry, name) that the source lacks      deleted, if the policy says so
        stale        (directory entry, name) of a temporary file of     adopted by this session, or removed
                     an earlier session
        obstacles    entries whose place is taken by a directory        the directory is removed
        superseded   entries of which another directory has the same    removed
                     (--compare-dest)
        restaged     entries in `needs` that look right but that        staged anew, from their own blocks
                     others may control                                 where these are right
    """

    def __init__(self, *, items: Items | None = None) -> None:
        self.needs: list[tuple[int, int]] = []
        self.files_needed = 0
        self.bytes_needed = 0
        self.made = array("I")
        self.linked = array("I")
        self.mended = array("I")
        self.sightings = Sightings()
        self.restaged = array("I")
        self.names_read = 0
        self.extraneous: list[tuple[int, bytes]] = []
        self.stale: list[tuple[int, bytes]] = []
        self.listed_deletions: list[bytes] = []
        self.obstacles = array("I")
        self.reuses = Reuses()
        self.superseded = array("I")
        self.failures: list[Failure] = []
        self.items = items

    @property
    def changes(self) -> int:
        """Return the number of entries to make, link or update without contents.

        Deletions are counted when they happen.
        """
        return len(self.made) + len(self.linked) + len(self.reuses) + len(self.superseded) + len(self.mended)

    def amend(self, entries: Iterable[int], again: Comparison) -> None:
        """Replace links, metadata updates and items of these files by those of a second comparison."""
        known = set(entries)
        for name in ("linked", "mended"):
            kept = [entry for entry in getattr(self, name) if entry not in known]
            setattr(self, name, array("I", sorted(kept + list(getattr(again, name)))))
        self.sightings.add(again.sightings)
        if self.items is not None and again.items is not None:
            self.items.amend(known, again.items)


class Reuse(NamedTuple):
    """An entry that is linked or copied from another directory of the target (--link-dest, --copy-dest).

    number: of the other directory. original: the entry that has its contents there. is_link: make a hard link, not a
    copy. inode, mtime_ns: what the original must still be; its ctime changes with every link to it.
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
