"""The interface of launchers: start one catcher per target, pass on its output, and report how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mrsync.escaping import escape_controls
from mrsync.tuples import NamedTuple

REPLY_S = 1.0  # for a catcher to write its last line after it was asked to end
TEXT_BYTES_MAX = 8192  # of a line: enough for a sentence with the longest path, and no flood


class LineWritten(NamedTuple):
    """A line that a catcher wrote to stdout or stderr, without its newline: its readiness as JSON, or a log message."""

    target: int
    line: bytes

    @property
    def text(self) -> str:
        """The line with control characters escaped, safe to print. Its end is left out if it is overlong."""
        end = "..." if len(self.line) > TEXT_BYTES_MAX else ""
        return escape_controls(self.line[:TEXT_BYTES_MAX]) + end


class CatcherExited(NamedTuple):
    """A catcher ended or could not be started. status is 0 on success; reason is a sentence."""

    target: int
    status: int
    reason: str


LaunchEvent = LineWritten | CatcherExited
Choice = Callable[[list[int], set[int]], set[int]]  # (running targets, those that talk) -> those to wait for


def wait_for_all(running: list[int], talking: set[int]) -> set[int]:
    """Choose every target that still runs."""
    return set(running)


def talking(events: Sequence[LaunchEvent]) -> set[int]:
    """Return the targets that wrote a line."""
    return {event.target for event in events if isinstance(event, LineWritten)}


class Launcher(Protocol):
    """Start catchers on all targets. Every target gets exactly one CatcherExited, after its last LineWritten."""

    def start(self, parameters: bytes, own: Sequence[bytes] = ()) -> None:
        """Start a catcher for every target without waiting. Raise StartError if no catcher can be started at all.

        parameters: written to the stdin of every catcher; the stdin stays open. own: one more line for each target,
        which no other target gets.
        """

    def fileno(self) -> int:
        """Return a descriptor that is readable when take_events has something to return."""

    def take_events(self) -> list[LaunchEvent]:
        """Return what happened since the last call, without blocking.

        Call it at least once a second, because a timeout does not make the descriptor readable.
        """

    def stop(self, wait_s: float, choose: Choice = wait_for_all) -> None:
        """Close every stdin, which makes catchers clean up and exit. Kill those that still run after wait_s seconds.

        choose: called after REPLY_S seconds with the targets that still run, and those that have written a line since.
        Only those that it returns are waited for; the others are killed at once.
        """
