"""Look again at source files that changed while they were read, so that they can be sent in a second round."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from mrsync.tree.fs.digests import Digester
from mrsync.tree.fs.xattrs import source_xattr_selection
from mrsync.tree.model.attributes import UNKNOWN
from mrsync.tree.model.failure import Changed, Fault
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import NO_DIGEST, Manifest
from mrsync.tree.model.manifest_patch import ManifestPatch
from mrsync.tree.model.marks import Listed
from mrsync.tree.model.status_table import StatusRows
from mrsync.tree.source.prefix import Prefix
from mrsync.tree.source.roots import OpenRoots
from mrsync.tree.source.scanner import Scan, override_attributes
from mrsync.tree.source.selection import Selection
from mrsync.tuples import NamedTuple


class Rescan(NamedTuple):
    """The result of `rescan`.

    patch: the changed rows, already applied to the scan's manifest. scan: the scan with an updated set of sparse
    files. refused: entry -> why it cannot be sent again, whichever of its names that is. prefixes: entry -> the present
    contents of a file that may go on growing. lost: other names that are gone, though their file is sent again.
    """

    patch: ManifestPatch
    scan: Scan
    refused: dict[int, Fault]
    prefixes: dict[int, Prefix]
    lost: dict[int, Fault]


def rescan(
    scan: Scan,
    selection: Selection,
    entries: Iterable[int],
    on_activity: Callable[[], None] = lambda: None,
    inodes: Mapping[int, int] = MappingProxyType({}),
) -> Rescan:
    """Look again at these entries. All names of a hard-linked file are updated, from one that still is its name.

    scan, selection: of the first scan; its manifest is not changed. entries: regular files, by their numbers there. A
    file whose size changed is read once, so that its present contents can be sent even if it goes on growing.
    on_activity: called from time to time; it may raise an exception to end the rescan. inodes: of these entries when
    they were scanned, as far as they are known; by them one file is told from others that have taken some of its names.
    """
    return _Rescanner(scan, selection, on_activity, inodes).run(sorted(entries))


class _Rescanner:
    def __init__(
        self, scan: Scan, selection: Selection, on_activity: Callable[[], None], inodes: Mapping[int, int]
    ) -> None:
        self._scan = scan
        self._inodes = inodes
        self._on_activity = on_activity
        self._manifest = manifest = scan.manifest
        self._selection = selection
        self._stand_ins: dict[int, int] = {}
        self._roots = scan.roots._replace(stand_ins=self._stand_ins)
        self._open_roots = OpenRoots(self._roots, manifest)
        self._found: dict[int, os.stat_result] = {}
        self._refused: dict[int, Fault] = {}
        self._prefixes: dict[int, Prefix] = {}
        self._lost: dict[int, Fault] = {}

    def run(self, entries: Sequence[int]) -> Rescan:
        members: dict[int, list[int]] = {}
        for member, leader in self._manifest.leaders.items():
            members.setdefault(leader, []).append(member)
        try:
            for entry in entries:
                leader = self._manifest.leaders.get(entry, entry)
                if entry not in self._found and entry not in self._refused:
                    self._look_at(entry, [leader, *members.get(leader, ())])
            patch = self._amend()
        finally:
            self._open_roots.close()
        sparse = self._scan.sparse.difference(self._found)
        sparse |= {entry for entry, status in self._found.items() if _is_sparse(status)}
        again = self._scan._replace(sparse=sparse, ctimes=array("q"), inodes=array("Q"), roots=self._roots)
        return Rescan(patch, again, self._refused, self._prefixes, self._lost)

    def _look_at(self, entry: int, names: list[int]) -> None:
        """Accept a file by those of its names that still are, or refuse all of them."""
        found, lost = self._stat_all(names)
        try:
            kept = self._kept(entry, found)
            if not kept:
                raise Changed("some of its names are other files now")
            status = found[kept[0]]
            if status.st_size != self._manifest.sizes[entry] and not _is_sparse(status):
                self._prefixes.update(dict.fromkeys(names, self._read(kept[0], status)))
        except OSError as error:
            self._refused.update({name: lost.get(name, Fault.of(error)) for name in names})
            return
        self._found.update(dict.fromkeys(names, status))
        for name in names:
            if name not in kept:
                self._stand_ins[name] = kept[0]
                self._lost[name] = lost.get(name, Fault("it was replaced"))

    def _stat_all(self, names: Iterable[int]) -> tuple[dict[int, os.stat_result], dict[int, Fault]]:
        """Return the status of each name that leads to a regular file, and why others do not."""
        found, lost = {}, {}
        for name in names:
            try:
                found[name] = self._stat(name)
            except OSError as error:
                lost[name] = Fault.of(error)
        return found, lost

    def _kept(self, entry: int, found: dict[int, os.stat_result]) -> list[int]:
        """Return which names are of one file: all of them, or else those of the file that was scanned."""
        inodes = {(status.st_dev, status.st_ino) for status in found.values()}
        if len(inodes) == 1:
            return list(found)
        return [name for name, status in found.items() if status.st_ino == self._inodes.get(entry)]

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
            listing.extend(names, StatusRows([self._found[entry] for entry in entries]))
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
                name, found = self._stand_ins.get(entry, entry), self._found[entry]
                readers, is_followed = (found.st_mode, found.st_uid, found.st_gid), name in self._roots.followed
                fd = self._open_roots.of(name)
                attributes = xattr_selection.read_of(fd, self._manifest.names[name], readers, follows=is_followed)
                number = rows.attributes.number(attributes)
            except OSError:
                number = UNKNOWN
            rows.attribute_numbers.append(number)

    def _digest(self, entry: int) -> bytes:
        return Digester(lambda count: None).digest(partial(self._open_roots.open, entry), self._found[entry].st_size)


def _is_sparse(status: os.stat_result) -> bool:
    return status.st_blocks * 512 < status.st_size
