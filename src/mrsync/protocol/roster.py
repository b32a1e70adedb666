"""The roster: everything the caster knows of each target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Callable

from mrsync.protocol.log import LogReader
from mrsync.protocol.ranges import Range, RangeSet
from mrsync.protocol.sends import Address
from mrsync.protocol.states import TARGETS, TargetState, TargetTrigger, step
from mrsync.protocol.timers import SLOT_S
from mrsync.wire.limits import PAGES_MAX
from mrsync.wire.messages import (
    BasisRecord,
    ComparedRecord,
    ErrorRecord,
    Hello,
    NeedsRecord,
    ObjectKind,
    Record,
    Report,
    ResultRecord,
    WantsRecord,
)

PagesOf = Callable[[RangeSet], Iterable[Range]]  # manifest entries -> the pages of the contents that hold them

ANSWER_S = 0.3  # a target answers if not longer ago it was heard to hear something new


@dataclass
class Target:
    """One target; times in seconds of the caller's clock, numbers are those of its latest report."""

    id: int
    name: str
    state: TargetState = TargetState.EXPECTED
    reason: str = ""
    source: Address = None  # where its last report came from
    hello: Hello | None = None  # its last one
    hello_at: float = 0.0
    asked_at: Address = None  # where its last hello came from, and
    token: int = 0  # was answered to with this
    verified: Address = None  # an address that its hello repeated the token of
    why_unicast: str = ""  # pages come to `verified`; empty: to the group
    joined_at: float = 0.0
    routed_at: float = 0.0  # when its path changed
    copy_at: float = 0.0  # before that no status goes to it by unicast
    report: Report | None = None
    slot: int = 0
    heard_at: float = 0.0
    answered_at: float = 0.0  # when it was last heard to have heard something new
    progress_at: float = 0.0
    ended_at: float = 0.0
    lag: float = 0.0  # tx behind the caster, smoothed; the largest is the monitor
    monitor_s: float = 0.0
    packets_missed: int = 0
    lost_lately: int = 0  # packets since looked_tx
    looked_tx: int = 0
    loss_share: float = 0.0  # of its packets, when they were looked at last
    log: LogReader = field(default_factory=LogReader)
    needs: RangeSet = field(default_factory=RangeSet)  # manifest entries
    basis: RangeSet = field(default_factory=RangeSet)  # manifest entries
    wants: RangeSet | None = None  # pages of the contents; None: all that hold something of what it needs
    compared: ComparedRecord | None = None
    sat_out: dict[int, int] = field(default_factory=dict)  # plan file -> errno
    errors: list[ErrorRecord] = field(default_factory=list)
    result: ResultRecord | None = None

    @property
    def is_live(self) -> bool:
        return self.state is TargetState.PRESENT

    @property
    def is_ended(self) -> bool:
        return self.state not in (TargetState.EXPECTED, TargetState.PRESENT)

    @property
    def is_unicast(self) -> bool:
        """Whether it is sent by unicast what others hear on the group."""
        return bool(self.why_unicast)

    @property
    def tx_seen(self) -> int:
        return self.report.tx_seen if self.report else 0

    @property
    def tx_done(self) -> int:
        return self.report.tx_done if self.report else 0

    def frontier(self, kind: ObjectKind) -> int:
        """Pages of this object held from its beginning, as far as this target has said."""
        return _of_object(kind, self.report, self.report.frontier) if self.report else 0

    def spoken_for(self, kind: ObjectKind) -> int:
        """Pages of this object, from its beginning, of which this target has said whether it needs them."""
        return _of_object(kind, self.report, self.report.needs_end) if self.report else 0

    def awaits(self, contents: ObjectKind) -> bool:
        """Whether it has understood the plan of these; only believed when what it wants is known too."""
        report = self.report
        return report is not None and report.active is contents and report.log_end <= self.log.offset

    @property
    def ready(self) -> int:
        """Plan files staged or sat out; only believed when the sit-outs are known too."""
        if self.report is None or self.report.log_end > self.log.offset:
            return 0
        return self.report.ready

    @property
    def committed(self) -> int:
        return self.report.committed if self.report else 0

    def receive_report(self, report: Report, source: Address, now: float, *, is_believed: bool = True) -> bool:
        """Take a report that is newer than the one known; True when it shows that something was got done.

        is_believed: False if its tx numbers were invented by somebody; then they show no answer.
        """
        old, self.report = self.report, report
        self.source = source
        self.heard_at = now
        if old is None or (is_believed and report.tx_seen > old.tx_seen):
            self.answered_at = now
        is_progress = old is None or _shows_progress(old, report)
        if is_progress:
            self.progress_at = now
        return is_progress

    def receive_record(self, record: Record) -> None:
        """Take from the log what concerns only this target."""
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


