"""Look again at source files that changed while they were read, so that they can be sent in a second round."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from mrsync.tree.fs.digests import Digester
from mrsync.tree.fs.xattrs import source_xattr_selection
from mrsync.tree.model.attributes import UNKNOWN
from mrsync.tree.model.failure import Changed, Fault
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import NO_DIGEST, Manifest
from mrsync.tree.model.manifest_patch import ManifestPatch
from mrsync.tree.model.marks import Listed
from mrsync.tree.source.prefix import Prefix
from mrsync.tree.source.roots import OpenRoots
from mrsync.tree.source.scanner import Scan, override_attributes
from mrsync.tree.source.selection import Selection
from mrsync.tuples import NamedTuple


class Rescan(NamedTuple):
    """The result of `rescan`.

    patch: the changed rows, already applied to the scan's manifest. scan: the scan with an updated set of sparse
    files. refused: entry -> why it cannot be sent again. prefixes: entry -> the present contents of a file that may go
    on growing.
    """

    patch: ManifestPatch
    scan: Scan
    refused: dict[int, Fault]
    prefixes: dict[int, Prefix]


def rescan(
    scan: Scan, selection: Selection, entries: Iterable[int], on_activity: Callable[[], None] = lambda: None
) -> Rescan:
    """Look again at these entries. All names of a hard-linked file are updated together, if they still are one file.

    scan, selection: of the first scan; its manifest is not changed. entries: regular files, by their numbers there. A
    file whose size changed is read once, so that its present contents can be sent even if it goes on growing.
    on_activity: called from time to time; it may raise an exception to end the rescan.
    """
    return _Rescanner(scan, selection, on_activity).run(sorted(entries))


class _Rescanner:
    def __init__(self, scan: Scan, selection: Selection, on_activity: Callable[[], None]) -> None:
        self._scan = scan
        self._on_activity = on_activity
        self._manifest = manifest = scan.manifest
        self._selection = selection
        self._open_roots = OpenRoots(scan.roots, manifest)
        self._found: dict[int, os.stat_result] = {}
        self._refused: dict[int, Fault] = {}
        self._prefixes: dict[int, Prefix] = {}

    def run(self, entries: Sequence[int]) -> Rescan:
        members: dict[int, list[int]] = {}
        for member, leader in self._manifest.leaders.items():
            members.setdefault(leader, []).append(member)
        try:
            for entry in entries:
                leader = self._manifest.leaders.get(entry, entry)
                if entry not in self._found:
                    self._look_at(entry, [leader, *members.get(leader, ())])
            patch = self._amend()
        finally:
            self._open_roots.close()
        sparse = self._scan.sparse.difference(self._found)
        sparse |= {entry for entry, status in self._found.items() if _is_sparse(status)}
        again = self._scan._replace(sparse=sparse, ctimes=array("q"), inodes=array("Q"))
        return Rescan(patch, again, self._refused, self._prefixes)

    def _look_at(self, entry: int, names: list[int]) -> None:
        """Accept all names of a file, or refuse them all."""
        try:
            found = {name: self._stat(name) for name in names}
            if any(not os.path.samestat(found[names[0]], other) for other in found.values()):
                raise Changed("some of its names are other files now")
            status = found[entry]
            if status.st_size != self._manifest.sizes[entry] and not _is_sparse(status):
                self._prefixes.update(dict.fromkeys(names, self._read(entry, status)))
        except OSError as error:
            self._refused[entry] = Fault.of(error)
        else:
            self._found.update(found)

    def _read(self, entry: int, status: os.stat_result) -> Prefix:
        """Return the digests of a file with this status. Raise OSError."""
        fd = self._open_roots.open(entry)
        try:
            prefix = Prefix(fd, status.st_size, self._on_activity)
        finally:
            os.close(fd)
        if not prefix.is_of(status):
            raise Changed("it was replaced")
        return prefix

    def _stat(self, entry: int) -> os.stat_result:
        """Return the status of a regular file that can be opened for reading. Raise OSError."""
        fd = self._open_roots.open(entry)
        try:
            status = os.fstat(fd)
        finally:
            os.close(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Changed("it is no longer a file")
        return status

    def _amend(self) -> ManifestPatch:
        """Make the patch and apply it to the manifest."""
        manifest, entries = self._manifest, array("I", sorted(self._found))
        rows = Manifest(manifest.policy)
        rows.add_root(os.fstat(self._open_roots.root_fds[0]))
        listing = Listing(self._open_roots.root_fds[0], [])
        if entries:
            names = [b"%08x" % entry for entry in entries]  # placeholders; listings need sorted names
            listing.extend(names, [self._found[entry] for entry in entries])
        rows.add(0, listing)
        if manifest.policy.keeps_attributes:
            self._read_attributes(rows, entries)
        if manifest.policy.checksum:
            rows.digests = NO_DIGEST + b"".join(map(self._digest, entries))
        if manifest.listed is not None:
            rows.listed = Listed(array("B", bytes(len(rows))), [])  # placeholders; the manifest's marks count
        override_attributes(rows, self._selection)
        patch = ManifestPatch(entries, rows)
        patch.apply(manifest)
        return patch

    def _read_attributes(self, rows: Manifest, entries: Iterable[int]) -> None:
        xattr_selection = source_xattr_selection(rows.policy, self._selection.rules)
        rows.attribute_numbers.append(UNKNOWN)
        for entry in entries:
            try:
                fd, found = self._open_roots.of(entry), self._found[entry]
                readers, is_followed = (found.st_mode, found.st_uid, found.st_gid), entry in self._scan.roots.followed
                attributes = xattr_selection.read_of(fd, self._manifest.names[entry], readers, follows=is_followed)
                number = rows.attributes.number(attributes)
            except OSError:
                number = UNKNOWN
            rows.attribute_numbers.append(number)

    def _digest(self, entry: int) -> bytes:
        return Digester(lambda count: None).digest(partial(self._open_roots.open, entry), self._found[entry].st_size)


def _is_sparse(status: os.stat_result) -> bool:
    return status.st_blocks * 512 < status.st_size
