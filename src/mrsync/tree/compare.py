"""Hold the destination against the manifest: which contents are needed, what is to be done without contents."""

from __future__ import annotations

import errno
import os
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import ne

from mrsync.tree.destination import Destination
from mrsync.tree.failure import Failure
from mrsync.tree.listing import Listing
from mrsync.tree.manifest import DIRECTORY, LINK, REGULAR, Manifest
from mrsync.tree.owners import localize_owners
from mrsync.tree.survey import Survey

STALE_NAME = re.compile(rb"\.mrsync-[0-9a-f]+-[lf]?[0-9]+")
_ACTIVITY_ENTRIES = 1000


@dataclass
class Comparison:
    """What a target lacks.

    needs: ranges [a, b) of entries whose contents are needed (regular files; of a hard-link group the leader).
    made: directories and soft links to make. linked: hard-link members to link to their leader. mended: entries of
    which only owner, mode or (but for files) time differ. extras: (directory entry, name) to delete. failures: what
    could not be read here; its entries count as needed.
    """

    needs: list[tuple[int, int]] = field(default_factory=list)
    files_needed: int = 0
    bytes_needed: int = 0
    made: array[int] = field(default_factory=lambda: array("I"))
    linked: array[int] = field(default_factory=lambda: array("I"))
    mended: array[int] = field(default_factory=lambda: array("I"))
    extras: list[tuple[int, bytes]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """Entries to make, mend or delete without contents."""
        return len(self.made) + len(self.linked) + len(self.mended) + len(self.extras)


def compare(
    manifest: Manifest,
    destination: Destination,
    on_activity: Callable[[int], None] = lambda entries: None,
    survey: Survey | None = None,
) -> Comparison:
    """Compare by rsync's quick check (type, size, mtime), then mode, owner, link target and hard links.

    Turns the manifest's owners into this host's, and binds the destination to it. on_activity is called about every
    1000 entries with how many were looked at. survey: what was read of the destination shortly before.
    """
    localize_owners(manifest)
    destination.bind(manifest)
    comparer = _Comparer(manifest, destination, survey or Survey())
    try:
        comparison = comparer.run(on_activity)
    finally:
        failures = destination.directories.restore()
    comparison.failures += [Failure(reason, manifest.path(entry), "change") for entry, reason in failures]
    return comparison


class _Comparer:
    def __init__(self, manifest: Manifest, destination: Destination, survey: Survey) -> None:
        self._manifest = manifest
        self._survey = survey
        self._directories = destination.directories
        self._ownership = destination.ownership
        self._result = Comparison()
        self._absent: set[int] = set()
        self._members = array("I", manifest.leaders)
        self._group_leaders = frozenset(manifest.leaders.values())
        self._leader_inodes: dict[int, tuple[int, int]] = {}
        self._claimed: dict[tuple[int, int], int] = {}

    def run(self, on_activity: Callable[[int], None]) -> Comparison:
        manifest = self._manifest
        self._compare_root()
        pending = 0
        for turn, directory in enumerate(manifest.directories):
            first, end = manifest.child_starts[turn], manifest.child_starts[turn + 1]
            listing = None if directory in self._absent else self._read(directory)
            if listing is None:
                self._compare_absent(first, end)
            else:
                self._compare_directory(directory, first, end, listing)
            pending += end - first
            if pending >= _ACTIVITY_ENTRIES:
                on_activity(pending)
                pending = 0
        return self._result

    def _read(self, directory: int) -> Listing | None:
        return self._survey.take(self._manifest.path(directory)) or self._read_now(directory)

    def _read_now(self, directory: int) -> Listing | None:
        try:
            listing = Listing(self._directories.open(directory))
            # A directory that may be read but not searched gives names without attributes.
            if any(reason == errno.EACCES for reason, _ in listing.failures) and self._directories.loosen(directory):
                listing = Listing(self._directories.open(directory))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            path = self._manifest.path(directory)
            self._result.failures.append(Failure(error.errno or 0, path, "read"))
            return None
        for reason, name in listing.failures:
            if reason != errno.ENOENT:
                path = os.path.join(self._manifest.path(directory), name)
                self._result.failures.append(Failure(reason, path, "read"))
        return listing

    def _compare_root(self) -> None:
        status = os.fstat(self._directories.open(0))
        mode = self._directories.original_mode(0) or status.st_mode & 0o7777
        manifest = self._manifest
        if (
            mode != manifest.modes[0] & 0o7777
            or status.st_mtime_ns != manifest.mtime_ns(0)
            or self._ownership.differs((manifest.uids[0], manifest.gids[0]), (status.st_uid, status.st_gid))
        ):
            self._result.mended.append(0)

    def _compare_absent(self, first: int, end: int) -> None:
        """Nothing is there: every entry is to be made."""
        modes = self._manifest.modes[first:end]
        has_members = bisect_left(self._members, first) < bisect_left(self._members, end)
        if not has_members and all(mode >> 12 == REGULAR for mode in set(modes)):
            self._need(first, end)
            return
        for entry in range(first, end):
            self._compare_entry(entry, None, -1)

    def _compare_directory(self, directory: int, first: int, end: int, listing: Listing) -> None:
        if listing.names == self._manifest.names[first:end]:
            for position in self._suspects(first, end, listing):
                self._compare_entry(first + position, listing, position)
            return
        positions = {name: position for position, name in enumerate(listing.names)}
        take = positions.pop
        names = self._manifest.names
        for entry in range(first, end):
            self._compare_entry(entry, listing, take(names[entry], -1))
        is_wanted = None if self._manifest.policy.deletes else STALE_NAME.fullmatch
        self._result.extras += [(directory, name) for name in positions if is_wanted is None or is_wanted(name)]

    def _suspects(self, first: int, end: int, listing: Listing) -> Iterable[int]:
        """Positions that whole columns cannot show to be equal."""
        manifest = self._manifest
        suspects: set[int] = set()
        columns = [
            (manifest.modes, listing.modes),
            (manifest.gids, listing.gids),
            (manifest.sizes, listing.sizes),
            (manifest.mtimes, listing.mtimes),
        ]
        if self._ownership.is_root:
            columns.append((manifest.uids, listing.uids))
        for wanted, found in columns:
            expected = wanted[first:end]
            if expected != found:
                suspects.update([i for i, differs in enumerate(map(ne, expected, found)) if differs])
        suspects.update(listing.links, listing.inodes, listing.far_times)
        low, high = bisect_left(self._members, first), bisect_left(self._members, end)
        suspects.update([member - first for member in self._members[low:high]])
        return sorted(suspects)

    def _compare_entry(self, entry: int, listing: Listing | None, position: int) -> None:
        kind = self._manifest.modes[entry] >> 12
        found = -1 if listing is None or position < 0 else listing.modes[position] >> 12
        if kind == REGULAR:
            if entry in self._manifest.leaders:
                self._compare_member(entry, listing, position)
            elif listing is None or found != REGULAR or self._has_other_contents(entry, listing, position):
                self._need(entry, entry + 1)
            elif self._has_other_attributes(entry, listing, position):
                self._result.mended.append(entry)
        elif kind == DIRECTORY:
            if listing is None or found != DIRECTORY:
                self._absent.add(entry)
                self._result.made.append(entry)
            elif self._has_other_time(entry, listing, position) or self._has_other_attributes(entry, listing, position):
                self._result.mended.append(entry)
        elif kind == LINK:
            if listing is None or found != LINK or listing.links[position] != self._manifest.link_targets[entry]:
                self._result.made.append(entry)
            elif self._has_other_time(entry, listing, position) or self._has_other_owner(entry, listing, position):
                self._result.mended.append(entry)

    def _compare_member(self, entry: int, listing: Listing | None, position: int) -> None:
        """A member is right when it is the same file as its leader, and the leader stays what it is."""
        inode = listing.inodes.get(position) if listing is not None else None
        if inode is None or inode != self._leader_inodes.get(self._manifest.leaders[entry]):
            self._result.linked.append(entry)

    def _has_other_contents(self, entry: int, listing: Listing, position: int) -> bool:
        if self._manifest.sizes[entry] != listing.sizes[position] or self._has_other_time(entry, listing, position):
            return True
        inode = listing.inodes.get(position)
        if inode is not None:
            # Two files of the source in one inode here: only the first may keep it.
            if self._claimed.setdefault(inode, entry) != entry:
                return True
            if entry in self._group_leaders:
                self._leader_inodes[entry] = inode
        return False

    def _has_other_time(self, entry: int, listing: Listing, position: int) -> bool:
        found = listing.far_times.get(position, listing.mtimes[position])
        return self._manifest.mtime_ns(entry) != found

    def _has_other_attributes(self, entry: int, listing: Listing, position: int) -> bool:
        return self._manifest.modes[entry] != listing.modes[position] or self._has_other_owner(entry, listing, position)

    def _has_other_owner(self, entry: int, listing: Listing, position: int) -> bool:
        wanted = (self._manifest.uids[entry], self._manifest.gids[entry])
        return self._ownership.differs(wanted, (listing.uids[position], listing.gids[position]))

    def _need(self, first: int, end: int) -> None:
        result = self._result
        if first == end:
            return
        if result.needs and result.needs[-1][1] == first:
            result.needs[-1] = (result.needs[-1][0], end)
        else:
            result.needs.append((first, end))
        result.files_needed += end - first
        result.bytes_needed += sum(self._manifest.sizes[first:end])
