"""The contents of one directory as columns; scan collects listings, compare compares them with a manifest."""

from __future__ import annotations

import os
import stat
import sys
from array import array
from collections.abc import Iterable, Sequence

from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.status_table import (
    BLOCKS,
    CTIMES,
    GIDS,
    INODES,
    LINK_COUNTS,
    MODES,
    MTIMES,
    ROWS,
    SIZES,
    UIDS,
    Statuses,
    StatusRows,
    read_statuses,
)

TIME_MAX = (1 << 63) - 1
TIME_MIN = -(1 << 63)
_BLOCK_BYTES = 512  # as stat counts them
_ENCODING = sys.getfilesystemencoding()
_KIND_BYTE = 1 if sys.byteorder == "little" else 0  # of the two of a mode: its upper half is the kind
_KIND_OF_BYTE = bytes([byte >> (KIND_SHIFT - 8) for byte in range(256)])
_REGULAR = stat.S_IFREG >> KIND_SHIFT
_DIRECTORY = stat.S_IFDIR >> KIND_SHIFT
_LINK = stat.S_IFLNK >> KIND_SHIFT
_DEVICES = (stat.S_IFCHR >> KIND_SHIFT, stat.S_IFBLK >> KIND_SHIFT)


class Listing:
    """The entries of a directory, or those with the given names, sorted by name; one column per attribute.

    sizes: bytes, 0 except for regular files. mtimes: ns since 1970, clamped to 64 bits; `far_times` has the exact ones.
    By position: links (targets of soft links), inodes ((device, inode) of entries with several names, except
    directories), devices (device numbers), followed (soft links that were replaced by what they lead to). failures:
    (errno, name) of entries that could not be read. sparse (regular files that occupy fewer blocks than their size):
    only if finds_holes. ctimes (ns), numbers (inodes): only if has_identities.
    """

    def __init__(
        self,
        directory_fd: int,
        names: list[bytes] | None = None,
        *,
        finds_holes: bool = False,
        has_identities: bool = False,
    ) -> None:
        self._begin(finds_holes=finds_holes, has_identities=has_identities)
        names = sorted_names(directory_fd) if names is None else names
        for start in range(0, len(names), ROWS):
            self._add(directory_fd, names[start : start + ROWS] if len(names) > ROWS else names)

    def _begin(self, *, finds_holes: bool, has_identities: bool) -> None:
        self.names: list[bytes] = []
        self.modes = array("H")
        self.uids = array("I")
        self.gids = array("I")
        self.sizes = array("q")
        self.mtimes = array("q")
        self.far_times: dict[int, int] = {}
        self.links: dict[int, bytes] = {}
        self.inodes: dict[int, tuple[int, int]] = {}
        self.devices: dict[int, int] = {}
        self.sparse: list[int] = []
        self.followed: set[int] = set()
        self.failures: list[tuple[int, bytes]] = []
        self.ctimes = array("q")
        self.numbers = array("Q")
        self._finds_holes = finds_holes
        self._has_identities = has_identities

    def mtime_ns(self, position: int) -> int:
        return self.far_times[position] if position in self.far_times else self.mtimes[position]

    def keep(self, kept: Sequence[int]) -> None:
        """Keep only the entries at these positions, in this order."""
        self.names = [self.names[position] for position in kept]
        for column in (self.modes, self.uids, self.gids, self.sizes, self.mtimes, self.ctimes, self.numbers):
            if column:
                column[:] = array(column.typecode, [column[position] for position in kept])
        moved = {old: new for new, old in enumerate(kept)}
        self.far_times = {moved[old]: time for old, time in self.far_times.items() if old in moved}
        self.links = {moved[old]: target for old, target in self.links.items() if old in moved}
        self.inodes = {moved[old]: inode for old, inode in self.inodes.items() if old in moved}
        self.devices = {moved[old]: number for old, number in self.devices.items() if old in moved}
        self.sparse = [moved[old] for old in self.sparse if old in moved]
        self.followed = {moved[old] for old in self.followed if old in moved}

    def append(self, other: Listing) -> None:
        """Add entries with other names; the caller must restore the order."""
        base = len(self.names)
        self.names += other.names
        self.failures += other.failures
        self.sparse += [base + position for position in other.sparse]
        self.followed |= {base + position for position in other.followed}
        columns = ("modes", "uids", "gids", "sizes", "mtimes", "ctimes", "numbers")
        for column in columns:
            getattr(self, column).extend(getattr(other, column))
        for table in ("far_times", "links", "inodes", "devices"):
            getattr(self, table).update({base + position: value for position, value in getattr(other, table).items()})

    def follow(self, position: int, status: os.stat_result) -> None:
        """Replace a soft link by what it leads to, whose status is given."""
        one = Listing.__new__(Listing)
        one._begin(finds_holes=self._finds_holes, has_identities=self._has_identities)
        one.extend([self.names[position]], StatusRows([status]))
        for column in ("modes", "uids", "gids", "sizes", "mtimes", "ctimes", "numbers"):
            if getattr(self, column):
                getattr(self, column)[position] = getattr(one, column)[0]
        del self.links[position]
        for table in ("far_times", "inodes", "devices"):
            found = getattr(one, table)
            getattr(self, table).pop(position, None)
            if found:
                getattr(self, table)[position] = found[0]
        self.sparse += [position] * len(one.sparse)
        self.followed.add(position)

    def omit(self, positions: Iterable[int]) -> None:
        """Keep only the names of these files: give them the kind OMITTED."""
        for position in positions:
            self.modes[position] = self.sizes[position] = 0
            self.inodes.pop(position, None)
            self.links.pop(position, None)
        self.sparse = [position for position in self.sparse if self.modes[position]]

    def _add(self, fd: int, names: list[bytes]) -> None:
        statuses: Statuses | None = read_statuses(fd, names)
        try:
            links = positions_of(_LINK, statuses.column(MODES)) if statuses is not None else ()
            targets = {i: os.readlink(names[i], dir_fd=fd) for i in links}
        except OSError:
            statuses = None
        if statuses is None:
            names, rows, targets = self._read_one_by_one(fd, names)
            if not names:
                return
            statuses = StatusRows(rows)
        for position, target in targets.items():
            self.links[len(self.names) + position] = target
        self.extend(names, statuses)

    def extend(self, names: list[bytes], statuses: Statuses) -> None:
        """Append at least one entry, given name and status. The caller must add the targets of soft links.

        Whole columns are made by loops in C, because a scan with nothing to do is little else.
        """
        base = len(self.names)
        modes, sizes = statuses.column(MODES), statuses.column(SIZES)
        self.names += names
        self.modes += modes
        self.uids += statuses.column(UIDS)
        self.gids += statuses.column(GIDS)
        kinds = kinds_of(modes)
        if kinds.count(_REGULAR) < len(kinds):
            sizes = array("q", [size if kind == _REGULAR else 0 for kind, size in zip(kinds, sizes)])
            self.devices.update({base + i: statuses.special(i) for i, kind in enumerate(kinds) if kind in _DEVICES})
        self.sizes += sizes
        self._add_times(base, statuses.times(MTIMES))
        if self._has_identities:
            self.ctimes += array("q", statuses.times(CTIMES))
            self.numbers += statuses.column(INODES)
        self._add_inodes(base, statuses, kinds)
        if self._finds_holes:
            used = zip(statuses.column(BLOCKS), sizes)
            self.sparse += [i for i, (count, size) in enumerate(used, base) if count * _BLOCK_BYTES < size]

    def _add_inodes(self, base: int, statuses: Statuses, kinds: bytes) -> None:
        link_counts = statuses.column(LINK_COUNTS)
        if link_counts == array(link_counts.typecode, (1,)) * len(link_counts):
            return
        inodes = statuses.column(INODES)
        for i, count in enumerate(link_counts):
            if count > 1 and kinds[i] != _DIRECTORY:
                self.inodes[base + i] = (statuses.device(i), inodes[i])

    def _add_times(self, base: int, times: Sequence[int]) -> None:
        try:
            self.mtimes += array("q", times)
        except OverflowError:
            clamped = [max(TIME_MIN, min(TIME_MAX, time)) for time in times]
            self.mtimes.fromlist(clamped)
            self.far_times.update({base + i: time for i, time in enumerate(times) if time != clamped[i]})

    def _read_one_by_one(
        self, fd: int, names: list[bytes]
    ) -> tuple[list[bytes], list[os.stat_result], dict[int, bytes]]:
        """Read entries one by one, and omit those that vanished or cannot be read."""
        kept: list[bytes] = []
        rows: list[os.stat_result] = []
        targets: dict[int, bytes] = {}
        for name in names:
            try:
                row = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if stat.S_ISLNK(row.st_mode):
                    targets[len(kept)] = os.readlink(name, dir_fd=fd)
            except OSError as error:
                self.failures.append((error.errno or 0, name))
                continue
            kept.append(name)
            rows.append(row)
        return kept, rows, targets


def kinds_of(modes: array[int]) -> bytes:
    """Return the kind of each mode, as one byte for each, so that loops in C make and search them."""
    return modes.tobytes()[_KIND_BYTE::2].translate(_KIND_OF_BYTE)


def positions_of(kind: int, modes: array[int]) -> list[int]:
    """Return the positions of all modes of a kind, quickly if there are none."""
    kinds = kinds_of(modes)
    return [position for position, each in enumerate(kinds) if each == kind] if kind in kinds else []


def sorted_names(directory_fd: int) -> list[bytes]:
    """Return the names in an open directory, as bytes."""
    # Listing a descriptor gives str; one encoding of all names together is ten times cheaper than os.fsencode of each.
    names = os.listdir(directory_fd)
    if not names:
        return []
    encoded = "\0".join(names).encode(_ENCODING, "surrogateescape").split(b"\0")
    encoded.sort()
    return encoded
