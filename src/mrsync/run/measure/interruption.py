"""Signals that end a measurement early, so that what is known by then is told."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from mrsync.transport.loop import Loop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether a signal came; it wakes the loop."""

    def __init__(self) -> None:
        self.has_come = False

    @contextmanager
    def watched(self, loop: Loop) -> Iterator[None]:
        """Take signals in, and give them back to whoever had them before."""

        def stop(*_: object) -> None:
            self.has_come = True
            loop.post(lambda: None)

        before = {number: signal.signal(number, stop) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
