"""What is known of one target's start: the lines that come from there, and what they mean."""

from __future__ import annotations

from collections import deque

from mrsync.remote.command import MARKER
from mrsync.remote.launcher import CatcherExited, LineWritten
from mrsync.remote.reasons import describe

LINES_KEPT = 30  # a reason is looked for in these


class Contact:
    """One target; it is there once it has written the marker."""

    def __init__(self, target: int, *, program: str, shell: str) -> None:
        self.is_there = False
        self.target = target
        self._program = program
        self._shell = shell
        self._last: deque[str] = deque(maxlen=LINES_KEPT)
        self._verdict = ""

    def hear(self, line: bytes) -> LineWritten | None:
        """Take a line in; None: it was the marker, or empty."""
        line = line.rstrip()
        if not self.is_there and line == MARKER:
            self.is_there = True
            self._last.clear()  # what a login shell says is no reason for what comes later
            return None
        if not line:
            return None
        written = LineWritten(self.target, line)
        self._last.append(written.text)
        return written

    def judge(self, reason: str) -> None:
        """This is why it is about to be ended, whatever it still says."""
        self._verdict = reason

    def exited(self, status: int) -> CatcherExited:
        """The remote shell is gone. A good end is one that comes after a start."""
        if status == 0 and self.is_there and not self._verdict:
            return CatcherExited(self.target, 0, "ended")
        reason = self._verdict or describe(list(self._last), status, program=self._program, shell=self._shell)
        return CatcherExited(self.target, status or 1, reason)
