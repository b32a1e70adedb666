"""Runs against one destination that break: what they leave, and what the next one takes up."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from mrsync.ranges import Range
from mrsync.tree.compare.compare import compare
from mrsync.tree.compare.result import Comparison
from mrsync.tree.delta.basis import find_basis
from mrsync.tree.delta.blocks import decode_blocks, digest_blocks, encode_blocks
from mrsync.tree.delta.copy import Delta
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.scan import scan
from mrsync.tree.source.scanner import Scan
from mrsync.tree.staging.commit import Commit
from mrsync.tree.staging.finish import Result, finish
from mrsync.tree.staging.homes import StagingArea
from mrsync.tree.staging.resume import StaleFiles, missing_pages
from mrsync.tree.staging.stage import Stage
from mrsync.tree.staging.staged_files import WHOLE

PAGE = 1000
KEY = b"of a session"


class Session:
    """One target's session up to a point of the test's choice; pages are of PAGE bytes."""

    def __init__(
        self,
        source: Path,
        dest: Path,
        *,
        policy: Policy = Policy(),  # noqa: B008
        between: Callable[[], object] = lambda: None,
        tag: str = "",
    ) -> None:
        self.between = between  # is called before old copies are looked at
        self.scan: Scan = scan(os.fsencode(source), policy)
        self.manifest = Manifest.decode(self.scan.manifest.encode())
        self.destination = Destination(os.fsencode(dest))
        self.comparison: Comparison = compare(self.manifest, self.destination)
        self.area = StagingArea(self.destination, policy.temp_dir, "") if policy.temp_dir else None
        if self.area is not None:
            self.destination.directories.temp_dir_fd = self.area.fd
            self.comparison.stale += self.area.leftovers()
        planned = build_plan(self.scan, self.comparison.needs)
        self.contents = ContentsReader(os.fsencode(source), self.scan.manifest, planned)
        directories = self.destination.directories
        basis = find_basis(self.manifest, directories, self.comparison.needs) if policy.delta else []
        basis += [(entry, entry + 1) for entry in self.comparison.restaged]
        files = [planned.file_of(entry) for first, end in basis for entry in range(first, end)]
        if files:
            planned.blocks = encode_blocks(digest_blocks(planned, files, self.contents.read, PAGE, KEY))
        self.plan = Plan.decode(planned.encode(), self.manifest)
        self.stage = Stage(
            self.destination, self.manifest, self.plan, self.comparison.needs, tag or secrets.token_hex(8)
        )
        self.stage.start_journal()
        leftovers = StaleFiles(self.destination, self.manifest, self.comparison.stale)
        self.held = leftovers.adopt(self.stage)
        leftovers.remove()
        self.delta = Delta(self.stage, PAGE, KEY, lambda count: None)
        self.between()
        self.delta.fill(decode_blocks(self.plan, PAGE), self.held, frozenset(self.comparison.restaged))
        self.wanted: list[Range] = missing_pages(self.stage, self.comparison.needs, self.held, PAGE)
        self._advance()

    @property
    def pages(self) -> list[int]:
        """The pages that are wanted."""
        return [page for first, end in self.wanted for page in range(first, end)]

    def whole_files(self) -> int:
        return self.stage.states.count(WHOLE)

    def cast(self, pages: Sequence[int] | None = None) -> Session:
        """Write these pages, of those that are wanted (None: all of them)."""
        size = self.plan.contents_bytes
        for page in self.pages if pages is None else pages:
            offset = page * PAGE
            self.stage.write_many([(offset, self.contents.read(offset, min(PAGE, size - offset)))])
        self._advance()
        return self

    def break_off(self) -> None:
        """End it in order, but early."""
        self.stage.cleanup()
        self._close()

    def finish(self) -> Result:
        """All is there: commit and finish."""
        assert self.stage.ready == self.plan.file_count
        assert not self.stage.take_sat_out()
        assert not Commit(self.stage).commit(0, self.plan.file_count)
        result = finish(self.stage, self.comparison)
        self._close()
        return result

    def _advance(self) -> None:
        while self.stage.advance():
            pass

    def _close(self) -> None:
        self.contents.close()
        self.destination.close()
        if self.area is not None:
            self.area.close()


def in_a_process_that_is_killed(action: Callable[[], object]) -> None:
    """Do this in another process, which then ends as by kill -9."""
    child = os.fork()
    if not child:
        try:
            action()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
