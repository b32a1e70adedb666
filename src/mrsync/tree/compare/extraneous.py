"""Choose extraneous entries, which a target has and the source lacks; they are deleted at the end."""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY


class Extraneous:
    """Decide about names that the source lacks; destination is None if it does not exist."""

    def __init__(self, destination: Destination | None) -> None:
        self._destination = destination

    def choose(self, directory: int, positions: dict[bytes, int], listing: Listing) -> Iterable[bytes]:
        """Return which of these names are to be deleted; positions maps them to their positions in the listing.

        Protected names stay. A directory that holds protected names is returned if anything in it can be deleted.
        """
        if self._destination is None:
            return positions
        positions = {name: at for name, at in positions.items() if not self._destination.holds_records(directory, name)}
        if self._destination.protection is None:
            return positions
        protection, goes = self._destination.protection, self._destination.can_go
        directories = [name for name in positions if listing.modes[positions[name]] >> 12 == DIRECTORY]
        safe = protection.of(directory).safe(list(positions), directories)
        safe.update([name for name in directories if name not in safe and not goes(directory, name)])
        return [name for name in positions if name not in safe]

    def note_obstacle(self, directory: int) -> None:
        """Read the filter rules of a directory with an obstacle now, so that these apply when it is removed."""
        if self._destination is not None and self._destination.protection is not None:
            self._destination.protection.of(directory)
