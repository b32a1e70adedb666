"""Look again at source files that changed while they were read, so that they can be sent in a second round."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from mrsync.tree.fs.digests import Digester
from mrsync.tree.fs.handles import entry_in
from mrsync.tree.fs.xattrs import source_keeper
from mrsync.tree.model.attributes import UNKNOWN
from mrsync.tree.model.failure import Changed, Fault
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import NO_DIGEST, Manifest
from mrsync.tree.model.manifest_patch import Amendment
from mrsync.tree.model.marks import Listed
from mrsync.tree.source.homes import Homes
from mrsync.tree.source.prefix import Prefix
from mrsync.tree.source.scanner import Scan, change_on_the_way
from mrsync.tree.source.selection import Selection


class Rescan(NamedTuple):
    """The result of `rescan`.

    amendment: the changed rows, already applied to the scan's manifest. scan: the scan with an updated set of sparse
    files. refused: entry -> why it cannot be sent again. prefixes: entry -> the present contents of a file that may go
    on growing.
    """

    amendment: Amendment
    scan: Scan
    refused: dict[int, Fault]
    prefixes: dict[int, Prefix]


def rescan(
    scan: Scan, selection: Selection, entries: Iterable[int], on_activity: Callable[[], None] = lambda: None
) -> Rescan:
    """Look again at these entries. All names of a hard-linked file are updated together, if they still are one file.

    A file whose size changed is read once, so that its present contents can be sent even if it goes on growing.
    on_activity: called from time to time; it may raise an exception to end the rescan.
    """
    return _Rescanner(scan, selection, on_activity).run(sorted(entries))


class _Rescanner:
    def __init__(self, scan: Scan, selection: Selection, on_activity: Callable[[], None]) -> None:
        self._scan = scan
        self._on_activity = on_activity
        self._manifest = manifest = scan.manifest
        self._selection = selection
        self._homes = Homes(scan.roots, manifest)
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
            amendment = self._amend()
        finally:
            self._homes.close()
        holey = self._scan.holey.difference(self._found)
        holey |= {entry for entry, status in self._found.items() if _is_holey(status)}
        again = self._scan._replace(holey=holey, ctimes=array("q"), inodes=array("Q"))
        return Rescan(amendment, again, self._refused, self._prefixes)

    def _look_at(self, entry: int, names: list[int]) -> None:
        """Accept all names of a file, or refuse them all."""
        try:
            found = {name: self._stat(name) for name in names}
            if any(not os.path.samestat(found[names[0]], other) for other in found.values()):
                raise Changed("some of its names are other files now")
            status = found[entry]
            if status.st_size != self._manifest.sizes[entry] and not _is_holey(status):
                self._prefixes.update(dict.fromkeys(names, self._read(entry, status)))
        except OSError as error:
            self._refused[entry] = Fault.of(error)
        else:
            self._found.update(found)

    def _read(self, entry: int, status: os.stat_result) -> Prefix:
        """Return the digests of a file with this status. Raise OSError."""
        fd = self._homes.open(entry)
        try:
            prefix = Prefix(fd, status.st_size, self._on_activity)
        finally:
            os.close(fd)
        if not prefix.is_of(status):
            raise Changed("it was replaced")
        return prefix

    def _stat(self, entry: int) -> os.stat_result:
        """Return the status of a regular file that can be opened for reading. Raise OSError."""
        fd = self._homes.open(entry)
        try:
            status = os.fstat(fd)
        finally:
            os.close(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Changed("it is no longer a file")
        return status

    def _amend(self) -> Amendment:
        """Make the patch and apply it to the manifest."""
        manifest, entries = self._manifest, array("I", sorted(self._found))
        patch = Manifest(manifest.policy)
        patch.add_root(os.fstat(self._homes.root_fds[0]))
        listing = Listing(self._homes.root_fds[0], [])
        if entries:
            names = [b"%08x" % entry for entry in entries]  # placeholders; listings need sorted names
            listing.extend(names, [self._found[entry] for entry in entries])
        patch.add(0, listing)
        if manifest.policy.keeps_attributes:
            self._read_attributes(patch, entries)
        if manifest.policy.checksum:
            patch.digests = NO_DIGEST + b"".join(map(self._digest, entries))
        if manifest.listed is not None:
            patch.listed = Listed(array("B", bytes(len(patch))), [])  # placeholders; the manifest's marks count
        change_on_the_way(patch, self._selection)
        amendment = Amendment(entries, patch)
        amendment.apply(manifest)
        return amendment

    def _read_attributes(self, patch: Manifest, entries: Iterable[int]) -> None:
        keeper = source_keeper(patch.policy, self._selection.rules)
        patch.attribute_numbers.append(UNKNOWN)
        for entry in entries:
            try:
                fd = self._homes.of(entry)
                number = patch.attributes.number(keeper.read(entry_in(fd, self._manifest.names[entry])))
            except OSError:
                number = UNKNOWN
            patch.attribute_numbers.append(number)

    def _digest(self, entry: int) -> bytes:
        return Digester(lambda count: None).digest(partial(self._homes.open, entry), self._found[entry].st_size)


def _is_holey(status: os.stat_result) -> bool:
    return status.st_blocks * 512 < status.st_size
