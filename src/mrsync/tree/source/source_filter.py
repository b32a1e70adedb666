"""Exclude entries of the source by filter rules and by size."""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Container, Sequence

from mrsync.files import absolute
from mrsync.tree.filter import rules
from mrsync.tree.filter.filters import Filters, Scope
from mrsync.tree.filter.merge_files import TreeReader
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, REGULAR
from mrsync.tree.source.selection import Selection


class SourceFilter:
    """Apply a selection to listings, one directory at a time, parents first.

    parents: of the scanned directories; it may still grow. deletes_excluded: see RuleList. errors: merge files that
    could not be read. has_root: the root itself is sent. If only entries in it are, its merge files are above the tree:
    like those further up, they count if their rule's path has a slash, and not for these entries themselves.
    """

    def __init__(self, root: bytes, selection: Selection, parents: array[int], deletes_excluded: bool) -> None:
        self.errors: list[Failure] = []
        self._selection = selection
        self._parents = parents
        self.has_root = True
        self._filters: Filters | None = None
        if selection.rules:
            self._filters = Filters(
                selection.rules,
                rules.SENDER,
                absolute(root),
                has_nuls=selection.has_nuls,
                deletes_excluded=deletes_excluded,
            )
        self._read = TreeReader(absolute(root))
        self._scopes: dict[int, Scope] = {}

    def take(self, directory: int, path: bytes, listing: Listing, exempt: Container[bytes] | None = None) -> set[bytes]:
        """Remove excluded entries from the listing of a directory, and return their names.

        directory, path: the directory's entry and path. exempt: names to keep even if they are excluded. Without it,
        the listing must have all names of the directory.
        """
        excluded: set[bytes] = set()
        if self._filters is not None and (listing.names or listing.failures):
            scope = self._scope(self._filters, directory, path, listing.names if exempt is None else None)
            excluded = self._filter(scope, listing, exempt or ())
        if self._selection.has_size_limit:
            self._limit_sizes(listing)
        return excluded

    def is_excluded(self, path: bytes, *, is_directory: bool) -> bool:
        """Return whether the rules exclude a path, without regard to merge files and the directories above."""
        if self._filters is None:
            return False
        above, _, name = path.rpartition(b"/")
        return bool(self._filters.scope(above).excluded([name], [name] if is_directory else ()))

    def excludes_new(self, directory: int, path: bytes, name: bytes) -> bool:
        """Return whether a directory with this name would be excluded if it appeared in a scanned directory.

        directory, path: number and path of the scanned one.
        """
        if self._filters is None:
            return False
        scope = self._scopes.get(directory) or self._scope(self._filters, directory, path, ())
        return bool(scope.excluded([name], [name]))

    def _filter(self, scope: Scope, listing: Listing, exempt: Container[bytes]) -> set[bytes]:
        directories: list[bytes] = []
        if any(mode >> KIND_SHIFT == DIRECTORY for mode in set(listing.modes)):
            directories = [name for name, mode in zip(listing.names, listing.modes) if mode >> KIND_SHIFT == DIRECTORY]
        excluded = scope.excluded(listing.names, directories)
        if excluded:
            names = enumerate(listing.names)
            listing.keep([position for position, name in names if name not in excluded or name in exempt])
        if listing.failures:
            unread = [name for _, name in listing.failures]
            unwanted = scope.excluded(unread) | scope.excluded(unread, unread)
            listing.failures = [failure for failure in listing.failures if failure[1] not in unwanted]
        return excluded

    def _scope(self, filters: Filters, directory: int, path: bytes, names: Sequence[bytes] | None) -> Scope:
        """Return the scope of a directory's rules. names: all names in the directory, or None if not known."""
        if not directory and not self.has_root:
            return self._scopes.setdefault(0, filters.scope())
        above = self._scopes.get(self._parents[directory]) if directory else filters.scope()
        assert above is not None  # parents come first
        try:
            scope = above.within(path, self._read, names)
        except OSError as error:
            name = os.fsencode(error.filename or path)
            self.errors.append(Failure(error.errno or errno.EIO, name, "read the rules in"))
            scope = above.within(path, self._read, ())
        self._scopes[directory] = scope
        return scope

    def _limit_sizes(self, listing: Listing) -> None:
        """Mark files of other sizes as omitted: they stay in the manifest, so that targets leave theirs alone."""
        low, high = self._selection.size_min, self._selection.size_max
        sizes = zip(listing.sizes, listing.modes)
        listing.omit(
            [
                position
                for position, (size, mode) in enumerate(sizes)
                if (size < low or (high is not None and size > high)) and mode >> KIND_SHIFT == REGULAR
            ]
        )
