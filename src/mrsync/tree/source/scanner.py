"""Walk the source breadth first and collect its entries in a manifest."""

from __future__ import annotations

import errno
import os
import stat
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mrsync.errors import LimitError, SelectionError
from mrsync.files import open_regular
from mrsync.tree.fs.digests import digest_files
from mrsync.tree.fs.extents import data_extents
from mrsync.tree.fs.handles import Handle, entry_in
from mrsync.tree.fs.owners import name_owners
from mrsync.tree.fs.state_directory import STATE_NAME, is_state_directory
from mrsync.tree.fs.temporary_names import PREFIX, is_temporary
from mrsync.tree.fs.xattrs import source_xattr_selection
from mrsync.tree.model.attributes import UNKNOWN
from mrsync.tree.model.failure import Failure, printable
from mrsync.tree.model.limits import DEPTH_MAX, ENTRIES_MAX, FILE_BYTES_MAX, KIND_SHIFT
from mrsync.tree.model.listing import Listing, kinds_of
from mrsync.tree.model.manifest import DIRECTORY, MADE_MODE, OMITTED, Manifest
from mrsync.tree.source.links import Identity, LinkPolicy
from mrsync.tree.source.modes import ModeChange, change_modes
from mrsync.tree.source.mount_policy import MountPolicy
from mrsync.tree.source.roots import OpenRoots, Roots
from mrsync.tree.source.selection import Selection
from mrsync.tuples import NamedTuple

if TYPE_CHECKING:
    from mrsync.tree.source.source_filter import SourceFilter

FIND = "find"  # the failed action if a list names something that does not exist
TICK_NS = 100_000_000  # ten times Linux's longest clock tick, which limits the resolution of a ctime


class Scan(NamedTuple):
    """The result of a scan.

    manifest: all entries that could be read; its policy deletes nothing if any could not.
    sparse: entries that probably have holes, because they occupy fewer blocks than their size.
    errors: what could not be read, was listed but does not exist, or vanished meanwhile.
    skipped: devices and special files that the policy does not preserve; targets neither make nor delete them.
    temporary: paths left out because their names are those of mrsync's temporary files.
    ctimes, inodes: of every entry, if the policy says partial.
    settled_at: a file with a later ctime (ns) may have changed again within the same clock tick.
    misses: a SOURCE directory does not exist.
    mode_changes: what was applied to the modes in the manifest.
    """

    roots: Roots
    manifest: Manifest
    sparse: frozenset[int]
    errors: list[Failure]
    skipped: list[int]
    temporary: list[bytes]
    ctimes: array[int]
    inodes: array[int]
    settled_at: int
    ignores_errors: bool = False
    misses: bool = False
    mode_changes: Sequence[ModeChange] = ()

    def forget_identities(self) -> None:
        """Free ctimes and inodes, 16 bytes per entry: the plan has those of the files in it."""
        del self.ctimes[:], self.inodes[:]

    @property
    def vanished(self) -> int:
        """The number of errors for entries that vanished after their directory was read."""
        return sum(failure.errno == errno.ENOENT and failure.action != FIND for failure in self.errors)

    @property
    def deletes(self) -> bool:
        """Whether targets may delete anything. As with rsync, they may not if something exists but was unreadable."""
        is_sure = all(failure.errno in (errno.ENOENT, errno.EFBIG) for failure in self.errors) and not self.misses
        return self.ignores_errors or is_sure


def override_attributes(manifest: Manifest, selection: Selection) -> None:
    """Apply the selection's changes of modes, and add the owners' names."""
    if selection.mode_changes:
        change_modes(manifest, selection.mode_changes)
    name_owners(manifest)


