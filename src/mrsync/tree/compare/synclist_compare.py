"""Compare with a manifest of listed entries only: listed files are sent, and little is examined."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from mrsync.tree.compare.comparer import Comparer
from mrsync.tree.compare.entry_comparer import EntryComparer
from mrsync.tree.compare.hard_links import Found
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.temporary_names import PREFIX, parsed
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing, sorted_names
from mrsync.tree.model.manifest import DIRECTORY, REGULAR, Manifest
from mrsync.tree.model.marks import Mark


class SynclistComparer(Comparer):
    """Walk the directories of a list, and read no more of them than the marks of their entries demand."""

    def _read(self, directory: int, first: int, end: int) -> Listing | None:
        names = [self._manifest.names[entry] for entry in range(first, end) if self._is_looked_at(entry)]
        listing = self._read_now(directory, names)
        if listing is not None and self._directories is not None:
            self._note_stale(directory, self._directories.open(directory))
        return listing

    def _note_stale(self, directory: int, fd: int) -> None:
        """Note temporary files of earlier sessions, for reuse and removal."""
        for name in sorted_names(fd):
            if name.startswith(PREFIX) and parsed(name):
                with suppress(OSError):
                    if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                        self._result.stale.append((directory, name))

    def _is_looked_at(self, entry: int) -> bool:
        mark, is_file = mark_of(self._manifest, entry), self._manifest.kind(entry) == REGULAR
        if mark == Mark.IMPLIED:
            return is_file  # opening a directory shows that it exists
        return self._result.items is not None or not (is_file and mark in (Mark.SENT, Mark.LINKED))

    def _compare_absent(self, directory: int, first: int, end: int) -> None:
        for entry in range(first, end):
            self._entries.compare(entry, None, -1)

    def _compare_directory(self, directory: int, first: int, end: int, listing: Listing) -> None:
        positions = {name: position for position, name in enumerate(listing.names)}
        for entry in range(first, end):
            self._entries.compare(entry, listing, positions.get(self._manifest.names[entry], -1))


class ListedEntryComparer(EntryComparer):
    """Decide by the marks of entries; compare those marked so, and all without contents, as without a list."""

    def _compare_root(self, directories: Directories) -> None:
        if mark_of(self._manifest, 0) != Mark.IMPLIED:
            super()._compare_root(directories)

    def _compare_with(self, entry: int, listing: Listing | None, position: int) -> None:
        mark, is_file = mark_of(self._manifest, entry), self._manifest.kind(entry) == REGULAR
        if is_file and mark in (Mark.SENT, Mark.LINKED):
            self._compare_listed(entry, listing, position)
        elif mark != Mark.IMPLIED or (is_file and entry in self._groups):
            super()._compare_with(entry, listing, position)

    def _compare_listed(self, entry: int, listing: Listing | None, position: int) -> None:
        """Schedule a file that is always sent or linked. Examine the old one only to itemize the change."""
        look, inode = Found(), None
        if self.result.items is not None:
            kind = listing.modes[position] >> KIND_SHIFT if listing is not None and position >= 0 else -1
            look = self._links.looks[entry] = self._look(entry, listing if kind == REGULAR else None, position)
            inode = look.inode
            if kind == DIRECTORY:
                self.result.obstacles.append(entry)
        if entry in self._groups:
            # Other names must not be linked to one that is itself made a link.
            is_sent = mark_of(self._manifest, entry) == Mark.SENT
            self._groups.note(entry, Found(is_present=is_sent, inode=inode if is_sent else None))
        else:
            self._work.need(entry, entry + 1)
            self._work.itemize_sent(entry, look)


def mark_of(manifest: Manifest, entry: int) -> int:
    """Return the mark of an entry in a manifest that was made of a list."""
    assert manifest.listed is not None  # the condition for these classes
    return manifest.listed.marks[entry]
