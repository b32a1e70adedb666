"""The three objects that are cast: manifest and plan from memory, contents from the source's files."""

from __future__ import annotations

from collections.abc import Callable

from mrsync.protocol.ranges import RangeSet
from mrsync.tree.plan import Plan
from mrsync.tree.scan import Scan
from mrsync.tree.source import Source
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind


class Objects:
    """Pages of a session's objects by number.

    geometry: tells how pages are cut, once targets are gathered. on_changed: hears of each planned file that is no
    longer what was scanned, and why. files_read: of the plan files below, all that is to be cast was read once, and
    whatever had changed by then was told.
    """

    def __init__(self, scan: Scan, geometry: Callable[[], Geometry], on_changed: Callable[[int, str], None]) -> None:
        self.manifest = scan.manifest.encode()
        self.plan: Plan | None = None
        self.scan = scan
        self.files_read = 0
        self._geometry = geometry
        self._on_changed = on_changed
        self._plan_bytes = b""
        self._source: Source | None = None
        self._changes_told = 0

    def make_plan(self, needs: RangeSet) -> tuple[int, int, int]:
        """Plan the union of needs; (bytes of the plan, bytes of the contents, files)."""
        plan = self.plan = Plan.build(self.scan, needs)
        self._plan_bytes = plan.encode()
        self._source = Source(self.scan.root, self.scan.manifest, plan)
        return len(self._plan_bytes), plan.contents_bytes, plan.file_count

    def pages_of(self, needs: RangeSet) -> list[tuple[int, int]]:
        """Pages of the contents that hold something of these manifest entries."""
        return self.plan.pages_of(needs, self._geometry().page_bytes) if self.plan is not None else []

    def path(self, file: int) -> bytes:
        """The path of a planned file."""
        return self.scan.manifest.path(self.plan.entries[file]) if self.plan is not None else b""

    def read(self, kind: int, page: int) -> bytes:
        """The plain bytes of one page."""
        size = self._geometry().page_bytes
        if kind != ObjectKind.CONTENTS:
            data = self.manifest if kind == ObjectKind.MANIFEST else self._plan_bytes
            return data[page * size : (page + 1) * size]
        if self._source is None or self.plan is None:
            raise RuntimeError("contents are read before they are planned")
        offset = page * size
        end = min(offset + size, self.plan.contents_bytes)
        data = self._source.read(offset, end - offset)
        self._pass_files(end)
        return data

    def begin_contents(self, *, is_whole: bool) -> None:
        """Before anybody may put a file in place: look at those that come before the first page.

        is_whole: all pages are wanted by somebody.
        """
        if self._source is not None and not is_whole:
            self._source.be_wary()
        self._pass_files(0)

    def _pass_files(self, offset: int) -> None:
        """What ends here was read, or has nothing to be read: then its status tells whether it changed.

        All that is known to have changed is told before the page leaves, so that nobody puts it into place.
        """
        if self.plan is None or self._source is None:
            return
        changed = self._source.changed
        while self.files_read < self.plan.file_count and self.plan.end_of(self.files_read) <= offset:
            self._source.verify(self.files_read)
            self.files_read += 1
        if len(changed) > self._changes_told:
            for file in list(changed)[self._changes_told :]:
                self._on_changed(file, changed[file])
            self._changes_told = len(changed)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
