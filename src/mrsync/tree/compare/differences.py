"""Find the differences that matter to the policy between a manifest entry and its counterpart on a target."""

from __future__ import annotations

from functools import partial

from mrsync.files import open_regular
from mrsync.tree.destination.timestamps import Timestamps
from mrsync.tree.fs.digests import Digester
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.owners import Ownership
from mrsync.tree.model.items import GROUP, INEXACT, MODE, SIZE, TIME, USER
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, LINK, NO_DIGEST, REGULAR, SECOND_NS, Manifest
from mrsync.tree.model.times import file_window, is_same_time


class Differences:
    """Compare single entries by the manifest's policy; digests are computed from files in `directories`.

    always_times: times of directories count even with --omit-dir-times.
    """

    def __init__(
        self,
        manifest: Manifest,
        ownership: Ownership,
        directories: Directories | None,
        digester: Digester,
        timestamps: Timestamps | None,
        *,
        always_times: bool = False,
    ) -> None:
        self._manifest = manifest
        self._policy = manifest.policy
        self._ownership = ownership
        self._directories = directories
        self._digester = digester
        self._timestamps = timestamps
        kept_bits = 0o111 if self._policy.executability else 0
        self._mode_bits = 0o7777 if self._policy.modes else kept_bits
        self._omits_times = self._policy.omit_dir_times and not always_times

    def differences(self, entry: int, listing: Listing, position: int) -> int:
        """Return the flags (`model.items`) of what differs, except contents, ACLs and extended attributes.

        entry: of the manifest. listing, position: the row of an entry of a related kind that has its name here.
        """
        manifest = self._manifest
        kind = manifest.modes[entry] >> KIND_SHIFT
        found = 0
        if kind == REGULAR and manifest.sizes[entry] != listing.sizes[position]:
            found |= SIZE
        time_ns = listing.mtime_ns(position)
        if kind == DIRECTORY:
            found |= TIME if self.has_other_directory_time(entry, time_ns) else 0
        elif kind == LINK and self._policy.omit_link_times:
            pass
        elif not self._has_time(entry, time_ns, self._policy.modify_window):
            found |= TIME
        elif kind == REGULAR and not self._has_time(entry, time_ns, file_window(self._policy)):
            found |= INEXACT
        if kind != LINK and (manifest.modes[entry] ^ listing.modes[position]) & self._mode_bits:
            found |= MODE
        uid, gid = self._ownership.settable(manifest.uids[entry], manifest.gids[entry])
        if uid not in (-1, listing.uids[position]):
            found |= USER
        if gid not in (-1, listing.gids[position]):
            found |= GROUP
        return found

    def has_other_size_or_time(self, entry: int, listing: Listing, position: int) -> bool:
        """Return whether size or mtime differs, which alone decides about contents in a plain comparison."""
        manifest = self._manifest
        if manifest.sizes[entry] != listing.sizes[position]:
            return True
        return not self._has_time(entry, listing.mtime_ns(position), -1)

    def has_other_contents(self, entry: int, differences: int) -> bool:
        """Return whether the contents of a file with these differences must be sent."""
        policy = self._policy
        if differences & SIZE:
            return True
        if policy.checksum:
            return self._has_other_digest(entry)
        if policy.size_only:
            return False
        return policy.ignore_times or bool(differences & TIME)

    def is_newer(self, entry: int, listing: Listing, position: int) -> bool:
        """Return whether --update keeps the file found: it is newer, or not older within the modify window."""
        wanted, found = self._manifest.mtime_ns(entry), listing.mtime_ns(position)
        window = self._policy.modify_window
        if window < 0:
            return wanted < found
        return wanted // SECOND_NS - found // SECOND_NS < window

    def _has_other_digest(self, entry: int) -> bool:
        manifest = self._manifest
        size = manifest.sizes[entry]
        if not size or self._directories is None:
            return bool(size)
        fd = self._directories.open(manifest.parents[entry])
        found = self._digester.digest(partial(open_regular, manifest.names[entry], fd), size)
        return found == NO_DIGEST or found != manifest.digest(entry)

    def has_other_directory_time(self, entry: int, found_ns: int) -> bool:
        return not (self._omits_times or self._has_time(entry, found_ns, self._policy.modify_window))

    def _has_time(self, entry: int, found_ns: int, window: int) -> bool:
        """Return whether found_ns equals the entry's mtime, within window or the file system's precision."""
        wanted_ns = self._manifest.mtime_ns(entry)
        if is_same_time(wanted_ns, found_ns, window):
            return True
        parent = self._manifest.parents[entry]
        return self._timestamps is not None and self._timestamps.is_kept(parent, entry, wanted_ns, found_ns)
