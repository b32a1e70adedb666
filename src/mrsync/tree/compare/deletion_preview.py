"""Find out for a dry run what would be deleted, without changing anything."""

from __future__ import annotations

import os
import stat

from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest


def foresee_deletions(manifest: Manifest, destination: Destination, comparison: Comparison) -> list[Failure]:
    """Record everything that would be deleted in the deletions of a dry-run destination; return the failures."""
    obstacles = [(manifest.parents[entry], manifest.names[entry]) for entry in comparison.obstacles]
    failures = []
    for number, (directory, name) in enumerate([*obstacles, *comparison.extraneous]):
        try:
            is_obstacle = number < len(obstacles)
            if is_obstacle and destination.listed_deletions is not None:
                destination.listed_deletions.delete_below(os.path.join(manifest.path(directory), name))
            else:
                _foresee(destination, directory, name, is_obstacle=is_obstacle)
        except OSError as error:
            failures.append(Failure(error.errno or 0, os.path.join(manifest.path(directory), name), "delete"))
    for path in comparison.listed_deletions:
        assert destination.listed_deletions is not None  # it found these paths
        try:
            destination.listed_deletions.delete(path)
        except OSError as error:
            failures.append(Failure(error.errno or 0, path, "delete"))
    return failures


def _foresee(destination: Destination, directory: int, name: bytes, *, is_obstacle: bool) -> None:
    deletions = destination.deletions
    fd = destination.directories.open(directory)
    if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
        destination.remove_tree(directory, fd, name, is_obstacle=is_obstacle)
    elif deletions.allows():
        deletions.note(directory, name, is_directory=False)
