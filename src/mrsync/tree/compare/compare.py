"""Compare the destination with the manifest: which contents are needed, and what to do without contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mrsync.tree.compare.comparer import Comparer
from mrsync.tree.compare.entry_comparer import EntryComparer
from mrsync.tree.compare.extraneous import find_missing
from mrsync.tree.compare.prefetch import Prefetch
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.alternates import Alternates
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.owners import localize_modes, localize_owners
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest


def compare(
    manifest: Manifest,
    destination: Destination,
    on_activity: Callable[[int], None] = lambda entries: None,
    prefetch: Prefetch | None = None,
) -> Comparison:
    """Compare as the manifest's policy says: by rsync's quick check (type, size, mtime), then all that is kept.

    Turns the manifest's owners and modes into this host's, its hard-link leaders into those that serve here, and binds
    the destination to it. on_activity is called about every 1000 entries with how many were looked at. prefetch: what
    was read of the destination shortly before.
    """
    localize(manifest, destination.umask)
    destination.bind(manifest)
    try:
        comparison = _comparer(manifest, destination, on_activity, prefetch=prefetch).run()
        if destination.removals.listed_deletions is not None:
            comparison.listed_deletions = destination.removals.listed_deletions.existing()
    finally:
        destination.timestamps.close()
        failures = destination.directories.restore()
    comparison.failures += [Failure(reason, manifest.path(entry), "change") for entry, reason in failures]
    if manifest.policy.missing:
        find_missing(destination, comparison)
    if destination.kept_links is not None:
        comparison.extraneous = destination.kept_links.spare(comparison.extraneous)
    if destination.removals.protection is not None:
        comparison.failures += destination.removals.protection.failures
    return comparison


def localize(manifest: Manifest, umask: int) -> None:
    """Turn the source's owners and modes into those that entries get on this host. umask: for --no-perms."""
    localize_owners(manifest)
    localize_modes(manifest, umask)


def compare_with_nothing(manifest: Manifest, alternates: Alternates | None = None) -> Comparison:
    """Return the comparison with a destination that does not exist yet: it lacks everything.

    alternates: other directories that may have some of it. Turns the manifest's owners into this host's.
    """
    localize_owners(manifest)
    return _comparer(manifest, None, lambda entries: None, alternates=alternates).run()


def compare_again(manifest: Manifest, destination: Destination, entries: Iterable[int]) -> Comparison:
    """Compare only these files, whose rows in the manifest have changed.

    entries must include all members of their hard-link groups; the destination must be bound to the manifest.
    """
    try:
        return _comparer(manifest, destination, lambda entries: None).run_again(sorted(entries))
    finally:
        destination.timestamps.close()


def _comparer(
    manifest: Manifest,
    destination: Destination | None,
    on_activity: Callable[[int], None],
    *,
    prefetch: Prefetch | None = None,
    alternates: Alternates | None = None,
) -> Comparer:
    """Return the comparer for this manifest: by the policy or, if it was made from a list, by the marks of the list."""
    prefetch = prefetch or Prefetch()
    if manifest.listed is None:
        entries = EntryComparer(manifest, destination, on_activity, alternates)
        return Comparer(manifest, destination, entries, prefetch, on_activity)
    from mrsync.tree.compare.synclist_compare import ListedEntryComparer, SynclistComparer  # few runs have a list

    listed = ListedEntryComparer(manifest, destination, on_activity, alternates)
    return SynclistComparer(manifest, destination, listed, prefetch, on_activity)
