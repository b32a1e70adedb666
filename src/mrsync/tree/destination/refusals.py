"""Collect attributes that a target's file system refuses, to be reported once each for any number of entries."""

from __future__ import annotations

from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest

OWNER, GROUP, MODE, TIME = "set the owner", "set the group", "set the mode", "set the time"
XATTRS, ACLS = "set the extended attributes", "set the ACL"
UNREAD = "read the extended attributes"
LINK = "make it a hard link"


class Refusals:
    """The refusals so far, by the attribute names above."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._noted: dict[str, tuple[int, set[int]]] = {}

    def note(self, attribute: str, errno: int, entry: int) -> None:
        """Note that an attribute of an entry could not be set. The first errno of each attribute is reported."""
        self._noted.setdefault(attribute, (errno, set()))[1].add(entry)

    def take(self) -> list[Failure]:
        """Return one failure per attribute, with its first entry, and forget them all."""
        noted, self._noted = self._noted, {}
        return [
            Failure(errno, self._manifest.path(min(entries)), attribute, len(entries) - 1)
            for attribute, (errno, entries) in noted.items()
        ]
