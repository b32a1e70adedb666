"""The roster: what the caster knows of each target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Callable

from mrsync.protocol.core.log import LogReader
from mrsync.protocol.core.plausibility import Plausibility
from mrsync.protocol.core.sends import Address
from mrsync.protocol.core.states import TARGETS, RosterState, TargetTrigger, step
from mrsync.protocol.sending.flow import Audience, Flow
from mrsync.protocol.targets.path import TargetPath
from mrsync.protocol.targets.patience import Waiting
from mrsync.protocol.targets.progress import LifeSigns
from mrsync.ranges import Range, RangeSet, UnionInTurns
from mrsync.wire.messages import Hello, Hop, ObjectKind, Report
from mrsync.wire.records import (
    BasisRecord,
    ComparedRecord,
    ErrorRecord,
    FailedRecord,
    LogRecord,
    NeedsRecord,
    ResultRecord,
    WantsRecord,
)

PagesOf = Callable[[RangeSet], Iterable[Range]]  # manifest entries -> pages of the contents with their data


class Target:
    """One target. Times are seconds of the caller's clock; numbers are those of its last report."""

    state: RosterState = RosterState.EXPECTED
    ended_by: TargetTrigger | None = None
    reason: str = ""
    hint: str = ""  # from the application; appended to the reason if the target never joins
    hello: Hello | None = None  # the last one
    turn: int = 0
    joined_at: float = 0.0
    ended_at: float = 0.0
    report: Report | None = None
    hop: Hop | None = None
    pages_waiting_max: int = 0  # the most that waited here to be passed on
    wants: RangeSet | None = None  # pages of the contents; None: all pages with data that it needs
    compared: ComparedRecord | None = None
    result: ResultRecord | None = None
    failure: FailedRecord | None = None

    def __init__(self, id: int, name: str) -> None:
        self.id = id
        self.name = name
        self.former: frozenset[int] = frozenset()  # instances that were replaced by another process
        self.path = TargetPath()
        self.flow = Flow(id)
        self.progress = LifeSigns()
        self.waiting = Waiting()
        self.log = LogReader()
        self.plausibility = Plausibility()
        self.needs = RangeSet()  # manifest entries
        self.basis = RangeSet()  # manifest entries
        self.sat_out: dict[int, int] = {}  # plan file -> errno
        self.errors: list[ErrorRecord] = []

    @property
    def is_live(self) -> bool:
        return self.state is RosterState.PRESENT

    @property
    def failure_trigger(self) -> TargetTrigger:
        """Trigger for a target that gives up: before it has compared, it counts as refused."""
        return TargetTrigger.REFUSAL if self.compared is None else TargetTrigger.FAILURE

    @property
    def is_ended(self) -> bool:
        return self.state not in (RosterState.EXPECTED, RosterState.PRESENT)

    def frontier(self, object: ObjectKind) -> int:
        """Return the number of pages that the target holds from the beginning of an object."""
        return self.flow.pages_held(object) if self.report else 0

    def awaits(self, contents: ObjectKind) -> bool:
        """Return whether it has the plan of these contents. That counts only if its wants have arrived, too."""
        report = self.report
        return report is not None and report.active is contents and report.log_end <= self.log.offset

    @property
    def ready(self) -> int:
        """Number of plan files that are staged or sat out. It counts only if the sit-outs have arrived, too."""
        if self.report is None or self.report.log_end > self.log.offset:
            return 0
        return self.report.ready

    @property
    def committed(self) -> int:
        return self.report.committed if self.report else 0

    def receive_report(
        self, report: Report, source: Address, now: float, *, tx: int = 0, is_believed: bool = True
    ) -> bool:
        """Take a report that is newer than the last one. Return whether it shows progress.

        tx: the last one that the caster has sent. is_believed: False if the report contains tx numbers that were never
        sent; then it is not an answer.
        """
        self.report = report
        self.path.source = source
        self.flow.receive(report, now, is_believed=is_believed)
        return self.progress.receive(report, tx, now)

    def receive_record(self, record: LogRecord) -> None:
        """Take a record of the log that concerns only this target."""
        if isinstance(record, NeedsRecord):
            self.needs.update(record.ranges)
        elif isinstance(record, BasisRecord):
            self.basis.update(record.ranges)
        elif isinstance(record, WantsRecord):
            self.wants = self.wants or RangeSet()
            self.wants.update(record.ranges)
        elif isinstance(record, ComparedRecord):
            self.compared = record
        elif isinstance(record, ErrorRecord):
            self.errors.append(record)
        elif isinstance(record, ResultRecord):
            self.result = record
        elif isinstance(record, FailedRecord):
            self.failure = record


