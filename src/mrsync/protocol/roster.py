"""The roster: everything the caster knows of each target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Callable

from mrsync.protocol.log import LogReader
from mrsync.protocol.ranges import RangeSet
from mrsync.protocol.sends import Address
from mrsync.protocol.states import TARGETS, TargetState, TargetTrigger, step
from mrsync.wire.messages import ComparedRecord, ErrorRecord, Hello, ObjectKind, Report, ResultRecord, SealKind


@dataclass
class Target:
    """One target; numbers are those of its latest report."""

    id: int
    name: str
    state: TargetState = TargetState.EXPECTED
    reason: str = ""
    source: Address = None
    hello: Hello | None = None
    report: Report | None = None
    slot: int = 0
    joined_at: float = 0.0
    heard_at: float = 0.0
    progress_at: float = 0.0
    ended_at: float = 0.0
    lag: float = 0.0  # tx behind the caster, smoothed; the largest is the monitor
    monitor_s: float = 0.0
    counter: int = -1
    log: LogReader = field(default_factory=LogReader)
    needs: RangeSet = field(default_factory=RangeSet)
    compared: ComparedRecord | None = None
    sat_out: dict[int, int] = field(default_factory=dict)  # plan file -> errno
    errors: list[ErrorRecord] = field(default_factory=list)
    result: ResultRecord | None = None
    packets_missed: int = 0

    @property
    def is_live(self) -> bool:
        return self.state is TargetState.PRESENT

    @property
    def tx_seen(self) -> int:
        return self.report.tx_seen if self.report else 0

    @property
    def tx_done(self) -> int:
        return self.report.tx_done if self.report else 0

    def frontier(self, kind: ObjectKind) -> int:
        """Pages of this object held from its beginning, as far as this target has said."""
        if self.report is None or self.report.active < kind:
            return 0
        return self.report.frontier if self.report.active == kind else 0xFFFFFFFF

    @property
    def spoken_for(self) -> int:
        """Pages of the active object that its latest claim speaks of."""
        return self.report.needs_end if self.report else 0

    @property
    def ready(self) -> int:
        """Plan files staged or sat out; only believed when the sit-outs are known too."""
        if self.report is None or self.report.log_end > self.log.offset:
            return 0
        return self.report.ready

    @property
    def committed(self) -> int:
        return self.report.committed if self.report else 0

    def turn(self, trigger: TargetTrigger, reason: str, now: float) -> None:
        """Take a step in the target's life; final states keep the reason."""
        self.state = step(TARGETS, self.state, trigger)
        if self.state is not TargetState.PRESENT:
            self.reason = reason
            self.ended_at = now


class Roster:
    """All targets of the session, by id."""

    def __init__(self, names: dict[int, str]) -> None:
        self._targets = {target: Target(target, name) for target, name in names.items()}
        self._live: list[Target] | None = None

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets.values())

    def __len__(self) -> int:
        return len(self._targets)

    def find(self, target: int) -> Target | None:
        return self._targets.get(target)

    @property
    def live(self) -> list[Target]:
        """Targets that are present; do not change the list."""
        if self._live is None:
            self._live = [target for target in self._targets.values() if target.is_live]
        return self._live

    def admit(self, target: Target, hello: Hello, source: Address, now: float) -> None:
        """Put a target on the live list."""
        target.turn(TargetTrigger.HELLO, "", now)
        target.hello = hello
        target.source = source
        target.joined_at = target.heard_at = target.progress_at = now
        target.reason = ""
        self._live = None
        target.slot = len(self.live) - 1

    def renew(self, target: Target) -> Target:
        """A fresh record in place of a target whose process was started again before the plan was fixed."""
        fresh = Target(target.id, target.name)
        self._targets[target.id] = fresh
        self._live = None
        return fresh

    def end(self, target: Target, trigger: TargetTrigger, reason: str, now: float) -> None:
        """Take a target off the live list, for good."""
        target.turn(trigger, reason, now)
        self._live = None

    def expected(self) -> list[Target]:
        """Targets not heard of yet."""
        return [target for target in self if target.state is TargetState.EXPECTED]

    def count(self, state: TargetState) -> int:
        return sum(target.state is state for target in self)

    def lowest(self, key: Callable[[Target], int]) -> int:
        """Smallest value over the live targets; 0 when there is none."""
        return min(map(key, self.live), default=0)

    def every(self, claim: Callable[[Target], bool]) -> bool:
        """Whether the claim holds for every live target, and there is one."""
        live = self.live
        return bool(live) and all(map(claim, live))

    def common_seals(self) -> int:
        """Bit set (1 << SealKind) of what every live target can open."""
        seals = (1 << SealKind.AES_256_GCM) | (1 << SealKind.HMAC_SHA256)
        for target in self.live:
            seals &= target.hello.seals if target.hello else 0
        return seals