class Scanner:
    """Walk a source once, breadth first. The constructor raises SelectionError if a root cannot be read."""

    def __init__(self, roots: Roots, manifest: Manifest, selection: Selection) -> None:
        self._followed: set[int] = set()  # entries whose soft links are followed
        self._roots = roots = roots._replace(followed=self._followed, inodes=tuple([{} for _ in roots.paths]))
        self._open_roots = OpenRoots(roots, manifest)
        self._link_policy = LinkPolicy(selection) if selection.has_link_policy else None
        self._identities: dict[tuple[int, int], Identity] = {}  # by (root, directory), if links are judged
        self._manifest = manifest
        self._selection = selection
        self._inodes: dict[tuple[int, int], int] = {}
        self._sparse: list[int] = []
        self._errors: list[Failure] = []
        self._temporary: list[bytes] = []
        self._depths = {0: 0}
        self._xattr_selection = source_xattr_selection(manifest.policy, selection.rules)
        self._ctimes, self._numbers = array("q"), array("Q")
        self._settled_at = time.time_ns() - TICK_NS
        self._source_filters = self._make_source_filters()
        self._mounts = MountPolicy(selection.one_file_system, manifest.parents)
        self._misses = False
        self._missing_to_delete: list[bytes] = []  # named paths that do not exist and that targets are to delete

    def run(self, on_activity: Callable[[int], None], on_digested: Callable[[int, int], None]) -> Scan:
        manifest, policy = self._manifest, self._manifest.policy
        if policy.partial:
            self._ctimes.append(0)
            self._numbers.append(0)
        try:
            self._add_root()
            # The list of directories grows while it is walked, which makes the walk breadth first.
            for directory in manifest.directories:
                before = len(manifest)
                self._scan_directory(directory)
                on_activity(len(manifest) - before)
            if policy.checksum:
                total = sum(size for entry, size in enumerate(manifest.sizes) if entry not in manifest.leaders)
                digest_files(manifest, self._open_roots.open, lambda count: on_digested(count, total))
        finally:
            self._open_roots.close()
        self._errors += [error for source_filter in self._source_filters for error in source_filter.errors]
        override_attributes(manifest, self._selection)
        found = Scan(
            roots=self._roots,
            manifest=manifest,
            sparse=frozenset(self._sparse),
            errors=self._errors,
            skipped=self._skipped(),
            temporary=self._temporary,
            ctimes=self._ctimes,
            inodes=self._numbers,
            settled_at=self._settled_at,
            ignores_errors=self._selection.ignores_errors,
            misses=self._misses,
            mode_changes=self._selection.mode_changes,
        )
        if not found.deletes:
            manifest.policy = policy._replace(deletes=False)
        manifest.policy = manifest.policy._replace(missing=tuple(map(os.fsdecode, self._missing_to_delete)))
        return found

    def _skipped(self) -> list[int]:
        """Return the entries of kinds that the policy does not preserve."""
        manifest = self._manifest
        kinds = set(kinds_of(manifest.modes)) - {OMITTED}
        skipped = {kind for kind in kinds if not manifest.policy.keeps_kind(kind)}
        return [entry for entry in range(len(manifest)) if manifest.kind(entry) in skipped] if skipped else []

    @property
    def _root_fd(self) -> int:
        """The open directory of the first root, the only one unless there are several SOURCEs."""
        return self._open_roots.root_fds[0]

    def _note_missing(self, reason: int, shown: bytes, path: bytes) -> None:
        """Note that a named path cannot be found. shown: for messages. path: below the root.

        Rules that hide names from targets do not count, as in rsync; targets heed those that protect.
        """
        selection = self._selection
        if reason == errno.ENOENT and selection.deletes_missing:
            self._missing_to_delete.append(path)
        elif reason != errno.ENOENT or not selection.ignores_missing:
            self._errors.append(Failure(reason, shown, FIND))

    def _add_root(self) -> None:
        self._manifest.add_root(os.fstat(self._root_fd))
        if self._manifest.policy.keeps_attributes:
            self._read_attributes(0, Handle(self._root_fd))

    def _add_made_root(self, fd: int) -> None:
        """Add a root of which SOURCE says nothing: a target that lacks it gets one as any program makes it."""
        manifest = self._manifest
        manifest.add_root(os.fstat(fd))
        manifest.modes[0], manifest.uids[0], manifest.gids[0] = stat.S_IFDIR | MADE_MODE, os.geteuid(), os.getegid()
        manifest.mtimes[0] = time.time_ns()
        manifest.far_times.pop(0, None)
        if manifest.policy.keeps_attributes:
            manifest.attribute_numbers.append(UNKNOWN)

    def _scan_directory(self, directory: int) -> None:
        manifest = self._manifest
        try:
            if self._depth(directory) >= DEPTH_MAX:
                raise OSError(errno.ELOOP, "too deep")
            listing = self._read(directory)
        except OSError as error:
            self._errors.append(Failure.of(error, manifest.path(directory), "read"))
            manifest.add_nothing()
            return
        for reason, name in listing.failures:
            self._errors.append(Failure(reason, os.path.join(manifest.path(directory), name), "read"))
        base = len(manifest)
        if base + len(listing.names) > ENTRIES_MAX:
            raise LimitError(f"there are more than {ENTRIES_MAX} entries in SOURCE; sync parts of it")
        manifest.add(directory, listing)
        self._followed.update([base + position for position in listing.followed])
        if manifest.policy.keeps_attributes:
            for entry, name in enumerate(listing.names, base):
                self._read_attributes(entry, self._handle(entry, name), name)
        self._ctimes += listing.ctimes
        self._numbers += listing.numbers
        self._sparse += [base + position for position in listing.sparse]
        if manifest.policy.hard_links:
            for position, inode in sorted(listing.inodes.items()):  # followed links were added last
                leader = self._inodes.setdefault(inode, base + position)
                if leader != base + position:
                    manifest.leaders[base + position] = leader

    def _handle(self, entry: int, name: bytes) -> Handle:
        fd = self._open_roots.of(entry)
        return Handle(b"/proc/self/fd/%d/%b" % (fd, name)) if entry in self._followed else entry_in(fd, name)

    def _apply_link_policy(self, directory: int, fd: int, listing: Listing, root: int = 0) -> None:
        """Follow or omit soft links, if the selection says so."""
        if self._link_policy is None:
            return
        status = os.fstat(fd)
        self._identities[root, directory] = status.st_dev, status.st_ino
        above = [directory]
        while above[-1]:
            above.append(self._manifest.parents[above[-1]])
        known = {self._identities.get((root, entry)) for entry in above}
        self._link_policy.apply(fd, listing, len(above) - 1, known.__contains__)

    def _read(self, directory: int) -> Listing:
        """Return the selected entries of a directory. Raise OSError."""
        fd = self._open_roots.directory(directory)
        self._adopt(directory, fd)
        listing = self._list(directory, fd)
        self._check(directory, fd, listing)
        return listing

    def _adopt(self, directory: int, fd: int) -> None:
        """Take owner, mode and attributes of a directory from what was opened, which may be another one by now.

        Otherwise a user who may rename entries could show those of a closed directory in an open one of their own.
        """
        manifest, status = self._manifest, os.fstat(fd)
        opened = status.st_mode, status.st_uid, status.st_gid
        if directory == 0 or opened == (manifest.modes[directory], manifest.uids[directory], manifest.gids[directory]):
            return
        manifest.modes[directory], manifest.uids[directory], manifest.gids[directory] = opened
        if manifest.policy.keeps_attributes:
            manifest.attribute_numbers[directory] = manifest.attributes.number(self._xattr_selection.read(Handle(fd)))

    def _check(self, directory: int, fd: int, listing: Listing, root: int = 0) -> None:
        """Raise SelectionError if a destination is in the source, and omit files that are too large."""
        if self._selection.off_limits:
            self._keep_off(directory, fd, root)
        if listing.sizes and max(listing.sizes) > FILE_BYTES_MAX:
            self._omit_huge(directory, fd, listing)

    def _omit_huge(self, directory: int, fd: int, listing: Listing) -> None:
        """Omit files with more data than a session can send. Most files of such a size are sparse and stay."""
        huge = []
        for position in [position for position, size in enumerate(listing.sizes) if size > FILE_BYTES_MAX]:
            reason = _why_too_large(fd, listing.names[position], listing.sizes[position])
            if reason:
                path = os.path.join(self._manifest.path(directory), listing.names[position])
                self._errors.append(Failure(reason, path, "cast"))
                huge.append(position)
        listing.omit(huge)

    def _keep_off(self, directory: int, fd: int, root: int) -> None:
        """Raise SelectionError if a destination is in this directory: the next sync would copy it into itself."""
        status = os.fstat(fd)
        if directory in self._manifest.incomplete:
            return  # nothing in it is sent except listed paths
        path, source_filter = self._manifest.path(directory), self._source_filter(root)
        for name, dest in self._selection.off_limits.get((status.st_dev, status.st_ino), {}).items():
            if not name or source_filter is None or not source_filter.excludes_new(directory, path, name):
                where = printable(os.path.join(path, name).rstrip(b"/"))
                raise SelectionError(f"DEST on this host, {printable(dest)}, is in SOURCE ({where}); --exclude it")

    def _read_attributes(self, entry: int, target: Handle, name: bytes = b"") -> None:
        """Append the number of an entry's set of extended attributes. name: in its directory; empty for a root."""
        manifest = self._manifest
        number = UNKNOWN
        if manifest.policy.keeps_kind(manifest.kind(entry)):
            try:
                found = self._xattr_selection.read(target)
                if found and name:  # few entries have any
                    readers = manifest.modes[entry], manifest.uids[entry], manifest.gids[entry]
                    is_followed = entry in self._followed
                    found = self._xattr_selection.read_of(
                        self._open_roots.of(entry), name, readers, follows=is_followed
                    )
                number = manifest.attributes.number(found)
            except OSError as error:
                self._errors.append(Failure.of(error, manifest.path(entry), "read the attributes of"))
        manifest.attribute_numbers.append(number)

    def _list(self, directory: int, fd: int) -> Listing:
        """Return the selected entries of a directory, which is open as fd. Raise OSError."""
        if self._mounts.is_foreign(directory, fd, is_recursed=self._is_recursed(directory)):
            self._manifest.incomplete.add(directory)
            return Listing(fd, [])
        listing = Listing(fd, finds_holes=True, has_identities=self._manifest.policy.partial)
        self._drop_temporary(directory, listing)
        drop_records(listing, fd)
        self._apply_link_policy(directory, fd, listing)
        self._mounts.omit(fd, listing)
        source_filter = self._source_filter()
        if source_filter is not None:
            source_filter.take(directory, self._manifest.path(directory), listing)
        return listing

    def _drop_temporary(self, directory: int, listing: Listing) -> None:
        """Drop temporary files of sessions from a listing: the source may be the destination of another sync."""
        names = listing.names
        at = bisect_left(names, PREFIX)
        if at < len(names) and names[at].startswith(PREFIX):
            kinds = [mode >> KIND_SHIFT for mode in listing.modes]
            dropped = {i for i, name in enumerate(names) if is_temporary(name, is_directory=kinds[i] == DIRECTORY)}
            path = self._manifest.path(directory)
            self._temporary += [os.path.join(path, names[i]) for i in sorted(dropped)]
            listing.keep([i for i in range(len(names)) if i not in dropped])

    def _is_recursed(self, directory: int) -> bool:
        """Return whether a directory was reached by recursion and not named by the user."""
        return directory > 0

    def _make_source_filters(self) -> tuple[SourceFilter, ...]:
        """Return a filter for each root, or none if everything is taken."""
        selection = self._selection
        if not selection.rules and not selection.has_size_limit:
            return ()
        from mrsync.tree.source.source_filter import SourceFilter  # most runs take everything, and need no rules

        parents, deletes_excluded = self._manifest.parents, self._manifest.policy.deletes_excluded
        return tuple([SourceFilter(path, selection, parents, deletes_excluded) for path in self._roots.paths])

    def _source_filter(self, root: int = 0) -> SourceFilter | None:
        return self._source_filters[root] if self._source_filters else None

    def _depth(self, directory: int) -> int:
        if directory:
            self._depths[directory] = self._depths[self._manifest.parents[directory]] + 1
        return self._depths[directory]


def _why_too_large(directory_fd: int, name: bytes, size: int) -> int:
    """Return EFBIG if a file has too much data, 0 if it has not, or the errno if that cannot be determined."""
    try:
        fd = open_regular(name, directory_fd)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        is_huge = sum(length for _, length in data_extents(fd, size)) > FILE_BYTES_MAX
    finally:
        os.close(fd)
    return errno.EFBIG if is_huge else 0


def drop_records(listing: Listing, fd: int) -> None:
    """Drop the records that this host, as a target, keeps of other syncs. fd: of the listed directory."""
    if STATE_NAME in listing.names and is_state_directory(fd, STATE_NAME):
        listing.keep([i for i, name in enumerate(listing.names) if name != STATE_NAME])
