"""The pages of all objects: manifest and plans from memory, contents from the source's files.

Files may change while they are cast. No target may put a mixture of two states in place. So a changed file is reported
to the caster before the page that shows the change leaves the master. `read` checks the status of each file whose end
the page contains, and returns the page only then. A file of which nothing is read in this session, because it is empty
or all targets hold it, is looked at as well, but at most LOOKS_PER_PAGE of these with each page: there may be millions,
and the master is silent meanwhile. If such a file is looked at too late or never, targets get it as it was scanned.
Files before the first byte are looked at in the worker (`check_empty`).

files_read counts the files that were checked. With `--commit each`, a target puts a file in place as soon as it has it,
but only below files_read; with the other rules all targets must have the file first, and by then it was checked.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from mrsync.ranges import RangeSet
from mrsync.tree.delta.blocks import digest_blocks, encode_blocks
from mrsync.tree.model.failure import Fault
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.manifest import REGULAR
from mrsync.tree.model.plan import Plan
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.prefix import Prefix
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.scanner import Scan
from mrsync.tree.source.selection import Selection
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import CONTENTS_KINDS, ObjectKind

LOOKS_PER_PAGE = 32  # at files of which nothing was read: 16 ms on a slow network file system

OnChanged = Callable[[int, Fault], None]


class SecondPlan(NamedTuple):
    """The second round.

    files: plan files that are cast again. refused: why others are not. Both use first-round numbers. skipped, lost:
    names, by entry, of which no plan file tells: those of files that are not cast again, and of files that are.
    """

    plan_bytes: int
    contents_bytes: int
    file_count: int
    files: list[int]
    refused: dict[int, Fault]
    skipped: dict[int, Fault] = {}  # noqa: RUF012
    lost: dict[int, Fault] = {}  # noqa: RUF012


class Objects:
    """The pages of a session's objects. Plan files of the second round are numbered after those of the first.

    geometry: returns how objects are cut into pages; fixed when targets are gathered. on_changed: called with each plan
    file that is no longer as it was scanned, and why. on_outgrown: called with each file that is cast with its size at
    the second look, but has grown since. before_contents: called before each page of contents is read. on_read: called
    with files_read after each page, before it is sent.
    """

    def __init__(
        self,
        scan: Scan,
        selection: Selection,
        geometry: Callable[[], Geometry],
        on_changed: OnChanged,
        on_outgrown: Callable[[int], None] = lambda file: None,
        *,
        before_contents: Callable[[], None] = lambda: None,
        on_read: Callable[[int], None] = lambda files_read: None,
    ) -> None:
        self.manifest = scan.manifest.encode()
        self.scan = scan
        self._selection = selection
        self._geometry = geometry
        self._on_changed = on_changed
        self._on_outgrown = on_outgrown
        self._before_contents = before_contents
        self._on_read = on_read
        self._rounds: list[_Round] = []
        self._others = array("I", (i for i, mode in enumerate(scan.manifest.modes) if mode >> KIND_SHIFT != REGULAR))

    @property
    def plan(self) -> Plan | None:
        """The plan of the first round, or None before it is made."""
        return self._rounds[0].plan if self._rounds else None

    @property
    def files_read(self) -> int:
        """Number of plan files, from the first on, that were read to the end and checked for changes."""
        return sum(each.files_read for each in self._rounds)

    def are_files(self, first: int, end: int) -> bool:
        """Return whether all these entries [first, end) exist and are regular files: targets may need no others."""
        is_inside = end <= len(self.scan.manifest.modes)
        return is_inside and bisect_left(self._others, first) == bisect_left(self._others, end)

    def make_plan(
        self,
        needs: RangeSet,
        basis: Iterable[tuple[int, int]] = (),
        key: bytes = b"",
        on_activity: Callable[[int], None] = lambda count: None,
    ) -> tuple[int, int, int]:
        """Plan the union of needs. Return bytes of the plan, bytes of the contents, and number of files.

        basis: ranges of entries to read first for digests of their blocks. key: of these digests. on_activity: called
        now and then while they are read. Takes time that grows with the files, so call it in the worker.
        """
        plan = build_plan(self.scan, needs)
        self.scan.forget_identities()
        first = _Round(self.scan, plan, 0, self._on_changed, self._on_outgrown)
        files = [plan.file_of(entry) for begin, end in basis for entry in range(begin, end)]
        files = [file for file in files if file >= 0]
        if files:
            plan.blocks = first.digest(files, self._geometry().page_bytes, key, on_activity)
        first.plan_bytes = plan.encode()
        self._rounds = [first]
        return len(first.plan_bytes), plan.contents_bytes, plan.file_count

    def check_empty(self, on_activity: Callable[[int], None]) -> None:
        """Check the files before the first byte of the contents. There may be very many, so call it in the worker."""
        self._rounds[-1].check_empty(on_activity)

    def plan_again(self, files: Sequence[int], on_activity: Callable[[], None] = lambda: None) -> SecondPlan:
        """Look at changed files again, and plan to cast those once more that still can be."""
        from mrsync.tree.model.manifest_patch import encode_again  # rarely needed
        from mrsync.tree.source.rescan import rescan

        first = self._rounds[0].plan
        inodes = {first.entries[file]: first.inodes[file] for file in files} if first.inodes else {}
        looked = rescan(self.scan, self._selection, [first.entries[file] for file in files], on_activity, inodes)
        entries = looked.patch.entries
        # Other hard links to such a file may have been planned as well, for targets that lack them.
        plan = build_plan(looked.scan, [(entry, entry + 1) for entry in entries if first.file_of(entry) >= 0])
        second = _Round(
            looked.scan, plan, first.file_count, self._on_changed, self._on_outgrown, prefixes=looked.prefixes
        )
        second.plan_bytes = encode_again(looked.patch, plan)
        self._rounds.append(second)
        refused = {file: looked.refused[first.entries[file]] for file in files if first.entries[file] in looked.refused}
        again = [file for file in files if file not in refused]
        told = {first.entries[file] for file in files}
        skipped = {entry: fault for entry, fault in looked.refused.items() if entry not in told}
        sizes = len(second.plan_bytes), plan.contents_bytes, plan.file_count
        return SecondPlan(*sizes, again, refused, skipped, looked.lost)

    def pages_of(self, needs: RangeSet) -> list[tuple[int, int]]:
        """Return the ranges of first-round contents pages that contain parts of these manifest entries."""
        return self.plan.pages_of(needs, self._geometry().page_bytes) if self.plan is not None else []

    def entry(self, file: int) -> int:
        """Return the manifest entry of a plan file."""
        each = next(each for each in reversed(self._rounds) if file >= each.first_file)
        return each.plan.entries[file - each.first_file]

    def path(self, file: int) -> bytes:
        """Return the path of a plan file."""
        return self.scan.manifest.path(self.entry(file))

    def count(self, needs: RangeSet, end: int, exceptions: set[int]) -> tuple[int, int]:
        """Return the number of plan files below `end` that are among these needs and no exceptions, and their bytes."""
        files = size = 0
        for each in self._rounds:
            starts, last = each.plan.starts, max(0, min(end - each.first_file, each.plan.file_count))
            spans = [(min(each.plan.first_file(a), last), min(each.plan.first_file(b), last)) for a, b in needs]
            spans += [
                (own + 1, own)
                for file in exceptions
                if 0 <= (own := file - each.first_file) < last and each.plan.entries[own] in needs
            ]
            files += sum(b - a for a, b in spans)
            size += sum(starts[b] - starts[a] for a, b in spans)
        return files, size

    def read(self, object: int, page: int) -> bytes:
        """Return the plaintext of one page. Changes that reading it revealed have been reported before.

        Raise RuntimeError if contents are read before they are planned.
        """
        if object in CONTENTS_KINDS:
            self._before_contents()
        data = self._page(object, page, self._geometry().page_bytes)
        self._on_read(self.files_read)
        return data

    def _page(self, object: int, page: int, size: int) -> bytes:
        if object == ObjectKind.MANIFEST:
            return self.manifest[page * size : (page + 1) * size]
        number = int(object > ObjectKind.CONTENTS)
        if number >= len(self._rounds):
            raise RuntimeError("contents are read before they are planned")
        each = self._rounds[number]
        if object in (ObjectKind.PLAN, ObjectKind.PLAN_AGAIN):
            return each.plan_bytes[page * size : (page + 1) * size]
        return each.read(page * size, size)

    def begin_contents(self, *, is_whole: bool) -> None:
        """Check files before the first page, such as empty ones. Call before any file of this round may be committed.

        is_whole: every page is needed by some target.
        """
        self._rounds[-1].begin(is_whole=is_whole)

    def close(self) -> None:
        for each in self._rounds:
            each.close()


class _Round:
    """A plan with the source files that it names."""

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
        self._source = ContentsReader(scan.roots, scan.manifest, plan, prefixes, scan.mode_changes)
        self._on_changed = on_changed
        self._on_outgrown = on_outgrown
        self._changes_told = 0
        self._outgrown_told: set[int] = set()

    def digest(self, files: list[int], page_bytes: int, key: bytes, on_activity: Callable[[int], None]) -> bytes:
        """Read files to digest their blocks. Return the digests in the encoding of the plan."""
        self._source.check_every_piece()
        return encode_blocks(digest_blocks(self.plan, files, self._source.read, page_bytes, key, on_activity))

    def begin(self, *, is_whole: bool) -> None:
        if not is_whole:
            self._source.check_every_piece()
        self.pass_files(0)

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.plan.contents_bytes)
        data = self._source.read(offset, end - offset)
        self.pass_files(end)
        return data

    def check_empty(self, on_activity: Callable[[int], None]) -> None:
        """Check the status of each file before the first byte. on_activity: called with 1 for each."""
        while self.files_read < self.plan.file_count and not self.plan.end_of(self.files_read):
            self._source.verify(self.files_read)
            self.files_read += 1
            on_activity(1)

    def check_until(self, offset: int) -> None:
        """Check the status of files that end at or before this offset and were not checked yet, up to the limit."""
        looks_left = LOOKS_PER_PAGE
        while self.files_read < self.plan.file_count and self.plan.end_of(self.files_read) <= offset:
            if not self._source.is_settled(self.files_read):
                if not looks_left:
                    return
                looks_left -= 1
                self._source.verify(self.files_read)
            self.files_read += 1

    def pass_files(self, offset: int) -> None:
        """Check the status of each file that ends at or before this offset, and report changed files.

        This happens before the page leaves, so that no target commits a changed file.
        """
        changed = self._source.changed
        self.check_until(offset)
        if len(changed) > self._changes_told:
            for file in list(changed)[self._changes_told :]:
                self._on_changed(self.first_file + file, changed[file])
            self._changes_told = len(changed)
        for file in self._source.outgrown - self._outgrown_told - changed.keys():
            self._on_outgrown(self.first_file + file)
            self._outgrown_told.add(file)

    def close(self) -> None:
        self._source.close()