def _shows_progress(old: Report, new: Report) -> bool:
    return (
        new.frontier != old.frontier
        or new.activity != old.activity
        or new.log_end != old.log_end
        or new.log_offset != old.log_offset
        or new.ready != old.ready
        or new.committed != old.committed
        or new.active is not old.active
    )


def _of_object(kind: ObjectKind, report: Report, pages: int) -> int:
    """A number of pages that a report states of its active object; the objects before are all held."""
    if report.active == kind:
        return pages
    return PAGES_MAX if report.active > kind else 0


class Roster:
    """All targets of the session, by id."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._targets = {target: Target(target, name) for target, name in names.items()}
        self._live: list[Target] = []
        self.copies = 1  # how often every page is sent: to the group, and to each who is served by unicast

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets.values())

    def __len__(self) -> int:
        return len(self._targets)

    def find(self, target: int) -> Target | None:
        return self._targets.get(target)

    @property
    def live(self) -> list[Target]:
        """Targets that are present; a new list whenever it changes."""
        return self._live

    @property
    def expected(self) -> list[Target]:
        """Targets not heard of yet."""
        return [target for target in self if target.state is TargetState.EXPECTED]

    @property
    def round_s(self) -> float:
        """Time in which every live target can report once."""
        return len(self._live) * SLOT_S

    def admit(self, target: Target, hello: Hello, source: Address, now: float) -> None:
        """Put a target on the live list."""
        target.state = step(TARGETS, target.state, TargetTrigger.HELLO)
        target.hello = hello
        target.source = source
        target.joined_at = target.heard_at = target.answered_at = target.progress_at = now
        target.slot = len(self._live)
        self._live = [*self._live, target]
        self.count_copies()

    def renew(self, target: Target) -> Target:
        """A fresh record in place of a target whose process was started again before the plan was fixed."""
        fresh = self._targets[target.id] = Target(target.id, target.name)
        self._leave(target)
        return fresh

    def end(self, target: Target, trigger: TargetTrigger, reason: str, now: float) -> None:
        """Note the one and only outcome of a target; RuntimeError if it has one."""
        target.state = step(TARGETS, target.state, trigger)
        target.reason = reason
        target.ended_at = now
        self._leave(target)

    def _leave(self, target: Target) -> None:
        self._live = [other for other in self._live if other is not target]
        self.count_copies()

    @property
    def is_group_heard(self) -> bool:
        """Whether any live target is served by multicast."""
        return any(not target.is_unicast for target in self._live)

    def count_copies(self) -> None:
        """To be called when a target's path has changed."""
        self.copies = max(1, int(self.is_group_heard) + sum(target.is_unicast for target in self._live))

    def is_answering(self, target: Target, now: float) -> bool:
        """Whether it hears and is heard, as far as could be known by now."""
        return now - target.answered_at < ANSWER_S + 2 * self.round_s

    def answering(self, now: float) -> list[Target]:
        """The live targets that answer; all of them if none does."""
        return [target for target in self._live if self.is_answering(target, now)] or self._live

    def lowest(self, key: Callable[[Target], int]) -> int:
        """Smallest value over the live targets; 0 when there is none."""
        return min(map(key, self._live), default=0)

    def lowest_frontier(self, kind: ObjectKind) -> int:
        """Pages of this object that every live target holds from its beginning."""
        return self.lowest(lambda target: target.frontier(kind))

    def every(self, claim: Callable[[Target], bool]) -> bool:
        """Whether the claim holds for every live target, and there is one."""
        return bool(self._live) and all(map(claim, self._live))

    def all_needs(self) -> RangeSet:
        """Manifest entries that some live target needs."""
        return RangeSet(sorted(pair for target in self._live for pair in target.needs))

    def all_basis(self) -> RangeSet:
        """Manifest entries of which some live target has an older copy."""
        return RangeSet(sorted(pair for target in self._live for pair in target.basis))

    def all_wants(self, pages_of: PagesOf) -> RangeSet:
        """Pages of the contents that some live target wants."""
        silent = sorted(pair for target in self._live if target.wants is None for pair in target.needs)
        told = [target.wants for target in self._live if target.wants is not None]
        return RangeSet(sorted(chain(pages_of(RangeSet(silent)), *told)))
