"""Compare the destination with the manifest, one directory at a time.

Manifest and listings keep their attributes in columns, and children of a directory are the consecutive entries [first,
end), sorted by name. A directory whose names all match is therefore compared column by column, unless the policy asks
for more; only the "suspects", entries whose columns differ or do not suffice, are compared one by one. Any other
directory is compared entry by entry, by name. `EntryComparer` compares single entries.

Directories are walked in the order of the manifest, parents first, so that what is decided about a directory
(`EntryComparer.absent` and `left`) is known before its children are looked at.

A directory that cannot be read is treated like an absent one: its files count as needed, and a failure is recorded.
Nothing is listed for deletion in a directory that could not be read, that the master could not scan completely, or in
which an entry exists under a spelling that was not found.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Container
from itertools import groupby

from mrsync.tree.compare.aliases import Aliases, Names
from mrsync.tree.compare.entry_comparer import EntryComparer
from mrsync.tree.compare.extraneous import Extraneous
from mrsync.tree.compare.prefetch import Prefetch
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.temporary_names import PREFIX, is_temporary
from mrsync.tree.model.failure import Failure, printable
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, Manifest

_ACTIVITY_ENTRIES = 1000


def _pruned(manifest: Manifest, destination: Destination | None) -> Container[int]:
    from mrsync.tree.filter.pruning import find_pruned  # with the rules, which most runs do without

    backups = destination.removals.backups if destination is not None else None
    return find_pruned(manifest, backups.rules if backups is not None and backups.are_beside else ())


class Comparer:
    """Compare a manifest with a destination, which is None if it does not exist.

    entries: compares single entries, and has the result. prefetch: what was read of the destination before.
    on_activity: called about every 1000 entries with how many were looked at.
    """

    def __init__(
        self,
        manifest: Manifest,
        destination: Destination | None,
        entries: EntryComparer,
        prefetch: Prefetch,
        on_activity: Callable[[int], None],
    ) -> None:
        self._manifest = manifest
        self._policy = manifest.policy
        self._entries = entries
        self._result = entries.result
        self._prefetch = prefetch
        self._on_activity = on_activity
        self._extraneous = Extraneous(destination)
        self._directories = destination.directories if destination is not None else None
        self._kept_links = destination.kept_links if destination is not None else None
        self._aliases = Aliases(destination, manifest.parents) if destination is not None else None
        self._pruned = _pruned(manifest, destination) if self._policy.prunes_empty else ()

    def run(self) -> Comparison:
        """Compare all entries of the manifest."""
        manifest, skipped = self._manifest, self._entries.skipped
        self._entries.compare_root()
        pending = 0
        for number, directory in enumerate(manifest.directories):
            first, end = manifest.child_starts[number], manifest.child_starts[number + 1]
            if directory in self._pruned:
                continue
            if directory in skipped:
                skipped.update(entry for entry in range(first, end) if manifest.kind(entry) == DIRECTORY)
                continue
            listing = None if directory in self._entries.absent else self._read(directory, first, end)
            if listing is None:
                self._compare_absent(directory, first, end)
            else:
                self._compare_directory(directory, first, end, listing)
            pending += end - first
            if pending >= _ACTIVITY_ENTRIES:
                self._on_activity(pending)
                pending = 0
        self._entries.settle_links()
        return self._result

    def run_again(self, entries: list[int]) -> Comparison:
        """Compare only these entries, sorted, whose rows in the manifest have changed."""
        for directory, group in groupby(entries, key=self._manifest.parents.__getitem__):
            named = {entry: self._manifest.names[entry] for entry in group}
            listing = self._read_now(directory, list(named.values()))
            positions = {name: position for position, name in enumerate(listing.names if listing is not None else ())}
            for entry, name in named.items():
                self._entries.compare(entry, listing, positions.get(name, -1))
        self._entries.settle_links()
        return self._result

    def _read(self, directory: int, first: int, end: int) -> Listing | None:
        """Return the listing of a directory with the children [first, end), or None if it is missing or unreadable."""
        listing = self._prefetch.take(self._manifest, directory) or self._read_now(directory)
        if listing is not None and self._kept_links is not None:
            self._entries.skipped.update(self._kept_links.follow(range(first, end), listing, self._result.failures))
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

    def _compare_absent(self, directory: int, first: int, end: int) -> None:
        """Compare the children [first, end) of a directory that does not exist: all must be made."""
        twins = self._aliases.twins(directory, self._manifest.names[first:end]) if self._aliases is not None else {}
        if not twins and self._entries.need_all(first, end):
            return
        for entry in range(first, end):
            if entry not in self._pruned and not self._is_twin(entry, twins):
                self._entries.compare(entry, None, -1)

    def _compare_directory(self, directory: int, first: int, end: int, listing: Listing) -> None:
        self._result.names_read += len(listing.names)
        if listing.names == self._manifest.names[first:end] and not self._pruned:
            for position in self._entries.suspects(first, end, listing):
                self._entries.compare(first + position, listing, position)
            return
        positions = {name: position for position, name in enumerate(listing.names)}
        names = self._manifest.names
        entries = [entry for entry in range(first, end) if entry not in self._pruned]
        places = {entry: positions.pop(names[entry], -1) for entry in entries}
        found = self._find_aliases(directory, places, positions, listing)
        for entry, place in places.items():
            if not self._is_twin(entry, found.twins):
                self._entries.compare(entry, listing, place)
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
            self._entries.skipped.add(entry)
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
