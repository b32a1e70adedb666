"""Soft links that a target has in the place of directories, and that are kept (--keep-dirlinks).

They are followed below the destination only. The directories that they lead to must outlive the run, so nothing on the
way to them is deleted. Nor is anything deleted in a directory that two directories of the source share, because one of
these may have what the other lacks.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator

from mrsync.tree.fs.directories import Directories, Identity, follow_beneath
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, Manifest

_Named = tuple[int, bytes]  # directory entry, name


class KeptLinks:
    """The kept links of a destination. Its `directories` follow them."""

    def __init__(self, manifest: Manifest, directories: Directories) -> None:
        self._manifest = manifest
        self._directories = directories
        self._paths: dict[int, tuple[bytes, ...]] = {}  # where each leads to
        self._passed: set[Identity] = set()

    def follow(self, children: Iterable[int], listing: Listing, failures: list[Failure]) -> Iterator[int]:
        """Replace links in a listing by the directories they lead to, for children that are directories in the source.

        Yield entries whose link leads out of the destination or cannot be followed, and append to failures.
        """
        links = {listing.names[position]: position for position in listing.links}
        for entry in children:
            position = links.get(self._manifest.names[entry], -1)
            if position < 0 or self._manifest.kind(entry) != DIRECTORY:
                continue
            try:
                self._keep(entry)
                listing.follow(position, os.fstat(self._directories.open(entry)))
            except (FileNotFoundError, NotADirectoryError):
                continue  # like rsync, replace a link that leads to no directory
            except OSError as error:
                self._directories.followed_beneath.discard(entry)
                failures.append(Failure.of(error, self._manifest.path(entry), "follow the link"))
                yield entry

    def _keep(self, entry: int) -> None:
        found = follow_beneath(self._directories.open(0), self._directories.way(entry))
        os.close(found.fd)
        self._paths[entry] = found.path
        self._passed |= found.passed
        self._directories.followed_beneath.add(entry)

    def spare(self, extraneous: Iterable[_Named]) -> list[_Named]:
        """Return what may be deleted of these (directory entry, name)."""
        if not self._paths:
            return list(extraneous)
        shared = Counter(map(self.place, self._manifest.directories))
        return [
            (directory, name)
            for directory, name in extraneous
            if shared[self.place(directory)] == 1 and not self.leads_through(directory, name)
        ]

    def place(self, entry: int) -> bytes:
        """Return the path of an entry without links, below the destination."""
        names: list[bytes] = []
        while entry and entry not in self._paths:
            names.append(self._manifest.names[entry])
            entry = self._manifest.parents[entry]
        return b"/".join([*self._paths.get(entry, ()), *reversed(names)])

    def leads_through(self, directory: int, name: bytes) -> bool:
        """Return whether a kept link leads through the entry with this name."""
        try:
            found = os.stat(name, dir_fd=self._directories.open(directory), follow_symlinks=False)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) in self._passed

    def failures(self) -> Iterator[tuple[int, Failure]]:
        """Yield the links that lead elsewhere by now, so that synced entries are not where they should be."""
        for entry, path in self._paths.items():
            try:
                found = follow_beneath(self._directories.open(0), self._directories.way(entry))
                os.close(found.fd)
                reason = 0 if found.path == path and stat.S_ISLNK(self._status(entry).st_mode) else errno.ESTALE
            except OSError as error:
                reason = error.errno or 0
            if reason:
                yield entry, Failure(reason, self._manifest.path(entry), "follow the link")

    def _status(self, entry: int) -> os.stat_result:
        parent = self._directories.open(self._manifest.parents[entry])
        return os.stat(self._manifest.names[entry], dir_fd=parent, follow_symlinks=False)
