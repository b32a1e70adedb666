"""What of each directory of the source is taken."""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Callable, Container, Sequence

from mrsync.tree.filter import rules
from mrsync.tree.filter.filters import Filters, Scope
from mrsync.tree.filter.merge_files import TreeReader
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, REGULAR
from mrsync.tree.source.selection import Selection


class SourceFilter:
    """Applies a selection to listings, directory by directory, each after the one above it.

    errors: merge files that could not be read. read: reads one by its path.
    """

    def __init__(self, root: bytes, selection: Selection, parents: array[int], deletes_excluded: bool) -> None:
        self.errors: list[Failure] = []
        self._selection = selection
        self._parents = parents
        self._filters: Filters | None = None
        if selection.rules:
            self._filters = Filters(
                selection.rules,
                rules.SENDER,
                os.path.abspath(root),
                has_nuls=selection.has_nuls,
                deletes_excluded=deletes_excluded,
            )
        self.read: Callable[[bytes], bytes] = TreeReader(os.path.abspath(root))
        self._scopes: dict[int, Scope] = {}

    def take(self, directory: int, path: bytes, listing: Listing, exempt: Container[bytes] | None = None) -> set[bytes]:
        """Leave in the listing of a directory, by entry and path, what is taken, and exempt names; what is excluded.

        The listing has all names in the directory, unless some are exempt.
        """
        excluded: set[bytes] = set()
        if self._filters is not None and (listing.names or listing.failures):
            scope = self._scope(self._filters, directory, path, listing.names if exempt is None else None)
            excluded = self._filter(scope, listing, exempt or ())
        if self._selection.has_size_limit:
            self._limit_sizes(listing)
        return excluded

    def is_excluded(self, path: bytes, *, is_directory: bool) -> bool:
        """What the rules say of a path, but for merge files and directories above."""
        if self._filters is None:
            return False
        above, _, name = path.rpartition(b"/")
        return bool(self._filters.scope(above).excluded([name], [name] if is_directory else ()))

    def excludes_new(self, directory: int, path: bytes, name: bytes) -> bool:
        """Whether a directory of this name would be left out, if it came into a directory that has been taken."""
        if self._filters is None:
            return False
        scope = self._scopes.get(directory) or self._scope(self._filters, directory, path, ())
        return bool(scope.excluded([name], [name]))

    def _filter(self, scope: Scope, listing: Listing, exempt: Container[bytes]) -> set[bytes]:
        directories: list[bytes] = []
        if any(mode >> 12 == DIRECTORY for mode in set(listing.modes)):
            directories = [name for name, mode in zip(listing.names, listing.modes) if mode >> 12 == DIRECTORY]
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
        """names: all that are in the directory, if they are known."""
        above = self._scopes.get(self._parents[directory]) if directory else filters.scope()
        assert above is not None  # a directory comes after the one above it
        try:
            scope = above.within(path, self.read, names)
        except OSError as error:
            name = os.fsencode(error.filename or path)
            self.errors.append(Failure(error.errno or errno.EIO, name, "read the rules in"))
            scope = above.within(path, self.read, ())
        self._scopes[directory] = scope
        return scope

    def _limit_sizes(self, listing: Listing) -> None:
        """Files of other sizes are told, so that targets leave alone what they have."""
        low, high = self._selection.size_min, self._selection.size_max
        sizes = zip(listing.sizes, listing.modes)
        listing.omit(
            [
                position
                for position, (size, mode) in enumerate(sizes)
                if (size < low or (high is not None and size > high)) and mode >> 12 == REGULAR
            ]
        )
