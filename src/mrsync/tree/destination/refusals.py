"""What a target's file system does not take of attributes: told once for each of them, however many entries it is."""

from __future__ import annotations

from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest

OWNER, GROUP, MODE, TIME = "set the owner", "set the group", "set the mode", "set the time"
XATTRS, ACLS = "set the extended attributes", "set the ACL"
UNREAD = "read the extended attributes"
LINK = "make it a hard link"


class Refusals:
    """Collects what could not be done, by the names above; nothing of it keeps anything else from being done."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._noted: dict[str, tuple[int, set[int]]] = {}

    def note(self, attribute: str, errno: int, entry: int) -> None:
        """This attribute of an entry is not as it should be; the first errno is the one that is told."""
        self._noted.setdefault(attribute, (errno, set()))[1].add(entry)

    def take(self) -> list[Failure]:
        """One failure for each attribute, with the first entry of the manifest; then nothing is noted."""
        noted, self._noted = self._noted, {}
        return [
            Failure(errno, self._manifest.path(min(entries)), attribute, len(entries) - 1)
            for attribute, (errno, entries) in noted.items()
        ]
