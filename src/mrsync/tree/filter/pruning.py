"""Find the directories that --prune-empty-dirs omits: those that hold nothing but directories."""

from __future__ import annotations

from mrsync.tree.filter.protection import Protection
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.manifest import DIRECTORY, Manifest


def find_pruned(manifest: Manifest, more: tuple[str, ...] = ()) -> set[int]:
    """Return the directory entries to omit; like rsync, keep protected ones and their parents.

    more: rules after those of the policy, as for backups beside the files.
    """
    protection = Protection(manifest, b"/", more) if manifest.policy.rules or more else None
    wanted = bytearray(len(manifest))
    wanted[0] = 1
    for entry in range(len(manifest) - 1, 0, -1):  # children come after their directory
        is_directory = manifest.modes[entry] >> KIND_SHIFT == DIRECTORY
        if wanted[entry] or not is_directory or (protection is not None and protection.is_global(manifest.path(entry))):
            wanted[entry] = wanted[manifest.parents[entry]] = 1
    return {entry for entry in manifest.directories if not wanted[entry]}
