"""DeletionLimit: count, limit (--max-delete) and, for itemized output, list deletions on a target."""

from __future__ import annotations

from collections.abc import Iterator

from mrsync.tree.model.items import deletion_key
from mrsync.tree.model.policy import Policy

LISTED_BYTES_MAX = 1 << 27  # of paths, because a log has no room for more


class DeletionLimit:
    """Call `allows` before each deletion and `note` after it.

    count: entries deleted. skipped: entries kept because of the limit. unlisted: entries deleted but not listed,
    because there were too many.
    """

    def __init__(self, policy: Policy) -> None:
        self.count = 0
        self.skipped = 0
        self._limit = policy.max_delete
        self.unlisted = 0
        self.is_listing = policy.itemizes
        self._room = LISTED_BYTES_MAX
        self._listed: dict[int, list[bytes]] = {}

    def allows(self) -> bool:
        """Return whether one more entry may be deleted; if not, count it as skipped."""
        if self._limit < 0 or self.count < self._limit:
            return True
        self.skipped += 1
        return False

    def note(self, directory: int, path: bytes, *, is_directory: bool) -> None:
        """Count a deletion. path: below `directory`, an entry of the manifest. is_directory: of what was deleted."""
        self.count += 1
        self._room -= len(path) if self.is_listing else 0
        if self._room < 0:
            self.unlisted += 1
        elif self.is_listing:
            self._listed.setdefault(directory, []).append(path + b"/" if is_directory else path)

    def listed(self) -> Iterator[tuple[int, bytes]]:
        """Yield (directory, path) in order. Paths of directories end with a slash and follow their contents."""
        for directory in sorted(self._listed):
            for path in sorted(self._listed[directory], key=deletion_key):
                yield directory, path
