"""Keep the output of one target's remote shell while the catcher starts, and explain how it ended."""

from __future__ import annotations

from collections import deque

from mrsync.remote.command import MARKER
from mrsync.remote.launcher import CatcherExited, LineWritten
from mrsync.remote.reasons import IN_BACKGROUND, describe, own_words

LINES_MAX = 1000  # passed on before the marker, and as many after it: more would fill terminals, logs and memory
LINES_KEPT = 30  # the last lines, which are searched for a reason
TOO_MANY = b"writes more and more lines; the others are left out"


class Contact:
    """The start of one target. has_started becomes true when the catcher writes the marker.

    program, shell: their names, for messages. host: the name of the target. bytecode: what the target's Python reads,
    as it says after the marker.
    """

    def __init__(self, target: int, *, program: str, shell: str, host: str) -> None:
        self.has_started = False
        self.bytecode = b""
        self.target = target
        self._program = program
        self._shell = shell
        self._host = host
        self._suspicion = f" without a word; {IN_BACKGROUND}" if shell == "ssh" else ""
        self._last: deque[LineWritten] = deque(maxlen=LINES_KEPT)
        self._verdict = ""
        self._count = 0

    def receive_line(self, line: bytes) -> LineWritten | None:
        """Take one line of output. Return the event for it, or None for the marker, an empty line, or one too many."""
        line = line.rstrip()
        if not self.has_started and line.startswith(MARKER):
            self.has_started = True
            self.bytecode = line[len(MARKER) :].strip()
            self._count = 0
            self._last.clear()  # output of a login shell does not explain a later failure
            return None
        self._count += 1
        written = LineWritten(self.target, line)
        if line and not (self.has_started and line.startswith(b"{")):  # a message of the catcher, such as its readiness
            self._last.append(written)
        if self._count == LINES_MAX:
            return LineWritten(self.target, TOO_MANY)
        return written if line and self._count < LINES_MAX else None

    @property
    def lines_wanted(self) -> int:
        """The number of lines of output to look at, the last ones; -1: all. The marker may be anywhere."""
        return LINES_KEPT if self.has_started and self.is_overfull else -1

    @property
    def is_overfull(self) -> bool:
        """Whether it has written so many lines that nothing more is passed on."""
        return self._count >= LINES_MAX

    def judge(self, reason: str) -> None:
        """Set the reason for which it is about to be killed. It takes precedence over anything in the output."""
        self._verdict = reason

    def exited(self, status: int) -> CatcherExited:
        """Return the event for the end of the remote shell. Status 0 is a success only if the catcher had started.

        Even then there is a reason, in case it ended too early: rsh does not pass on statuses.
        """
        lines = [line.text for line in self._last]
        if status == 0 and self.has_started and not self._verdict:
            return CatcherExited(self.target, 0, own_words(lines) or f"ended{self._suspicion}")
        reason = self._verdict or describe(lines, status, program=self._program, shell=self._shell, host=self._host)
        return CatcherExited(self.target, status or 1, reason)
