"""What a cast tells while it runs: notices at once, snapshots when they are asked for."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Notice(NamedTuple):
    """One line for people; level 0 is essential, 1 status, 2 debugging."""

    level: int
    text: str
    host: str | None = None


class TargetProgress(NamedTuple):
    """Where one target stands. parent: the relay that feeds it; empty: the master does."""

    host: str
    state: str  # word of the roster: expected, present, done, lost, refused, unreachable
    bytes_done: int = 0
    packets_lost: int = 0
    kernel_drops: int = 0
    is_monitor: bool = False
    silent_s: float = 0.0  # since it was last heard
    is_unicast: bool = False
    parent: str = ""


class Snapshot(NamedTuple):
    """Where the whole run stands."""

    phase: str
    seconds: float
    bytes_planned: int = 0
    bytes_sent: int = 0  # contents sent once; repairs are counted apart
    bytes_repaired: int = 0
    files_planned: int = 0
    targets: tuple[TargetProgress, ...] = ()


class Observer(Protocol):
    """Whoever watches a cast, which calls on_snapshot whenever time.monotonic() has passed `due_at`, and at its end."""

    @property
    def due_at(self) -> float | None:
        """None: no snapshot wanted."""

    def on_notice(self, notice: Notice) -> None:
        """Something happened that a person may want to know."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Must move `due_at`."""
