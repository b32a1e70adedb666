"""Directories in which there is nothing but directories: for --prune-empty-dirs a target has none of them."""

from __future__ import annotations

from mrsync.tree.filter.protection import Protection
from mrsync.tree.model.manifest import DIRECTORY, Manifest


def find_pruned(manifest: Manifest, protection: Protection | None) -> set[int]:
    """Directory entries that are not wanted; protected ones are, and those above them, as with rsync.

    protection: None if there is no destination.
    """
    if protection is None and manifest.policy.rules:
        protection = Protection(manifest, b"/")
    wanted = bytearray(len(manifest))
    wanted[0] = 1
    for entry in range(len(manifest) - 1, 0, -1):  # what is in a directory comes behind it
        is_directory = manifest.modes[entry] >> 12 == DIRECTORY
        if wanted[entry] or not is_directory or (protection is not None and protection.is_global(manifest.path(entry))):
            wanted[entry] = wanted[manifest.parents[entry]] = 1
    return {entry for entry in manifest.directories if not wanted[entry]}
