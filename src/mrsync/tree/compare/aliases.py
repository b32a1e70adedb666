"""Detect names that a target's file system treats as equal because it folds case or normalizes Unicode."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Sequence
from contextlib import suppress

from mrsync.tree.destination.destination import Destination
from mrsync.tuples import NamedTuple


class Names(NamedTuple):
    """Names of the manifest that a directory does not list.

    listed_as: those that it has under another spelling. twins: those that it cannot tell from another name of the
    manifest, and from which; the first one in the manifest counts, so that all runs agree. is_sure: False if it has
    one under a spelling that could not be found.
    """

    listed_as: dict[bytes, bytes]
    twins: dict[bytes, bytes]
    is_sure: bool


class Aliases:
    """Finds out which names lead to the same entry at a destination, by asking its file system."""

    def __init__(self, destination: Destination, parents: Sequence[int]) -> None:
        self._destination = destination
        self._parents = parents

    def find(
        self, directory: int, missing: Sequence[bytes], listed: Collection[bytes], free: Collection[bytes]
    ) -> Names:
        """Find out which names that a directory does not list lead to entries that it lists under other names.

        directory: its entry. missing: these names. listed: the names that it lists. free: those of them that the
        manifest does not name. Raise OSError if the directory cannot be opened.
        """
        fd = self._destination.directories.open(directory)
        by_key: dict[bytes, list[bytes]] = {}
        found = Names({}, {}, True)
        owners: dict[bytes, bytes] = {}
        absent = []
        for name in missing:
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except OSError:
                absent.append(name)
                continue
            if not by_key:
                for other in listed:
                    by_key.setdefault(folded(other), []).append(other)
            spelled = _spelling(status, by_key.get(folded(name), ()), listed, fd)
            if spelled is None:
                found = found._replace(is_sure=False)
            elif spelled not in owners and (spelled in free or name < spelled):
                owners[spelled] = name
                found.listed_as[name] = spelled
                if spelled not in free:
                    found.twins[spelled] = name
            else:
                found.twins[name] = owners.get(spelled, spelled)
        found.twins.update(self.twins(directory, absent))
        return found

    def twins(self, directory: int, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Map each absent name that would collide with an earlier absent name to that earlier name."""
        groups: dict[bytes, list[bytes]] = {}
        if not self._destination.is_dry_run and len(set(map(folded, names))) < len(names):
            for name in names:
                groups.setdefault(folded(name), []).append(name)
        found: dict[bytes, bytes] = {}
        for group in groups.values():
            if len(group) > 1:
                with suppress(OSError):  # assume that the names are distinct
                    found.update(self._try(directory, group))
        return found

    def _try(self, directory: int, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Create all names in an empty scratch directory, which treats names like its parent, and map collisions."""
        found: dict[bytes, bytes] = {}
        while not self._destination.has_directory(directory):
            directory = self._parents[directory]
        with self._destination.directories.scratch(directory) as fd:
            made: list[bytes] = []
            try:
                for name in names:
                    try:
                        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=fd))
                        made.append(name)
                    except FileExistsError:
                        found[name] = made[0]
            finally:
                for name in made:
                    os.unlink(name, dir_fd=fd)
        return found


def folded(name: bytes) -> bytes:
    """Return a key shared by all names that some file system might treat as equal; distinct names may share it, too."""
    if not name.isascii():
        with suppress(UnicodeDecodeError):
            text = unicodedata.normalize("NFKD", name.decode())
            name = unicodedata.normalize("NFKD", text.casefold()).encode()
    return name.lower().rstrip(b" .")


def _spelling(status: os.stat_result, likely: Collection[bytes], listed: Collection[bytes], fd: int) -> bytes | None:
    """Return the listed name of the entry with this status, or None.

    Some file systems report a different inode number for each spelling, so for likely names equal mode, size
    and mtime suffice.
    """
    for name in likely:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        looks = [(each.st_mode, each.st_size, each.st_mtime_ns) for each in (status, found)]
        if os.path.samestat(status, found) or looks[0] == looks[1]:
            return name
    for name in listed:
        with suppress(OSError):
            if os.path.samestat(status, os.stat(name, dir_fd=fd, follow_symlinks=False)):
                return name
    return None
