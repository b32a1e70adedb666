"""Read the destination's directories ahead of time, while the master still scans its source."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable

from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.listing import Listing, positions_of
from mrsync.tree.model.manifest import DIRECTORY, Manifest

ACTIVITY_ENTRIES = 1000


class Prefetch:
    """Listings of a destination's directories, each handed out once.

    A listing is found by its parent's number and its name, because full paths would need memory quadratic in depth.
    Directories that could not be read completely are omitted; the comparison reads them again and handles the error.
    """

    def __init__(self) -> None:
        self._listings: dict[int, Listing] = {}
        self._numbers: dict[tuple[int, bytes], int] = {}
        self._taken = {0: 0}  # entry of the manifest -> number

    def read(self, root: bytes, on_activity: Callable[[int], None]) -> None:
        """Read every directory below root, which need not exist; call on_activity about every 1000 entries."""
        try:
            root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return  # missing or unusable: the comparison deals with it
        names, parents = [b""], array("I", [0])
        directories = Directories(root_fd, names, parents)
        pending = 0
        try:
            for number, _ in enumerate(names):  # grows while it is walked
                try:
                    listing = Listing(directories.open(number))
                except OSError:
                    continue
                pending += len(listing.names) + 1
                if pending >= ACTIVITY_ENTRIES:
                    on_activity(pending)
                    pending = 0
                if not listing.failures:
                    self._listings[number] = listing
                for position in positions_of(DIRECTORY, listing.modes):
                    name = listing.names[position]
                    self._numbers[number, name] = len(names)
                    names.append(name)
                    parents.append(number)
            on_activity(pending)
        finally:
            directories.close()
            os.close(root_fd)

    def take(self, manifest: Manifest, directory: int) -> Listing | None:
        """Return and forget the listing of a directory, or None if it was not read; take its parent first."""
        if directory:
            above = self._taken.get(manifest.parents[directory], -1)
            number = self._numbers.pop((above, manifest.names[directory]), -1)
            if number < 0:
                return None
            self._taken[directory] = number
        return self._listings.pop(self._taken[directory], None)
