"""A look at the destination ahead of time: while the master still scans, a target reads what it has."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable

from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, Manifest

ACTIVITY_ENTRIES = 1000


class Survey:
    """Listings of a destination's directories, each handed out once.

    They are known by the number of their parent and their name: paths would take memory with the square of the depth.

    What could not be read in full is left out; the comparison then reads it itself, and knows what to do about it.
    """

    def __init__(self) -> None:
        self._listings: dict[int, Listing] = {}
        self._numbers: dict[tuple[int, bytes], int] = {}
        self._taken = {0: 0}  # entry of the manifest -> number

    def read(self, root: bytes, on_activity: Callable[[int], None]) -> None:
        """Read every directory below root, which need not exist; on_activity hears of every 1000 entries or so."""
        try:
            root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return  # missing or unusable: the comparison makes it, or says why not
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
                for position, mode in enumerate(listing.modes):
                    if mode >> 12 == DIRECTORY:
                        name = listing.names[position]
                        self._numbers[number, name] = len(names)
                        names.append(name)
                        parents.append(number)
            on_activity(pending)
        finally:
            directories.close()
            os.close(root_fd)

    def take(self, manifest: Manifest, directory: int) -> Listing | None:
        """The listing of a directory of the manifest, if it was read; to be asked for those above it first."""
        if directory:
            above = self._taken.get(manifest.parents[directory], -1)
            number = self._numbers.pop((above, manifest.names[directory]), -1)
            if number < 0:
                return None
            self._taken[directory] = number
        return self._listings.pop(self._taken[directory], None)
