"""Ask a run to end early, from any thread or from a signal handler."""

from __future__ import annotations

import signal
from collections.abc import Callable

from mrsync.errors import ExitStatus

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that ask this process to end: not SIGHUP if it was started to survive that (nohup)."""
    return tuple(n for n in ENDING if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN)


class Stop:
    """A request to end a run.

    reason: why it is to end; empty while there is no request. status: the run's exit status then. Only the first
    request counts.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.status = ExitStatus.INTERRUPTED
        self._on_request: Callable[[], None] | None = None

    def request(self, reason: str, status: ExitStatus = ExitStatus.INTERRUPTED) -> bool:
        """Ask the run to end. Safe in a signal handler. Return whether the run is listening."""
        is_first = not self.reason
        if is_first:
            self.reason, self.status = reason, status
        if is_first and self._on_request is not None:
            self._on_request()
        return self._on_request is not None

    def listen(self, on_request: Callable[[], None] | None) -> None:
        """Call on_request when the end is requested, or at once if it already was. None: stop listening."""
        self._on_request = on_request
        if self.reason and on_request is not None:
            on_request()
