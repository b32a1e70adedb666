"""The entries that this user may change in a destination whose root belongs to another one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from itertools import chain, starmap

from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.destination.root import is_closed, refused_root
from mrsync.tree.staging.overwriting import overwrites


def check_reach(destination: Destination, comparison: Comparison) -> None:
    """Raise FileError if the root is closed to this user, and nothing that differs is where changes are possible.

    Where some are possible, the others are failures of their own.
    """
    if not is_closed(destination.root_fd):
        return
    parents = destination.manifest.parents
    directories = {parents[entry] for entry in _replaced(comparison)}
    if destination.manifest.policy.deletes:
        directories.update(directory for directory, _ in comparison.extraneous)
    mended = [entry for entry in comparison.mended if entry]  # times of the root are no reason to refuse everything
    if overwrites(destination.manifest.policy):
        mended += chain.from_iterable(starmap(range, comparison.needs))
    is_possible = (
        comparison.listed_deletions
        or any(_is_open(destination, directory) for directory in directories)
        or any(_is_ours(destination, entry) for entry in mended)
    )
    if (directories or mended) and not is_possible:
        raise refused_root(destination.path, errno.EACCES)


def _replaced(comparison: Comparison) -> Iterator[int]:
    """Yield the entries whose names in their directories are to be made, replaced or removed."""
    yield from chain.from_iterable(starmap(range, comparison.needs))
    yield from chain(comparison.made, comparison.linked, comparison.superseded)
    for reuse in comparison.reuses:
        yield reuse.entry


def _is_open(destination: Destination, directory: int) -> bool:
    """Return whether this user may change names in a directory, or in the one in which it will be made."""
    while True:
        try:
            return not is_closed(destination.directories.open(directory))
        except (FileNotFoundError, NotADirectoryError):
            directory = destination.manifest.parents[directory]
        except OSError:
            return False


def _is_ours(destination: Destination, entry: int) -> bool:
    manifest = destination.manifest
    try:
        fd = destination.directories.open(manifest.parents[entry])
        return os.stat(manifest.names[entry], dir_fd=fd, follow_symlinks=False).st_uid == os.geteuid()
    except OSError:
        return False
