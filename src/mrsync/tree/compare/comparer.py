"""Compare the destination with the manifest, one directory at a time.

Manifest and listings keep their attributes in columns, and children of a directory are the consecutive entries [first,
end), sorted by name. A directory whose names all match is therefore compared column by column, unless the policy asks
for more; only the "suspects", entries whose columns differ or do not suffice, are compared one by one. Any other
directory is compared entry by entry, by name.

Directories are walked in the order of the manifest, parents first. Two sets carry what a parent decides for its
children: `_absent` holds directories that do not exist here, so everything below them is to be made without reading
anything; `_left` holds directories that an option or a name clash excludes, and everything below is skipped.

A directory that cannot be read is treated like an absent one: its files count as needed, and a failure is recorded.
Nothing is listed for deletion in a directory that could not be read, that the master could not scan completely, or in
which an entry exists under a spelling that was not found.

Hard-link groups cannot be decided while walking, because any member may turn out to be the one to keep. Their entries
are only noted; `LinkDecisions` decides after the last directory. `_keepers` maps an inode to the one entry (or group)
that may keep it, so files that are separate in the source do not stay linked here.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Container, Iterable
from itertools import groupby
from operator import ne

from mrsync.tree.compare.aliases import Aliases, Names
from mrsync.tree.compare.alternate_search import AlternateSearch, itemize_made
from mrsync.tree.compare.decisions import Decisions, LinkDecisions
from mrsync.tree.compare.differences import Differences
from mrsync.tree.compare.extraneous import Extraneous
from mrsync.tree.compare.hard_links import Found, Inode, LinkGroups
from mrsync.tree.compare.prefetch import Prefetch
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.alternates import Alternates
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.digests import Digester
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.handles import Handle
from mrsync.tree.fs.owners import Ownership
from mrsync.tree.fs.temporary_names import PREFIX, is_temporary
from mrsync.tree.model.failure import Failure, printable
from mrsync.tree.model.items import (
    ATTRIBUTES,
    GROUP,
    MODE,
    TIME,
    USER,
    Items,
)
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DEVICES, DIRECTORY, LINK, REGULAR, SPECIALS, Manifest

_ACTIVITY_ENTRIES = 1000


def _pruned(manifest: Manifest, destination: Destination | None) -> Container[int]:
    from mrsync.tree.compare.pruning import find_pruned  # with the rules, which most runs do without

    return find_pruned(manifest, destination.removals.protection if destination is not None else None)


class Comparer:
    """Compare a manifest with a destination, which is None if it does not exist.

    alternates: other directories that may have what is missing; None: those of the destination, if any.
    """

    def __init__(
        self,
        manifest: Manifest,
        destination: Destination | None,
        prefetch: Prefetch,
        on_activity: Callable[[int], None],
        alternates: Alternates | None = None,
    ) -> None:
        self._manifest = manifest
        self._policy = manifest.policy
        self._prefetch = prefetch
        self._on_activity = on_activity
        self._extraneous = Extraneous(destination)
        self._directories = destination.directories if destination is not None else None
        self._ownership = destination.ownership if destination is not None else Ownership()
        self._xattrs = destination.xattrs if destination is not None else None
        digester = Digester(lambda count: on_activity(1))
        timestamps = destination.timestamps if destination is not None else None
        self._differences = Differences(manifest, self._ownership, self._directories, digester, timestamps)
        self._aliases = Aliases(destination, manifest.parents) if destination is not None else None
        self._items = Items() if self._policy.itemizes else None
        self._result = Comparison(items=self._items)
        alternates = alternates or (destination.alternates if destination is not None else None)
        self._others = AlternateSearch(manifest, alternates, self._ownership, digester, self._xattrs, self._result)
        self._is_new = destination is None or destination.is_new
        self._absent = {0} if destination is None else set()
        self._left: set[int] = set()  # directories that an option leaves alone, with all below
        self._pruned = _pruned(manifest, destination) if self._policy.prunes_empty else ()
        self._kept_links = destination.kept_links if destination is not None else None
        self._leaves_some = self._policy.existing or self._policy.ignore_existing or self._kept_links is not None
        self._is_plain = self._policy.is_plain_comparison
        self._decisions = Decisions(manifest, destination, self._result)
        self._groups = LinkGroups(manifest)
        self._links = LinkDecisions(manifest, self._groups, self._others, self._decisions, self._result)
        self._keepers: dict[Inode, int] = {}

    def run(self) -> Comparison:
        manifest = self._manifest
        if self._directories is not None and not self._policy.leaves_root:
            self._compare_root(self._directories)
        if self._is_new and self._items is not None and not self._policy.leaves_root:
            itemize_made(self._items, 0, DIRECTORY, self._others.find(0))
        pending = 0
        for turn, directory in enumerate(manifest.directories):
            first, end = manifest.child_starts[turn], manifest.child_starts[turn + 1]
            if directory in self._pruned:
                continue
            if directory in self._left:
                self._left.update(entry for entry in range(first, end) if manifest.kind(entry) == DIRECTORY)
                continue
            listing = None if directory in self._absent else self._read(directory, first, end)
            if listing is None:
                self._compare_absent(directory, first, end)
            else:
                self._compare_directory(directory, first, end, listing)
            pending += end - first
            if pending >= _ACTIVITY_ENTRIES:
                self._on_activity(pending)
                pending = 0
        if self._groups:
            self._links.resolve(self._keepers)
        return self._result

    def run_again(self, entries: list[int]) -> Comparison:
        for directory, group in groupby(entries, key=self._manifest.parents.__getitem__):
            named = {entry: self._manifest.names[entry] for entry in group}
            listing = self._read_now(directory, list(named.values()))
            positions = {name: position for position, name in enumerate(listing.names if listing is not None else ())}
            for entry, name in named.items():
                self._compare_entry(entry, listing, positions.get(name, -1))
        if self._groups:
            self._links.resolve(self._keepers)
        return self._result

    def _read(self, directory: int, first: int, end: int) -> Listing | None:
        """Return the listing of a directory with the children [first, end), or None if it is missing or unreadable."""
        listing = self._prefetch.take(self._manifest, directory) or self._read_now(directory)
        if listing is not None and self._kept_links is not None:
            self._left.update(self._kept_links.follow(range(first, end), listing, self._result.failures))
        return listing

    def _read_now(self, directory: int, names: list[bytes] | None = None) -> Listing | None:
        assert self._directories is not None  # only existing destinations are read
        try:
            listing = Listing(self._directories.open(directory), names)
            # A directory that may be read but not searched gives names without attributes.
            if any(reason == errno.EACCES for reason, _ in listing.failures) and self._directories.loosen(directory):
                listing = Listing(self._directories.open(directory), names)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            path = self._manifest.path(directory)
            self._result.failures.append(Failure.of(error, path, "read"))
            return None
        for reason, name in listing.failures:
            if reason != errno.ENOENT:
                path = os.path.join(self._manifest.path(directory), name)
                self._result.failures.append(Failure(reason, path, "read"))
        return listing

    def _compare_root(self, directories: Directories) -> None:
        manifest = self._manifest
        status = os.fstat(directories.open(0))
        mode = directories.original_mode(0) or status.st_mode & 0o7777
        uid, gid = self._ownership.settable(manifest.uids[0], manifest.gids[0])
        found = MODE if mode != manifest.modes[0] & 0o7777 else 0
        found |= TIME if self._differences.has_other_directory_time(0, status.st_mtime_ns) else 0
        found |= (USER if uid not in (-1, status.st_uid) else 0) | (GROUP if gid not in (-1, status.st_gid) else 0)
        if self._xattrs is not None:
            found |= self._xattrs.differences(0, Handle(directories.open(0)))
        if found:
            self._result.mended.append(0)
            if self._items is not None and not self._is_new:
                self._items.add(0, found)

    def _compare_absent(self, directory: int, first: int, end: int) -> None:
        """Compare the children [first, end) of a directory that does not exist: all must be made."""
        modes = self._manifest.modes[first:end]
        twins = self._aliases.twins(directory, self._manifest.names[first:end]) if self._aliases is not None else {}
        is_asked = self._policy.existing or self._policy.itemizes or bool(self._others)
        is_looked_at = is_asked or twins or self._groups.slice(first, end)
        if not is_looked_at and all(mode >> KIND_SHIFT == REGULAR for mode in set(modes)):
            self._decisions.need(first, end)
            return
        for entry in range(first, end):
            if entry not in self._pruned and not self._is_twin(entry, twins):
                self._compare_entry(entry, None, -1)

    def _compare_directory(self, directory: int, first: int, end: int, listing: Listing) -> None:
        self._result.listed += len(listing.names)
        if listing.names == self._manifest.names[first:end] and not self._pruned:
            for position in self._suspects(first, end, listing):
                self._compare_entry(first + position, listing, position)
            return
        positions = {name: position for position, name in enumerate(listing.names)}
        names = self._manifest.names
        entries = [entry for entry in range(first, end) if entry not in self._pruned]
        places = {entry: positions.pop(names[entry], -1) for entry in entries}
        found = self._find_aliases(directory, places, positions, listing)
        for entry, place in places.items():
            if not self._is_twin(entry, found.twins):
                self._compare_entry(entry, listing, place)
        if positions:
            self._sort_out(directory, positions, listing, deletes=found.is_sure)

    def _find_aliases(
        self, directory: int, places: dict[int, int], positions: dict[bytes, int], listing: Listing
    ) -> Names:
        """Set the places of entries listed under another spelling, and remove these names from positions."""
        names = self._manifest.names
        missing = {names[entry]: entry for entry, place in places.items() if place < 0}
        if not missing or not listing.names or self._aliases is None:
            return Names({}, self._aliases.twins(directory, list(missing)) if self._aliases is not None else {}, True)
        try:
            found = self._aliases.find(directory, list(missing), listing.names, positions.keys())
        except OSError:
            return Names({}, {}, False)
        for name, spelled in found.listed_as.items():
            place = positions.pop(spelled, -1)
            places[missing[name]] = place if place >= 0 else listing.names.index(spelled)
        return found

    def _is_twin(self, entry: int, twins: dict[bytes, bytes]) -> bool:
        """Return whether the file system cannot distinguish entry from another; if so, record a failure and skip it."""
        other = twins.get(self._manifest.names[entry])
        if other is None:
            return False
        path = self._manifest.path(entry)
        self._result.failures.append(Failure(errno.EEXIST, path, f"tell it from {printable(other)}"))
        if self._manifest.kind(entry) == DIRECTORY:
            self._left.add(entry)
        return True

    def _sort_out(self, directory: int, positions: dict[bytes, int], listing: Listing, *, deletes: bool) -> None:
        """Sort names that the source lacks into leftovers of earlier runs and extraneous entries."""
        for name in [name for name in positions if name.startswith(PREFIX)]:
            is_directory = listing.modes[positions[name]] >> KIND_SHIFT == DIRECTORY
            if is_temporary(name, is_directory=is_directory):
                del positions[name]
                if not is_directory:
                    self._result.stale.append((directory, name))
        if deletes and self._policy.deletes and directory not in self._manifest.incomplete:
            try:
                names = self._extraneous.choose(directory, positions, listing)
            except OSError as error:  # somebody has swapped it meanwhile
                self._result.failures.append(Failure.of(error, self._manifest.path(directory), "read"))
            else:
                self._result.extraneous += [(directory, name) for name in names]

    def _suspects(self, first: int, end: int, listing: Listing) -> Iterable[int]:
        """Return the positions, relative to first, of entries that comparing columns does not show to be equal."""
        manifest = self._manifest
        policy = self._policy
        if policy.ignore_times or policy.checksum or policy.keeps_attributes or self._others:
            return range(end - first)
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
        suspects.update(listing.links, listing.inodes, listing.far_times, listing.devices)
        suspects.update([entry - first for entry in self._groups.slice(first, end)])
        return sorted(suspects)

    def _compare_entry(self, entry: int, listing: Listing | None, position: int) -> None:
        """Compare an entry. Whoever may rename what is above it can make that fail, and must not stop the rest.

        A file counts as needed then: it may be committed nowhere, unless this target can take it.
        """
        try:
            self._compare_with(entry, listing, position)
        except OSError as error:
            self._result.failures.append(Failure.of(error, self._manifest.path(entry), "compare"))
            if entry in self._groups:
                self._groups.note(entry, Found())
            elif self._manifest.kind(entry) == REGULAR:
                self._decisions.need(entry, entry + 1)

    def _compare_with(self, entry: int, listing: Listing | None, position: int) -> None:
        kind = self._manifest.modes[entry] >> KIND_SHIFT
        found = -1 if listing is None or position < 0 else listing.modes[position] >> KIND_SHIFT
        if self._leaves_some and self._is_left(entry, kind, found):
            return
        if found == DIRECTORY != kind and (kind in (REGULAR, LINK) or self._keeps_special(kind)):
            self._extraneous.note_obstacle(self._manifest.parents[entry])
            self._result.obstacles.append(entry)
        if kind == REGULAR:
            if entry in self._groups:
                looked = self._look(entry, listing if found == REGULAR else None, position)
                self._links.note_file(entry, looked, is_there=found >= 0)
            else:
                self._compare_file(entry, listing if found == REGULAR else None, position)
        elif kind == DIRECTORY:
            if found != DIRECTORY:
                self._absent.add(entry)
            self._compare_made(entry, listing if found == DIRECTORY else None, position, found == DIRECTORY)
        elif kind == LINK or self._keeps_special(kind):
            is_alike = listing is not None and found == kind and self._leads_to_the_same(entry, listing, position)
            is_related = found == kind or ({kind, found} < SPECIALS and (kind in DEVICES) == (found in DEVICES))
            related = listing if is_related else None
            if entry in self._groups:
                self._groups.note(entry, self._look_at_made(entry, related, position, is_alike))
            else:
                inode = related.inodes.get(position) if related is not None else None
                self._compare_made(entry, related, position, is_alike and self._may_keep(inode, entry))

    def _keeps_special(self, kind: int) -> bool:
        """Return whether entries of this kind are synced; like rsync, skip devices unless running as root."""
        return self._policy.keeps_kind(kind) and (kind not in DEVICES or self._ownership.is_root)

    def _leads_to_the_same(self, entry: int, listing: Listing, position: int) -> bool:
        """Return whether symlink target and device number match; fifos and sockets have neither."""
        manifest = self._manifest
        wanted = manifest.link_targets.get(entry), manifest.devices.get(entry)
        return wanted == (listing.links.get(position), listing.devices.get(position))

    def _compare_made(self, entry: int, listing: Listing | None, position: int, is_alike: bool) -> None:
        """Compare an entry without contents; listing is None if nothing of a related kind has its name."""
        found = self._look_at_made(entry, listing, position, is_alike)
        if not is_alike:
            near = self._others.find(entry) if listing is None else None
            if near is None or not self._others.take_made(entry, near, is_there=position >= 0):
                self._decisions.make(entry, entry, found, near)
        elif found.differences:
            self._decisions.mend(entry, found.differences)

    def _look_at_made(self, entry: int, listing: Listing | None, position: int, is_alike: bool) -> Found:
        if listing is None:
            return Found()
        found = 0
        if is_alike or self._items is not None:
            found = self._differences.differences(entry, listing, position) | self._attribute_differences(entry)
        return Found(is_file=True, differences=found, inode=listing.inodes.get(position), is_right=is_alike)

    def _attribute_differences(self, entry: int) -> int:
        if self._xattrs is None or self._directories is None:
            return 0
        return self._xattrs.differences(entry, self._directories.handle(entry))

    def _is_left(self, entry: int, kind: int, found: int) -> bool:
        """Return whether an option skips entry; for a directory, skip everything below, too."""
        if entry in self._left:
            return True
        if found < 0:
            is_left = self._policy.existing
        else:
            is_left = self._policy.ignore_existing and not kind == found == DIRECTORY
        if is_left and kind == DIRECTORY:
            self._left.add(entry)
            if found >= 0:
                self._result.failures.append(Failure(errno.ENOTDIR, self._manifest.path(entry), "make"))
        return is_left

    def _compare_file(self, entry: int, listing: Listing | None, position: int) -> None:
        """Compare a regular file; listing is None if no regular file has its name."""
        is_plain = self._is_plain and not self._others
        if is_plain and (listing is None or self._differences.has_other_size_or_time(entry, listing, position)):
            self._decisions.need(entry, entry + 1)  # the most frequent case, so take a shortcut
            return
        found = self._look(entry, listing, position)
        if found.is_newer:
            return
        near = self._others.find(entry)
        if near is not None and self._others.makes_needless(entry, near, is_there=position >= 0):
            return
        if near is not None and self._others.take(entry, near, found):
            return
        if not found.is_right or not self._may_keep(found.inode, entry):
            self._decisions.need(entry, entry + 1)
            self._decisions.itemize_sent(entry, found, near)
        elif found.differences & ATTRIBUTES:
            self._decisions.mend(entry, found.differences)

    def _may_keep(self, inode: Inode | None, entry: int) -> bool:
        """Return whether entry may keep inode; only the first entry may if separate source files share it here."""
        if inode is None or not self._policy.hard_links:
            return True
        return self._keepers.setdefault(inode, entry) == entry

    def _look(self, entry: int, listing: Listing | None, position: int) -> Found:
        """Describe the file at position of listing compared with entry; listing is None if there is no file."""
        if listing is None:
            return Found()
        differences = self._differences.differences(entry, listing, position)
        is_right = not self._differences.has_other_contents(entry, differences)
        if is_right or self._items is not None:
            differences |= self._attribute_differences(entry)
        return Found(
            is_file=True,
            differences=differences,
            inode=listing.inodes.get(position),
            is_right=is_right,
            is_newer=self._policy.update and self._differences.is_newer(entry, listing, position),
        )
