"""Look at deletions before they happen: refuse most of a target, and find out for a dry run what would go."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress

from mrsync.errors import DeletionsRefused
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.destination.root import holds_home
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest

# Up to this many entries may always be deleted, by an empty source as well: some are emptied on purpose.
UNGUARDED = 100


def check_deletions(destination: Destination, comparison: Comparison, on_activity: Callable[[int], None]) -> None:
    """Raise DeletionsRefused if more than half of a target's entries are to be deleted, and more than UNGUARDED.

    Then the source is probably the wrong one. The destination is if it holds the home directory: there nothing may be
    deleted, such as the keys with which one logs in. on_activity: called with 1 for each entry that was counted. In a
    dry run, count these deletions as skipped instead, so that they can be listed.
    """
    is_home = holds_home(destination.directories.open(0))
    staying = comparison.names_read - len(comparison.extraneous)
    going = 0
    for directory, name in comparison.extraneous:
        with suppress(OSError):  # the deletion itself reports the error
            going += destination.removals.count_deletions(directory, name)
        on_activity(1)
    if going <= (0 if is_home else max(UNGUARDED, staying)):
        return
    if destination.is_dry_run:
        destination.removals.deletions.skipped += going
    else:
        where = " of a home directory" if is_home else ""
        raise DeletionsRefused(
            f"refuses to delete {going} of {going + staying} entries{where};"
            " if that is meant, give --delete or --max-delete"
        )


def foresee_deletions(manifest: Manifest, destination: Destination, comparison: Comparison) -> list[Failure]:
    """Record everything that would be deleted in the deletions of a dry-run destination; return the failures."""
    obstacles = [(manifest.parents[entry], manifest.names[entry]) for entry in comparison.obstacles]
    listed_deletions = destination.removals.listed_deletions
    failures = []
    for number, (directory, name) in enumerate([*obstacles, *comparison.extraneous]):
        try:
            is_obstacle = number < len(obstacles)
            if is_obstacle and listed_deletions is not None:
                listed_deletions.delete_below(os.path.join(manifest.path(directory), name))
            else:
                _foresee(destination, directory, name, is_obstacle=is_obstacle)
        except OSError as error:
            failures.append(Failure.of(error, os.path.join(manifest.path(directory), name), "delete"))
    for path in comparison.listed_deletions:
        assert listed_deletions is not None  # it found these paths
        try:
            listed_deletions.delete(path)
        except OSError as error:
            failures.append(Failure.of(error, path, "delete"))
    return failures


def _foresee(destination: Destination, directory: int, name: bytes, *, is_obstacle: bool) -> None:
    deletions = destination.removals.deletions
    fd = destination.directories.open(directory)
    if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
        destination.removals.remove_tree(directory, fd, name, is_obstacle=is_obstacle)
    elif deletions.allows():
        deletions.note(directory, name, is_directory=False)
