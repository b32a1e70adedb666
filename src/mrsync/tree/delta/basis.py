"""Find the basis of deltas: older versions of needed files on a target."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from mrsync.ranges import Range, merged
from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.manifest import Manifest

BYTES_MIN = 1 << 18  # smaller files are sent faster than they are compared
SHARE_MIN = 8  # an old version must have at least 1/SHARE_MIN of the new size


def find_basis(manifest: Manifest, directories: Directories, needs: Iterable[Range]) -> list[Range]:
    """Return the ranges of needed entries for which an old file exists that may share blocks with the new one.

    needs: ranges [first, end) of entries of the manifest. directories: those of the destination.
    """
    return merged(
        (entry, entry + 1)
        for first, end in needs
        for entry in range(first, end)
        if manifest.sizes[entry] >= BYTES_MIN and _is_useful(manifest, directories, entry)
    )


def _is_useful(manifest: Manifest, directories: Directories, entry: int) -> bool:
    try:
        directory = directories.open(manifest.parents[entry])
        status = os.stat(manifest.names[entry], dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size >= max(BYTES_MIN, manifest.sizes[entry] // SHARE_MIN)