class Roster:
    """All targets of the session, by id."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._targets = {target: Target(target, name) for target, name in names.items()}
        self._live: list[Target] = []
        self.audience = Audience()

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets.values())

    def __len__(self) -> int:
        return len(self._targets)

    def find(self, target: int) -> Target | None:
        return self._targets.get(target)

    def name_of(self, target: int) -> str:
        """Return a target's name. Raise RuntimeError if there is no such target."""
        found = self._targets.get(target)
        if found is None:
            raise RuntimeError(f"no target {target} is on the roster")
        return found.name

    @property
    def live(self) -> list[Target]:
        """Targets that take part now. The list is replaced by a new one when it changes."""
        return self._live

    @property
    def expected(self) -> list[Target]:
        """Targets that have not joined yet."""
        return [target for target in self if target.state is RosterState.EXPECTED]

    def admit(self, target: Target, hello: Hello, source: Address, now: float) -> None:
        """Let a target take part from now on. hello, source: its first hello, and the address that it came from."""
        target.state = step(TARGETS, target.state, TargetTrigger.HELLO)
        target.hello = hello
        target.path.source = source
        target.joined_at = target.flow.answered_at = now
        target.progress = LifeSigns(now)
        target.turn = len(self._live)
        self._live = [*self._live, target]
        self.count_listeners()

    def renew(self, target: Target) -> Target:
        """Replace a target whose process was restarted before the plan was fixed. Return the new one.

        The session's patience is with the target: it does not begin anew, or processes that replace each other could
        hold the others up for ever.
        """
        former = target.former | {target.hello.instance} if target.hello is not None else target.former
        fresh = self._targets[target.id] = Target(target.id, target.name)
        fresh.former, fresh.waiting = former, target.waiting
        self._leave(target)
        return fresh

    def end(self, target: Target, trigger: TargetTrigger, reason: str, now: float) -> None:
        """Set the final outcome of a target. trigger: decides its state. reason: a sentence for the user.

        Raise RuntimeError if it already has one.
        """
        target.state = step(TARGETS, target.state, trigger)
        target.ended_by, target.reason = trigger, reason
        target.ended_at = now
        self._leave(target)

    def _leave(self, target: Target) -> None:
        self._live = [other for other in self._live if other is not target]
        self.count_listeners()

    @property
    def is_group_heard(self) -> bool:
        """Whether any live target is served by multicast."""
        return any(not target.path.is_unicast for target in self._live)

    def count_listeners(self) -> None:
        """Update the audience. Call it after a target's path has changed."""
        audience = self.audience
        audience.flows = [target.flow for target in self._live if target.path.is_direct]
        audience.copies = max(1, int(self.is_group_heard) + sum(target.path.is_copied for target in self._live))

    @property
    def status_copies(self) -> int:
        """Number of unicast copies of each status."""
        return sum(target.path.is_unicast for target in self._live)

    @property
    def retained_pages(self) -> int:
        """Number of sealed pages that every live target retains for decoding."""
        return min((target.hello.retained_pages for target in self._live if target.hello), default=0)

    def lowest(self, key: Callable[[Target], int]) -> int:
        """Return the smallest value of all live targets, or 0 if there are none."""
        return min(map(key, self._live), default=0)

    def lowest_frontier(self, object: ObjectKind) -> int:
        """Return the number of pages that all live targets hold from the beginning of an object."""
        return self.lowest(lambda target: target.frontier(object))

    def every(self, holds: Callable[[Target], bool]) -> bool:
        """Return whether `holds` is true for every live target, and there is at least one."""
        return bool(self._live) and all(map(holds, self._live))

    def buffers_served(self) -> Iterator[int]:
        """Yield the sizes of the receive buffers of the targets that pages are sent to now, in bytes."""
        for target in self._live:
            if not target.flow.is_shed and target.hello is not None:
                yield target.hello.buffer_bytes

    def all_wants(self, pages_of: PagesOf) -> RangeSet:
        """Return the pages of the contents that some live target wants."""
        silent = UnionInTurns([target.needs for target in self._live if target.wants is None]).whole()
        known = [target.wants for target in self._live if target.wants is not None]
        return UnionInTurns([pages_of(silent), *known]).whole()
