"""How a cast ended: everything that the report contains, and the exit status."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from mrsync.errors import ExitStatus
from mrsync.protocol.core.histogram import Histogram
from mrsync.run.cast.ledger import Line
from mrsync.tuples import NamedTuple


class TargetState(Enum):
    """How the run ended for one target."""

    DONE = "done"  # equal to the source
    PARTIAL = "partial"  # some entries are not equal
    LOST = "lost"  # joined, but stopped responding or failed
    UNREACHABLE = "unreachable"  # never joined
    REFUSED = "refused"  # tried to join, but was not compatible


INTERRUPTED = "interrupted"  # in the words for people: a run that is interrupted has lost nobody


def end_of(state: TargetState, reason: str | None, *, is_interrupted: bool) -> str:
    """Return how the run ended for a target in words. The reason of an interrupted one says so itself."""
    if reason is None:
        return state.value
    return reason if is_interrupted else f"{state.value}, {reason}"


MULTICAST, UNICAST, RELAY = "multicast", "unicast", "relay"


class SatOut(NamedTuple):
    """A file that is not equal on a target."""

    path: bytes
    error: str  # name of an errno, such as ENOSPC
    message: str


class TargetOutcome(NamedTuple):
    """The outcome for one target.

    files_needed, bytes_needed and changes come from the comparison, also in a dry run.
    """

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
    seconds: float = 0.0  # from the start until this target's end
    sat_out: tuple[SatOut, ...] = ()
    files_needed: int = 0
    bytes_needed: int = 0
    changes: int = 0
    path_reason: str | None = None  # why it was served by unicast
    deletions_skipped: int = 0  # number of deletions beyond --max-delete; in a dry run, of those to be refused
    changes_untold: int = 0  # number of changes that did not fit into its log
    parent: str | None = None  # the target that passed pages on to it, at last
    pages_passed_on: int = 0
    packets_passed_again: int = 0
    pages_waiting_max: int = 0  # the most that waited at it to be passed on
    packets_rejected: int = 0  # packets it received that were not authentic or not of this session
    pages_rejected: int = 0  # pages it received whose seal or digest was wrong
    is_interrupted: bool = False  # the run was interrupted before it was over for this target
    sat_out_untold: int = 0  # number of files beyond those that sat_out names

    @property
    def word(self) -> str:
        """The state for people."""
        return INTERRUPTED if self.is_interrupted else self.state.value


class Seconds(NamedTuple):
    """Wall time by phase. `total` includes time that belongs to no phase."""

    total: float = 0.0
    launch: float = 0.0
    gather: float = 0.0
    manifest: float = 0.0
    compare: float = 0.0
    cast: float = 0.0
    commit: float = 0.0


_SERVED = (TargetState.DONE, TargetState.PARTIAL, TargetState.LOST)


class About(NamedTuple):
    """Facts about an entry of the source. size: bytes; of a link, of its target. seconds: time of last change."""

    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    seconds: float = 0.0


class Outcome(NamedTuple):
    """The outcome of a whole run. `docs/cli.md` describes the fields as they are in the JSON report."""

    session: int
    source: bytes
    dest: bytes
    targets: tuple[TargetOutcome, ...]
    seconds: Seconds = Seconds()
    is_dry_run: bool = False
    guards_deletions: bool = False  # targets refuse to delete most of what they have
    entries: int = 0
    kinds: tuple[tuple[str, int], ...] = ()  # number of entries by kind, in rsync's words
    bytes_total: int = 0  # of all files and targets of links in the source
    files_planned: int = 0
    bytes_planned: int = 0
    pages: int = 0
    pages_sent: int = 0
    bytes_sent: int = 0
    bytes_unicast: int = 0  # part of bytes_sent: sent to single targets instead of the group
    bytes_repaired: int = 0  # part of bytes_sent
    bytes_saved: int = 0  # by compression, of what would have been sent once
    packets_sent: int = 0
    packets_repaired: int = 0  # part of packets_sent
    packets_coded: int = 0  # part of packets_repaired
    round_trips: Histogram = Histogram()  # from a burst to the report that covers it
    warnings: tuple[str, ...] = ()
    source_errors: int = 0  # number of entries that could not be read
    source_changes: int = 0  # number of entries that vanished or changed while they were read
    changes: Iterable[Line] = ()  # itemized changes; an iterator that can be read once
    about: Callable[[bytes], About] = lambda path: About()  # what the source has at the path of a change
    datagrams_rejected: int = 0  # datagrams the master received that were not authentic or not of this session
    veto: str = ""  # with `--commit job`: why nothing was changed on any target
    ends_shown: frozenset[str] = frozenset()  # targets whose end and its reason the user has already seen
    failure: str = ""  # why the run ended early, as a sentence; empty if it did not
    failure_status: ExitStatus = ExitStatus.OK  # exit status for `failure`
    has_begun: bool = True  # False: the run failed before there was a session

    @classmethod
    def failed(
        cls, session: int, source: bytes, dest: bytes, hosts: Iterable[str], *, failure: str, status: ExitStatus
    ) -> Outcome:
        """Return the outcome of a run that could not start, with these hosts as targets. failure: why, a sentence."""
        targets = tuple(TargetOutcome(host, TargetState.UNREACHABLE, failure) for host in hosts)
        return cls(
            session, source, dest, targets, failure=failure, failure_status=status or ExitStatus.USAGE, has_begun=False
        )

    def __str__(self) -> str:
        """For `print`: how many targets are complete, the exit status, and what is wrong, a line each."""
        complete = f"{self.count(TargetState.DONE)}/{len(self.targets)} complete, exit status {int(self.exit_status)}"
        reasons = (f"{target.host}: {target.state.value}: {target.reason}" for target in self.incomplete)
        return "\n".join([complete, *filter(None, (self.failure, self.veto)), *reasons])

    @property
    def contents_sent(self) -> int:
        """Bytes of contents that were sent at least once. The others came with an earlier run or are not needed."""
        if not self.pages:
            return self.bytes_planned
        return self.bytes_planned * min(self.pages_sent, self.pages) // self.pages

    @property
    def exit_status(self) -> ExitStatus:
        """OK only if every target is equal to the source; see docs/cli.md."""
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
    def incomplete(self) -> tuple[TargetOutcome, ...]:
        """The targets that are not equal to the source, each with its reason."""
        return tuple(target for target in self.targets if target.state is not TargetState.DONE)

    @property
    def copies(self) -> int:
        """How often the contents were sent: once if any target got multicast, and once per unicast target."""
        paths = [target.path for target in self.targets if target.state in _SERVED]
        return int(MULTICAST in paths) + paths.count(UNICAST)

    def count(self, state: TargetState) -> int:
        """Return the number of targets in this state."""
        return sum(target.state is state for target in self.targets)
