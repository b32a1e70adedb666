"""Ask a run to end early, from any thread or from a signal handler.

What happens at Ctrl-C, on the master:

1. `cli.signals` turns the signal into `Stop.request`. That calls `_Run._on_stop` in the signal handler, which only
   posts to the loop.
2. In the loop, `Caster.abort` sends every target a FAREWELL and enters the phase ABORTED. The driver ends with it.
3. The session is over. `run.cast.clean_up` waits until the catchers have ended: `Launcher.stop` closes their stdin, and
   kills after 10 s those that still run.
4. The run returns its outcome, and the command reports what is complete, with status 20.

At a second signal, `cli.sync` leaves at once (`_leave`): it writes its reports and calls os._exit in the handler. The
targets then notice the end of their stdin.

If the file system of SOURCE stops answering while pages are read, the main thread hangs in a system call and handles no
signal. A thread of `cli.signals` notices this and leaves in its place, some seconds after the first signal. During the
scan only the worker hangs: the first signal is heard, and `Loop.close` waits for the worker for a few seconds.

On a target, a FAREWELL, the end of stdin or a signal of its own ends the session, whichever comes first:

1. The state machine ends (`Catcher._end`), for the latter two by `Catcher.stop`, which `run.bootstrap` calls. A last
   report tells the caster why.
2. `TreeSession` sets `Activity.is_over`. So the running job raises Stopped at its next report of progress, unless it
   is a commit of `--commit job`, which is completed (`Activity.insist`).
3. `TreeJobs.clean_up` removes what is staged, or leaves what the journal knows to a later run.
4. If a thread hangs, `run.watchdog` ends the process 5 s after the end of stdin.
"""

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
