"""What a comparison finds that a target lacks."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from mrsync.tree.compare.sightings import Sightings
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.items import Items


@dataclass
class Comparison:
    """What a target lacks.

    needs: ranges [a, b) of entries whose contents are needed (regular files; of a hard-link group at most one).
    restaged: those of them that look as if the right contents were here. made: directories, soft links and special
    files to make. linked: hard-link members to link to their leader, which the manifest names when the comparison is
    over. mended: entries of which only attributes differ; sightings: what these were. extras: (directory entry, name)
    to delete. stale: likewise, what earlier sessions left. doomed: paths of a list to delete. obstacles: entries in
    whose place there is a directory. failures: what could not be read here; its entries count as needed.
    items: every change, if the policy asks for it.
    """

    needs: list[tuple[int, int]] = field(default_factory=list)
    files_needed: int = 0
    bytes_needed: int = 0
    made: array[int] = field(default_factory=lambda: array("I"))
    linked: array[int] = field(default_factory=lambda: array("I"))
    mended: array[int] = field(default_factory=lambda: array("I"))
    sightings: Sightings = field(default_factory=Sightings)
    restaged: array[int] = field(default_factory=lambda: array("I"))
    listed: int = 0
    extras: list[tuple[int, bytes]] = field(default_factory=list)
    stale: list[tuple[int, bytes]] = field(default_factory=list)
    doomed: list[bytes] = field(default_factory=list)
    obstacles: array[int] = field(default_factory=lambda: array("I"))
    failures: list[Failure] = field(default_factory=list)
    items: Items | None = None

    @property
    def changes(self) -> int:
        """Return the number of entries to make, link, update or delete without contents."""
        return len(self.made) + len(self.linked) + len(self.mended) + len(self.extras) + len(self.doomed)

    def amend(self, entries: Iterable[int], again: Comparison) -> None:
        """Replace links, metadata updates and items of these files by those of a second comparison."""
        known = set(entries)
        for name in ("linked", "mended"):
            kept = [entry for entry in getattr(self, name) if entry not in known]
            setattr(self, name, array("I", sorted(kept + list(getattr(again, name)))))
        self.sightings.add(again.sightings)
        if self.items is not None and again.items is not None:
            self.items.amend(known, again.items)
