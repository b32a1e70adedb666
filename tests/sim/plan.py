"""Plan: which files make up the contents of a run's two rounds, and where their pages are."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from mrsync.ranges import RangeSet
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind

CONTENTS = (ObjectKind.CONTENTS, ObjectKind.CONTENTS_AGAIN)


class Plan:
    """Entries of the manifest with their sizes; `fix` chooses those that are cast, `fix_again` those cast once more.

    Plan files are numbered through both rounds; each round has an object of contents, with pages of its own.
    """

    def __init__(self, entry_bytes: tuple[int, ...]) -> None:
        self.entry_count = len(entry_bytes)
        self.files: list[int] = []  # plan file -> entry
        self.first_count = 0  # files of the first round
        self.contents_bytes = dict.fromkeys(CONTENTS, 0)
        self.is_again = False
        self._entry_bytes = entry_bytes
        self._page_bytes = 1  # until it is fixed
        self._starts: dict[ObjectKind, list[int]] = {object: [] for object in CONTENTS}
        self._ends: dict[ObjectKind, list[int]] = {object: [] for object in CONTENTS}

    def are_files(self, first: int, end: int) -> bool:
        """Whether targets may need these entries."""
        return end <= self.entry_count

    def fix(self, entries: Sequence[int], geometry: Geometry) -> None:
        """Plan these entries, back to back."""
        self._page_bytes = geometry.page_bytes
        self._append(ObjectKind.CONTENTS, entries, [self._entry_bytes[entry] for entry in entries])
        self.first_count = len(entries)

    def fix_again(self, entries: Sequence[int], sizes: Sequence[int]) -> None:
        """Plan these once more, with their sizes of now."""
        self.is_again = True
        self._append(ObjectKind.CONTENTS_AGAIN, entries, sizes)

    def _append(self, object: ObjectKind, entries: Sequence[int], sizes: Sequence[int]) -> None:
        self.files += entries
        for size in sizes:
            self._starts[object].append(self.contents_bytes[object])
            self.contents_bytes[object] += size
            self._ends[object].append(self.contents_bytes[object])

    def object_of(self, file: int) -> ObjectKind:
        """The object that holds the contents of this plan file."""
        return ObjectKind.CONTENTS if file < self.first_count else ObjectKind.CONTENTS_AGAIN

    def _base(self, object: ObjectKind) -> int:
        return 0 if object is ObjectKind.CONTENTS else self.first_count

    def pages_of(self, file: int) -> tuple[int, int]:
        """The range of pages that hold something of this plan file; empty for an empty file."""
        object = self.object_of(file)
        at = file - self._base(object)
        start, end = self._starts[object][at], self._ends[object][at]
        first = start // self._page_bytes
        return (first, -(-end // self._page_bytes)) if end > start else (first, first)

    def keys_of(self, file: int) -> list[tuple[int, int]]:
        """The same pages as (object, page)."""
        return [(self.object_of(file), page) for page in range(*self.pages_of(file))]

    def pages_of_entries(self, entries: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """The ranges of pages that hold something of these entries, file by file of the first round."""
        wanted = RangeSet(entries)
        first_round = enumerate(self.files[: self.first_count])
        return [self.pages_of(file) for file, entry in first_round if entry in wanted]

    def files_of(self, object: ObjectKind, page: int) -> list[int]:
        """Plan files that have something on this page of the contents."""
        starts, ends, base = self._starts[object], self._ends[object], self._base(object)
        low = bisect_right(ends, page * self._page_bytes)
        high = bisect_left(starts, (page + 1) * self._page_bytes)
        return [base + at for at in range(low, high) if ends[at] > starts[at]]

    def files_before(self, object: ObjectKind, page: int) -> int:
        """The first plan file that has something on this page or behind it."""
        return self._base(object) + bisect_right(self._ends[object], page * self._page_bytes)

    def files_ending_on(self, object: ObjectKind, page: int) -> list[int]:
        """Plan files whose last page this is."""
        return [file for file in self.files_of(object, page) if self.pages_of(file)[1] == page + 1]
