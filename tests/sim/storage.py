"""Storage: the application of one target: compares, stages, sits out, commits; knows what the target truly has."""

from __future__ import annotations

import random
from collections.abc import Callable

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import CatcherEvent, CommitGranted, FinishGranted, ObjectHeld, Withdrawn
from mrsync.ranges import RangeSet
from mrsync.wire.formats.record_codec import needs_records
from mrsync.wire.messages import ObjectKind
from mrsync.wire.records import ComparedRecord, ErrorRecord, ResultRecord, SatOutRecord
from tests.sim.clock import ProcessClock
from tests.sim.plan import Plan
from tests.sim.scenario import TargetScenario

ENOSPC = 28
COMMIT_S = 0.001
FINISH_S = 0.05
ACTIVITY_S = 0.3


class Storage:
    """Answers a catcher's events as the run layer does; `after` is called when it has told the core something.

    on_held hears which pages of the contents are here already.
    """

    def __init__(
        self, catcher: Catcher, scenario: TargetScenario, plan: Plan, rng: random.Random, clock: ProcessClock
    ) -> None:
        self.needs = RangeSet()
        self.sat_out: set[int] = set()
        self.committed: set[int] = set()
        self.committed_at: dict[int, float] = {}  # plan file -> when
        self.left: dict[int, int] = {}  # plan file needed here -> pages not yet written
        self.held: set[int] = set()  # pages of the contents that were here before
        self.wanted: set[tuple[int, int]] = set()  # (object, page) that were not
        self.again: set[int] = set()  # plan files of the second round that are needed here
        self.is_finished = self.is_withdrawn = False
        self.after: Callable[[], None] = lambda: None
        self.on_held: Callable[[set[int]], None] = lambda pages: None
        self._catcher = catcher
        self._scenario = scenario
        self._plan = plan
        self._rng = rng
        self._clock = clock
        self._ready = 0
        self.understood = 0  # plan files
        for entry in range(plan.entry_count):
            if rng.random() < scenario.need_share:
                self.needs.add(entry, entry + 1)

    def take(self, event: CatcherEvent) -> None:
        """Start what an event asks for."""
        now = self._clock.now
        if isinstance(event, ObjectHeld) and event.object is ObjectKind.MANIFEST:
            self._compare(now + self._scenario.compare_s)
        elif isinstance(event, ObjectHeld) and event.object is ObjectKind.PLAN:
            self._clock.plan(now + COMMIT_S, self._understand)
        elif isinstance(event, ObjectHeld) and event.object is ObjectKind.PLAN_AGAIN:
            self._clock.plan(now + COMMIT_S, self._understand_again)
        elif isinstance(event, CommitGranted):
            self._clock.plan(now + COMMIT_S, self._commit, event)
        elif isinstance(event, FinishGranted):
            self._clock.plan(now + FINISH_S, self._finish)
        elif isinstance(event, Withdrawn):
            self.is_withdrawn = True
            self._clock.plan(now + FINISH_S, self._finish)

    def _compare(self, end_s: float) -> None:
        now = self._clock.now
        if now < end_s:
            self._catcher.set_progress(now, activity=1)
            self._clock.plan(min(end_s, now + ACTIVITY_S), self._compare, end_s)
        else:
            for record in needs_records(0, self._plan.entry_count, self.needs):
                self._catcher.log(record, now)
            self._catcher.log(ComparedRecord(self.needs.count(), 0, 0), now)
        self.after()

    def _understand(self) -> None:
        """The plan is here: these pages matter."""
        plan = self._plan
        pages = RangeSet(plan.pages_of_entries(self.needs))
        for page in (page for first, end in pages for page in range(first, end)):
            if self._is_held_before(page):
                self.held.add(page)
            else:
                self.wanted.add((ObjectKind.CONTENTS, page))
        self.on_held(self.held)
        self.understood = plan.first_count
        needed = [file for file, entry in enumerate(plan.files) if entry in self.needs]
        self._want(ObjectKind.CONTENTS, needed, is_less=bool(self.held))

    def _understand_again(self) -> None:
        """Who needed a file at first needs it now; of the others some do."""
        plan = self._plan
        self.understood = len(plan.files)
        for file in range(plan.first_count, len(plan.files)):
            if plan.files[file] in self.needs or self._rng.random() < self._scenario.need_share:
                self.again.add(file)
                self.wanted.update(plan.keys_of(file))
        self._want(ObjectKind.CONTENTS_AGAIN, sorted(self.again))

    def _want(self, object: ObjectKind, files: list[int], *, is_less: bool = False) -> None:
        for file in files:
            self.left[file] = len(self.wanted.intersection(self._plan.keys_of(file)))
        pages = RangeSet((page, page + 1) for wanted_object, page in sorted(self.wanted) if wanted_object == object)
        self._catcher.want(object, list(pages), self._clock.now, is_less=is_less)
        self._tell(files)
        self.after()

    def is_needed(self, file: int) -> bool:
        """Whether this plan file is to be replaced here."""
        return file in self.again if file >= self._plan.first_count else self._plan.files[file] in self.needs

    def _is_held_before(self, page: int) -> bool:
        """From a run that broke: what came by then, or here and there a page."""
        share = self._scenario.held_share
        if self._scenario.holds_beginning:
            return page < share * self._plan.pages_of(self._plan.first_count - 1)[1]
        return share > 0 and self._rng.random() < share

    def write(self, object: ObjectKind, pages: list[int]) -> None:
        """Contents pages are on the disk now."""
        touched = [file for page in pages for file in self._plan.files_of(object, page) if file in self.left]
        for file in touched:
            self.left[file] -= 1
        self._tell(touched)

    def _tell(self, touched: list[int]) -> None:
        """Sit out some of the files that become whole now, and say how far everything is staged."""
        now = self._clock.now
        for file in touched:
            if not self.left[file] and file not in self.sat_out and self._rng.random() < self._scenario.sit_out_share:
                self.sat_out.add(file)
                for _ in range(self._rng.choice((0, 0, 3))):  # more than one report can tell
                    self._catcher.log(ErrorRecord(ENOSPC, b"long/" * 100, "write"), now)
                self._catcher.log(SatOutRecord(file, ENOSPC), now)
        while self._ready < self.understood and self.is_staged(self._ready):
            self._ready += 1
        self._catcher.set_progress(now, ready=self._ready)

    def is_staged(self, file: int) -> bool:
        """Whether this plan file is whole here, sat out, or not needed."""
        return not self.left.get(file) or file in self.sat_out

    def _commit(self, event: CommitGranted) -> None:
        voided = RangeSet(event.exceptions)
        for file in range(event.first, event.end):
            if file not in voided and file in self.left and file not in self.sat_out:
                self.committed.add(file)
                self.committed_at[file] = self._clock.now
        if self._rng.random() < 0.1:
            self._catcher.log(ErrorRecord(ENOSPC, b"some/where", "rename"), self._clock.now)
        self._catcher.set_progress(self._clock.now, committed=event.end)
        self.after()

    def _finish(self) -> None:
        self.is_finished = True
        self._catcher.log(ResultRecord(len(self.committed), 0, 0, 0, 0, 0), self._clock.now)
        self.after()
