"""Record the identity of entries at the time when it was decided to change them in place."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right


class Sightings:
    """Inode and time of change by entry: an entry may be changed only if it is still the one that was examined."""

    def __init__(self) -> None:
        self._entries = array("I")
        self._inodes = array("Q")
        self._ctimes = array("q")
        # Ascending, the latest sighting of an entry last, and where each is; made when asked for.
        self._sorted = array("I")
        self._positions = array("I")

    def note(self, entry: int, status: os.stat_result) -> None:
        self._add(entry, status.st_ino, status.st_ctime_ns)

    def add(self, others: Sightings) -> None:
        """Add sightings, which replace earlier ones of the same entries."""
        for sighting in zip(others._entries, others._inodes, others._ctimes):
            self._add(*sighting)

    def is_same_inode(self, entry: int, status: os.stat_result) -> bool:
        """Return whether status has the inode of the latest sighting, or there is no sighting."""
        position = self._find(entry)
        return position < 0 or self._inodes[position] == status.st_ino

    def is_untouched(self, entry: int, status: os.stat_result) -> bool:
        """Return whether inode and ctime are those of the latest sighting, or there is no sighting."""
        position = self._find(entry)
        return self.is_same_inode(entry, status) and (position < 0 or self._ctimes[position] == status.st_ctime_ns)

    def _add(self, entry: int, inode: int, ctime: int) -> None:
        self._entries.append(entry)
        self._inodes.append(inode)
        self._ctimes.append(ctime)

    def _find(self, entry: int) -> int:
        if len(self._sorted) != len(self._entries):
            order = sorted(range(len(self._entries)), key=self._entries.__getitem__)
            self._positions = array("I", order)
            self._sorted = array("I", map(self._entries.__getitem__, order))
        place = bisect_right(self._sorted, entry) - 1
        return self._positions[place] if place >= 0 and self._sorted[place] == entry else -1
