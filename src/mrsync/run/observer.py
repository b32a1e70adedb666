"""What a run reports while it lasts: notices at once, and snapshots when the observer wants them."""

from __future__ import annotations

from typing import Protocol

from mrsync.tuples import NamedTuple


class Notice(NamedTuple):
    """A line for the user. level: 0 essential, 1 status, 2 debugging. host: the target that it is about, if any."""

    level: int
    text: str
    host: str | None = None


class TargetProgress(NamedTuple):
    """The progress of one target. parent: the relay that feeds it; empty if the master does."""

    host: str
    state: str  # the name of its RosterState in lower case
    bytes_done: int = 0
    packets_lost: int = 0
    kernel_drops: int = 0
    is_monitor: bool = False
    silent_s: float = 0.0  # seconds since its last packet
    is_unicast: bool = False
    parent: str = ""
    pages_waiting: int = 0  # for the target that it feeds


class Snapshot(NamedTuple):
    """The progress of the whole run."""

    phase: str
    seconds: float
    bytes_planned: int = 0
    bytes_sent: int = 0  # contents sent for the first time; repairs are counted separately
    bytes_repaired: int = 0  # part of bytes_traffic
    files_planned: int = 0
    targets: tuple[TargetProgress, ...] = ()
    files_done: int = 0  # planned files that every target has put into place
    entries: int = 0  # of the source
    entries_done: int = 0  # on which every target has worked in this phase
    bytes_traffic: int = 0  # all that was sent on all paths


class Observer(Protocol):
    """Receiver of notices and snapshots.

    A run calls on_snapshot when time.monotonic() passes `due_at`, and at its end.
    """

    @property
    def due_at(self) -> float | None:
        """Time of the next snapshot on the clock of time.monotonic(), or None if none is wanted."""

    def on_notice(self, notice: Notice) -> None:
        """Take a notice."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Take a snapshot and move `due_at`, else it is called again at once."""
