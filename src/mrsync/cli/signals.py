"""Turn signals into a request to stop, so that a run ends in order and reports what it knows.

`run/stop.py` tells the whole way.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mrsync.errors import Interrupted
from mrsync.run.stop import Stop, ending_signals

STUCK_LOOKS = 5  # one a second

Leave = Callable[[str], None]


@contextmanager
def signals_requesting(stop: Stop, leave: Leave | None = None) -> Iterator[None]:
    """Turn the first signal into a request. Raise Interrupted if the run is not listening (yet, or any longer).

    leave: called at the second signal with the reason; it must not return.
    """

    def request(number: int, _: FrameType | None) -> None:
        reason = _reason(number)
        if stop.reason and leave is not None:
            leave(f"{reason} twice")
        if not stop.request(reason):
            raise Interrupted(reason)

    before = {number: signal.signal(number, request) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def unheard_signals(leave: Leave) -> Iterator[Callable[[], None]]:
    """Watch for signals that no handler gets, because the main thread hangs, for example in a read from a dead server.

    Yield a function that starts the watch. Call it once, when nothing forks any more: it starts a thread. leave: called
    there, some seconds after such a signal, with the reason; it must not return.
    """
    over = threading.Event()

    def watch() -> None:
        numbers = ending_signals()
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # here they are pending until the main thread takes them
        looks = 0
        while not over.wait(1.0):  # looks are counted, because the whole process may stand still
            pending = signal.sigpending().intersection(numbers)
            looks = looks + 1 if pending else 0
            if looks >= STUCK_LOOKS:
                leave(f"{_reason(pending.pop())}, and a file system does not answer")

    try:
        yield threading.Thread(target=watch, name="signals", daemon=True).start
    finally:
        over.set()


def _reason(number: int) -> str:
    return f"interrupted by {signal.Signals(number).name}"
