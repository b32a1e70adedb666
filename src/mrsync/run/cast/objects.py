"""The objects that are cast: manifest and plans from memory, contents from the source's files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from mrsync.protocol.ranges import RangeSet
from mrsync.tree.delta.blocks import digest_blocks, encode_blocks
from mrsync.tree.model.failure import Fault
from mrsync.tree.model.plan import Plan
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.prefix import Prefix
from mrsync.tree.source.reader import Source
from mrsync.tree.source.scanner import Scan
from mrsync.tree.source.selection import Selection
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind

OnChanged = Callable[[int, Fault], None]


class SecondPlan(NamedTuple):
    """What is cast once more: the sizes of its objects, how many files; which changed files are among them, or why not.

    files, refused: numbers of the first round.
    """

    plan_bytes: int
    contents_bytes: int
    file_count: int
    files: list[int]
    refused: dict[int, Fault]


class Objects:
    """Pages of a session's objects by number; plan files of the second round are numbered on from those of the first.

    geometry: tells how pages are cut, once targets are gathered. on_changed: hears of each planned file that is no
    longer what was scanned, and why. on_outgrown: of each that is cast as it was found the second time, but has grown.
    """

    def __init__(
        self,
        scan: Scan,
        selection: Selection,
        geometry: Callable[[], Geometry],
        on_changed: OnChanged,
        on_outgrown: Callable[[int], None] = lambda file: None,
    ) -> None:
        self.manifest = scan.manifest.encode()
        self.scan = scan
        self._selection = selection
        self._geometry = geometry
        self._on_changed = on_changed
        self._on_outgrown = on_outgrown
        self._rounds: list[_Round] = []

    @property
    def plan(self) -> Plan | None:
        """That of the first round, once it is made."""
        return self._rounds[0].plan if self._rounds else None

    @property
    def files_read(self) -> int:
        """Of the plan files below, all that is to be cast was read once, and whatever had changed by then was told."""
        return sum(each.files_read for each in self._rounds)

    def make_plan(
        self,
        needs: RangeSet,
        basis: Iterable[tuple[int, int]] = (),
        key: bytes = b"",
        on_activity: Callable[[int], None] = lambda count: None,
    ) -> tuple[int, int, int]:
        """Plan the union of needs; (bytes of the plan, bytes of the contents, files).

        basis: entries that are read first, for digests of their blocks; key: of these digests.
        """
        plan = build_plan(self.scan, needs)
        first = _Round(self.scan, plan, 0, self._on_changed, self._on_outgrown)
        files = [plan.file_of(entry) for begin, end in basis for entry in range(begin, end)]
        files = [file for file in files if file >= 0]
        if files:
            plan.blocks = first.digest(files, self._geometry().page_bytes, key, on_activity)
        first.plan_bytes = plan.encode()
        self._rounds = [first]
        return len(first.plan_bytes), plan.contents_bytes, plan.file_count

    def plan_again(self, files: Sequence[int], on_activity: Callable[[], None] = lambda: None) -> SecondPlan:
        """Look at these changed files, and plan to cast once more what still can be."""
        from mrsync.tree.model.manifest_patch import encode_again  # few runs have a second round
        from mrsync.tree.source.rescan import rescan

        first = self._rounds[0].plan
        looked = rescan(self.scan, self._selection, [first.entries[file] for file in files], on_activity)
        entries = looked.amendment.entries
        # Other names of such a file may have been planned, too, for targets that use them.
        plan = build_plan(looked.scan, [(entry, entry + 1) for entry in entries if first.file_of(entry) >= 0])
        second = _Round(
            looked.scan, plan, first.file_count, self._on_changed, self._on_outgrown, prefixes=looked.prefixes
        )
        second.plan_bytes = encode_again(looked.amendment, plan)
        self._rounds.append(second)
        refused = {file: looked.refused[first.entries[file]] for file in files if first.entries[file] in looked.refused}
        again = [file for file in files if file not in refused]
        return SecondPlan(len(second.plan_bytes), plan.contents_bytes, plan.file_count, again, refused)

    def pages_of(self, needs: RangeSet) -> list[tuple[int, int]]:
        """Pages of the first round's contents that hold something of these manifest entries."""
        return self.plan.pages_of(needs, self._geometry().page_bytes) if self.plan is not None else []

    def entry(self, file: int) -> int:
        """The manifest entry of a planned file."""
        each = next(each for each in reversed(self._rounds) if file >= each.first_file)
        return each.plan.entries[file - each.first_file]

    def path(self, file: int) -> bytes:
        """The path of a planned file."""
        return self.scan.manifest.path(self.entry(file))

    def read(self, kind: int, page: int) -> bytes:
        """The plain bytes of one page."""
        size = self._geometry().page_bytes
        if kind == ObjectKind.MANIFEST:
            return self.manifest[page * size : (page + 1) * size]
        number = int(kind > ObjectKind.CONTENTS)
        if number >= len(self._rounds):
            raise RuntimeError("contents are read before they are planned")
        each = self._rounds[number]
        if kind in (ObjectKind.PLAN, ObjectKind.PLAN_AGAIN):
            return each.plan_bytes[page * size : (page + 1) * size]
        return each.read(page * size, size)

    def begin_contents(self, *, is_whole: bool) -> None:
        """Before anybody may put a file of this round in place: look at those that come before the first page.

        is_whole: all pages are wanted by somebody.
        """
        self._rounds[-1].begin(is_whole=is_whole)

    def close(self) -> None:
        for each in self._rounds:
            each.close()


class _Round:
    """A plan and the source's files that it names."""

    def __init__(
        self,
        scan: Scan,
        plan: Plan,
        first_file: int,
        on_changed: OnChanged,
        on_outgrown: Callable[[int], None],
        *,
        prefixes: Mapping[int, Prefix] = MappingProxyType({}),
    ) -> None:
        self.plan = plan
        self.plan_bytes = b""
        self.first_file = first_file
        self.files_read = 0
        self._source = Source(scan.roots, scan.manifest, plan, prefixes)
        self._on_changed = on_changed
        self._on_outgrown = on_outgrown
        self._changes_told = 0
        self._outgrown_told: set[int] = set()

    def digest(self, files: list[int], page_bytes: int, key: bytes, on_activity: Callable[[int], None]) -> bytes:
        """Read these files for the digests of their blocks; as they ride in the plan."""
        self._source.be_wary()
        return encode_blocks(digest_blocks(self.plan, files, self._source.read, page_bytes, key, on_activity))

    def begin(self, *, is_whole: bool) -> None:
        if not is_whole:
            self._source.be_wary()
        self.pass_files(0)

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.plan.contents_bytes)
        data = self._source.read(offset, end - offset)
        self.pass_files(end)
        return data

    def pass_files(self, offset: int) -> None:
        """What ends here was read, or has nothing to be read: then its status tells whether it changed.

        All that is known to have changed is told before the page leaves, so that nobody puts it into place.
        """
        changed = self._source.changed
        while self.files_read < self.plan.file_count and self.plan.end_of(self.files_read) <= offset:
            self._source.verify(self.files_read)
            self.files_read += 1
        if len(changed) > self._changes_told:
            for file in list(changed)[self._changes_told :]:
                self._on_changed(self.first_file + file, changed[file])
            self._changes_told = len(changed)
        for file in self._source.outgrown - self._outgrown_told - changed.keys():
            self._on_outgrown(self.first_file + file)
            self._outgrown_told.add(file)

    def close(self) -> None:
        self._source.close()
