"""What a launcher is: it starts one catcher per target, carries lines, and says how each one ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from mrsync.escaping import escape_controls

WORD_S = 1.0


class LineWritten(NamedTuple):
    """A catcher wrote a line on stdout or stderr, here without its newline: readiness (JSON) or log."""

    target: int
    line: bytes

    @property
    def text(self) -> str:
        """The line for people."""
        return escape_controls(self.line)


class CatcherExited(NamedTuple):
    """A catcher is gone, or never was; the reason is a sentence, status 0 a good end."""

    target: int
    status: int
    reason: str


LaunchEvent = LineWritten | CatcherExited


class Launcher(Protocol):
    """Every target gets exactly one CatcherExited, after its last line."""

    def start(self, parameters: bytes, own: Sequence[bytes] = ()) -> None:
        """Start a catcher for every target with this line on its stdin, which stays open; returns without waiting.

        own: one more line for each target, which no other one gets. Raises StartError if nothing can be started at all.
        """

    def fileno(self) -> int:
        """Selectable: readable when take_events has something."""

    def take_events(self) -> list[LaunchEvent]:
        """What happened since the last call; never waits.

        Call it every second, too: some waits for an answer are over without a word.
        """

    def stop(self, wait_s: float, on_wait: Callable[[list[int]], None] = lambda targets: None) -> None:
        """Close every stdin, which tells catchers to clean up and exit; kill those still there after wait_s seconds.

        on_wait: told after WORD_S who is still there, so that nobody wonders.
        """
