"""A look at the destination ahead of time: while the master still scans, a target reads what it has."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable

from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY

ACTIVITY_ENTRIES = 1000


class Survey:
    """Listings of a destination's directories by path, each handed out once.

    What could not be read in full is left out; the comparison then reads it itself, and knows what to do about it.
    """

    def __init__(self) -> None:
        self._listings: dict[bytes, Listing] = {}

    def read(self, root: bytes, on_activity: Callable[[int], None]) -> None:
        """Read every directory below root, which need not exist; on_activity hears of every 1000 entries or so."""
        try:
            root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return  # missing or unusable: the comparison makes it, or says why not
        names, parents, paths = [b""], array("I", [0]), [b""]
        directories = Directories(root_fd, names, parents)
        pending = 0
        try:
            for number, path in enumerate(paths):  # grows while it is walked
                try:
                    listing = Listing(directories.open(number))
                except OSError:
                    continue
                pending += len(listing.names) + 1
                if pending >= ACTIVITY_ENTRIES:
                    on_activity(pending)
                    pending = 0
                if not listing.failures:
                    self._listings[path] = listing
                for position, mode in enumerate(listing.modes):
                    if mode >> 12 == DIRECTORY:
                        name = listing.names[position]
                        names.append(name)
                        parents.append(number)
                        paths.append(os.path.join(path, name))
            on_activity(pending)
        finally:
            directories.close()
            os.close(root_fd)

    def take(self, path: bytes) -> Listing | None:
        """The listing of a directory, if it was read."""
        return self._listings.pop(path, None)
