"""What is deleted at a target because the source lacks it: counted, limited by --max-delete, listed where asked."""

from __future__ import annotations

from collections.abc import Iterator

from mrsync.tree.model.items import deletion_key
from mrsync.tree.model.policy import Policy

LISTED_BYTES_MAX = 1 << 27  # of paths; a log has no room for more


class Deletions:
    """Ask `allows` before anything is deleted, `note` it afterwards.

    count: entries deleted; skipped: those that the limit kept; unlisted: those of which there are too many to tell.
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
        """Whether one more may go; if not, it is skipped."""
        if self._limit < 0 or self.count < self._limit:
            return True
        self.skipped += 1
        return False

    def note(self, directory: int, path: bytes, *, is_directory: bool) -> None:
        """path: below a directory of the manifest."""
        self.count += 1
        self._room -= len(path) if self.is_listing else 0
        if self._room < 0:
            self.unlisted += 1
        elif self.is_listing:
            self._listed.setdefault(directory, []).append(path + b"/" if is_directory else path)

    def listed(self) -> Iterator[tuple[int, bytes]]:
        """(directory, path) in order; a path of a directory ends with a slash, and comes behind what was in it."""
        for directory in sorted(self._listed):
            for path in sorted(self._listed[directory], key=deletion_key):
                yield directory, path
