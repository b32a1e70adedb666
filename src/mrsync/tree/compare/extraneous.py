"""Choose extraneous entries, which a target has and the source lacks; they are deleted at the end."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY


class Extraneous:
    """Decide about names that the source lacks; destination is None if it does not exist."""

    def __init__(self, destination: Destination | None) -> None:
        self._destination = destination

    def choose(self, directory: int, positions: dict[bytes, int], listing: Listing) -> Iterable[bytes]:
        """Return which of these names are to be deleted; positions maps them to their positions in the listing.

        Protected names stay. A directory that holds protected names is returned if anything in it can be deleted. Raise
        OSError if the directory cannot be opened.
        """
        if self._destination is None:
            return positions
        if self._is_mounted(directory):
            return ()
        removals = self._destination.removals
        positions = {name: at for name, at in positions.items() if not removals.holds_records(directory, name)}
        if removals.protection is None:
            return positions
        protection, can_delete_part = removals.protection, removals.can_delete_part
        directories = [name for name in positions if listing.modes[positions[name]] >> KIND_SHIFT == DIRECTORY]
        safe = protection.of(directory).safe(list(positions), directories)
        safe.update([name for name in directories if name not in safe and not can_delete_part(directory, name)])
        return [name for name in positions if name not in safe]

    def _is_mounted(self, directory: int) -> bool:
        """Return whether a directory is on another file system than DEST, and the policy leaves alone what is."""
        destination = self._destination
        if destination is None or not destination.manifest.policy.spares_mounts:
            return False
        return os.fstat(destination.directories.open(directory)).st_dev != os.fstat(destination.root_fd).st_dev

    def note_obstacle(self, directory: int) -> None:
        """Read the filter rules of a directory with an obstacle now, so that these apply when it is removed."""
        if self._destination is not None and self._destination.removals.protection is not None:
            self._destination.removals.protection.of(directory)


def find_missing(destination: Destination, comparison: Comparison) -> None:
    """Add to the extraneous entries what is missing in the source by name (--delete-missing-args).

    Protected names stay. A directory that is not empty is a failure, unless the policy clears directories.
    """
    manifest = destination.manifest
    known = set(comparison.extraneous)
    for path in map(os.fsencode, manifest.policy.missing):
        above, name = os.path.split(path)
        directory = manifest.find(above)
        if directory < 0 or manifest.kind(directory) != DIRECTORY or manifest.find(path) >= 0:
            continue
        try:
            fd = destination.directories.open(directory)
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            is_directory = stat.S_ISDIR(found.st_mode)
            if (directory, name) in known or destination.removals.holds_records(directory, name):
                continue
            if destination.removals.is_protected(directory, name, is_directory=is_directory):
                continue
            if (
                is_directory
                and not manifest.policy.clears_directories
                and destination.removals.count_deletions(directory, name) > 1
            ):
                comparison.failures.append(Failure(errno.ENOTEMPTY, path, "delete"))
                continue
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            comparison.failures.append(Failure.of(error, path, "delete"))
            continue
        comparison.extraneous.append((directory, name))
