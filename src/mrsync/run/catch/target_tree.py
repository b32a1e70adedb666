"""The tree of a target in one session: its comparison with the manifest, and what that opens.

The first job of a session compares. If the destination exists, or can be made, it is open afterwards, with the staging
area of --temp-dir if there is one; later jobs write there, and `close` ends it. In a dry run a destination that does
not exist is not made, and `destination` stays None.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence

from mrsync.files import absolute
from mrsync.ranges import merged
from mrsync.run.bootstrap import WARNING
from mrsync.run.catch.activity import Activity
from mrsync.run.catch.closed_root import check_reach
from mrsync.run.catch.confinement import open_deepest
from mrsync.run.catch.room import Room
from mrsync.tree.compare.coming_deletions import check_deletions
from mrsync.tree.compare.compare import compare, compare_with_nothing
from mrsync.tree.compare.prefetch import Prefetch
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination, rename_file
from mrsync.tree.destination.root import (
    check_absent_root,
    check_not_file_system_root,
    is_file_system_root,
    other_run,
)
from mrsync.tree.fs.owners import unknown_owners
from mrsync.tree.model.failure import printable
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.staging.homes import StagingArea, foresee_area


class TargetTree:
    """The tree at a path. host, suffix: for the names of backups. umask: see Destination.

    destination, area: None until `compare` has opened them. unfit: entries for which a dry run finds no space.
    """

    def __init__(
        self,
        path: bytes,
        activity: Activity,
        *,
        is_dry_run: bool,
        host: str = "",
        suffix: str | None = None,
        umask: int = 0o022,
    ) -> None:
        self.destination: Destination | None = None
        self.area: StagingArea | None = None
        self.unfit: Collection[int] = ()
        self.is_dry_run = is_dry_run
        self.umask = umask
        self._path = path
        self._activity = activity
        self._host = host
        self._suffix = suffix
        self._prefetch = Prefetch()
        self._other_run = ""
        self._is_warned = False

    def read_ahead(self) -> None:
        """Read the destination while the master scans, so that the comparison finds it in memory."""
        if not is_file_system_root(self._path):
            self._prefetch.read(self._path, self._activity)

    def compare(self, manifest: Manifest) -> Comparison:
        """Open the destination and compare it with the manifest.

        Raise DeletionsRefused, or FileError if the destination cannot be used.
        """
        policy = manifest.policy
        if policy.is_one_file and not os.path.isdir(self._path):
            self._path = rename_file(manifest, self._path)
        is_absent = self.is_dry_run and not os.path.isdir(self._path)
        comparison = self._compare_absent(manifest) if is_absent else self._compare_existing(manifest)
        if self.is_dry_run:
            directories = self.destination.directories if self.destination is not None else None
            unfit = dict(Room(self._path, manifest, directories).lacking(comparison.needs, comparison.made))
            comparison.failures += unfit.values()
            self.unfit = unfit.keys()
        return comparison

    def _compare_absent(self, manifest: Manifest) -> Comparison:
        """Compare a destination that does not exist and is not made."""
        check_absent_root(self._path, makes_parents=manifest.policy.makes_parents)
        if manifest.policy.temp_dir:
            self._foresee_area(manifest.policy.temp_dir)
        if not manifest.policy.alternates.paths:
            return compare_with_nothing(manifest)
        from mrsync.tree.destination.alternates import Alternates  # few runs have any

        alternates = Alternates(manifest, self._path, None, self._host)
        try:
            warn(alternates.missing)
            return compare_with_nothing(manifest, alternates)
        finally:
            alternates.close()

    def _foresee_area(self, name: str) -> None:
        near_fd = open_deepest(absolute(self._path))
        try:
            foresee_area(self._path, near_fd, name, self._host)
        finally:
            os.close(near_fd)

    def _compare_existing(self, manifest: Manifest) -> Comparison:
        """Compare a destination that exists, or is made now."""
        policy = manifest.policy
        if policy.guards_deletions:
            check_not_file_system_root(self._path)
        destination = self.destination = Destination(
            self._path,
            is_dry_run=self.is_dry_run,
            host=self._host,
            suffix=self._suffix,
            makes_parents=policy.makes_parents,
            umask=self.umask,
        )
        warn(unknown_owners(policy))
        comparison = compare(manifest, destination, self._activity, self._prefetch)
        check_reach(destination, comparison)
        if destination.alternates is not None:
            warn(destination.alternates.missing)
        if policy.temp_dir:
            self.area = StagingArea(destination, policy.temp_dir, self._host)
            destination.directories.temp_dir_fd = self.area.fd
            comparison.stale += self.area.leftovers()
        if policy.guards_deletions and comparison.extraneous:
            check_deletions(destination, comparison, self._activity)
        if self.is_dry_run and comparison.stale and policy.partial:
            warn(_staged(destination, manifest, comparison))
        if destination.removals.backups is not None:
            destination.removals.backups.on_activity = self._activity
        return comparison

    def find_basis(self, manifest: Manifest, comparison: Comparison) -> list[tuple[int, int]]:
        """Return ranges of needed entries that have reusable blocks here.

        These are files that only need another inode, and with --delta large files that have an older version.
        """
        if self.is_dry_run or self.destination is None:
            return []
        basis = [(entry, entry + 1) for entry in comparison.restaged]
        if manifest.policy.delta:
            from mrsync.tree.delta.basis import find_basis

            basis += find_basis(manifest, self.destination.directories, comparison.needs)
        return merged(basis)

    def notice_other_run(self) -> None:
        """Remember another run that works in the destination now. It may be over before something fails for it."""
        if self.destination is not None:
            self._other_run = self._other_run or other_run(self.destination.root_fd)

    def warn_of_other_run(self) -> None:
        """Warn once of a noticed run, because something failed."""
        self.notice_other_run()
        if self._other_run and not self._is_warned:
            self._is_warned = True
            warn([f"{self._other_run} writes to {printable(self._path)}, too: it may be why something fails here"])

    def close(self) -> None:
        """Close what was opened."""
        if self.destination is not None:
            self.destination.close()
        if self.area is not None:
            self.area.close()


def _staged(destination: Destination, manifest: Manifest, comparison: Comparison) -> list[str]:
    """Return what a dry run cannot count: that the real run will send less than is needed."""
    from mrsync.tree.staging.resume import StaleFiles  # most runs find none

    count = StaleFiles(destination, manifest, comparison.stale).bytes_staged()
    sentence = f"an interrupted run has left {count / 1e6:.3g} MB here; what is still right of it is not sent again"
    return [sentence] if count else []


def warn(sentences: Sequence[str]) -> None:
    """Print warnings. The master shows them with the name of this target."""
    for sentence in sentences:
        print(f"{WARNING.decode()}{sentence}", file=sys.stderr, flush=True)
