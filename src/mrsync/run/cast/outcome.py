"""How a cast ended: all that the report says, and the exit status that follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from mrsync.errors import ExitStatus
from mrsync.protocol.histogram import Histogram
from mrsync.run.cast.ledger import Line


class TargetState(Enum):
    """How it ended for one target."""

    DONE = "done"  # equal to the source
    PARTIAL = "partial"  # some file is behind
    LOST = "lost"  # was there, and fell silent or gave up
    UNREACHABLE = "unreachable"  # never came
    REFUSED = "refused"  # came, and could not be taken


MULTICAST, UNICAST, RELAY = "multicast", "unicast", "relay"


class SatOut(NamedTuple):
    """A file that a target does not have as the source has it."""

    path: bytes
    error: str  # the name of an errno: ENOSPC
    message: str


class TargetOutcome(NamedTuple):
    """One target's end; the fields behind `sat_out` tell what a dry run found."""

    host: str
    state: TargetState
    reason: str | None = None
    path: str = MULTICAST
    files_updated: int = 0
    bytes_written: int = 0
    created: int = 0
    mended: int = 0
    deleted: int = 0
    packets_lost: int = 0
    kernel_drops: int = 0
    monitor_seconds: float = 0.0
    seconds: float = 0.0  # until this target had everything
    sat_out: tuple[SatOut, ...] = ()
    files_needed: int = 0
    bytes_needed: int = 0
    changes: int = 0
    path_reason: str | None = None  # why not by multicast
    deletions_skipped: int = 0  # because of --max-delete
    changes_untold: int = 0  # that were too many to itemize
    parent: str | None = None  # the target that passed pages on to it, at last
    pages_passed_on: int = 0
    packets_passed_again: int = 0
    packets_rejected: int = 0  # that came to it, and were not genuine or not of this session


class Seconds(NamedTuple):
    """Wall time by phase; `total` includes what belongs to none."""

    total: float = 0.0
    launch: float = 0.0
    gather: float = 0.0
    manifest: float = 0.0
    compare: float = 0.0
    cast: float = 0.0
    commit: float = 0.0


_SERVED = (TargetState.DONE, TargetState.PARTIAL, TargetState.LOST)


class Outcome(NamedTuple):
    """One whole run; `docs/cli.md` describes the fields as the JSON report has them."""

    session: int
    source: bytes
    dest: bytes
    targets: tuple[TargetOutcome, ...]
    seconds: Seconds = Seconds()
    is_dry_run: bool = False
    entries: int = 0
    files_planned: int = 0
    bytes_planned: int = 0
    pages: int = 0
    pages_sent: int = 0
    bytes_sent: int = 0
    bytes_unicast: int = 0  # of bytes_sent: what went to one target instead of the group
    bytes_repaired: int = 0  # of bytes_sent
    packets_sent: int = 0
    packets_repaired: int = 0  # of packets_sent
    packets_coded: int = 0  # of packets_repaired
    round_trips: Histogram = Histogram()  # from a burst to the report that covers it
    warnings: tuple[str, ...] = ()
    source_errors: int = 0  # what could not be read in the source
    source_changes: int = 0  # what vanished or changed while it was read
    changes: Iterable[Line] = ()  # what is itemized; to be read once
    datagrams_rejected: int = 0  # that came to the master, and were not genuine or not of this session
    veto: str = ""  # why nothing was changed on any target, under the rule `job`
    told: frozenset[str] = frozenset()  # targets whose end was told as it happened, with the reason
    failure: str = ""  # what ended the run, in one sentence; empty: it came to its own end
    failure_status: ExitStatus = ExitStatus.OK  # the exit status for that
    has_begun: bool = True  # False: it failed before there was a session

    @classmethod
    def failed(
        cls, session: int, source: bytes, dest: bytes, hosts: Iterable[str], *, failure: str, status: ExitStatus
    ) -> Outcome:
        """The outcome of a run that could not even begin, for these hosts."""
        targets = tuple(TargetOutcome(host, TargetState.UNREACHABLE, failure) for host in hosts)
        return cls(
            session, source, dest, targets, failure=failure, failure_status=status or ExitStatus.USAGE, has_begun=False
        )

    @property
    def exit_status(self) -> ExitStatus:
        """OK only if every target has all of the source; see docs/cli.md."""
        if self.failure:
            return self.failure_status
        states = {target.state for target in self.targets}
        if states == {TargetState.UNREACHABLE}:
            return ExitStatus.START
        if not states & {TargetState.DONE, TargetState.PARTIAL}:
            return ExitStatus.LOST
        if states != {TargetState.DONE} or self.source_errors:
            return ExitStatus.PARTIAL
        if self.source_changes:
            return ExitStatus.VANISHED
        is_stopped = any(target.deletions_skipped for target in self.targets)
        return ExitStatus.DELETIONS if is_stopped else ExitStatus.OK

    @property
    def copies(self) -> int:
        """How often all contents were sent."""
        paths = [target.path for target in self.targets if target.state in _SERVED]
        return int(MULTICAST in paths) + paths.count(UNICAST)

    def count(self, state: TargetState) -> int:
        """Targets that ended so."""
        return sum(target.state is state for target in self.targets)
