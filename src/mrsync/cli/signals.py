"""Signals that end a run in order: they become a request to stop, and the run says what is known by then."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mrsync.errors import Interrupted
from mrsync.run.stop import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_requesting(stop: Stop, leave: Callable[[str], None] | None = None) -> Iterator[None]:
    """Turn the first signal into a request, which Interrupted is where the run does not listen yet, or no longer.

    leave: called by the second one, with the reason; it does not return.
    """

    def request(number: int, _: FrameType | None) -> None:
        reason = f"interrupted by {signal.Signals(number).name}"
        if stop.reason and leave is not None:
            leave(reason)
        if not stop.request(reason):
            raise Interrupted(reason)

    before = {number: signal.signal(number, request) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
