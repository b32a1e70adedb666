"""Turn signals into a request to stop, so that a run ends in order and reports what it knows.

`run/stop.py` tells the whole way.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mrsync.errors import Interrupted
from mrsync.run.stop import Stop, ending_signals


@contextmanager
def signals_requesting(stop: Stop, leave: Callable[[str], None] | None = None) -> Iterator[None]:
    """Turn the first signal into a request. Raise Interrupted if the run is not listening (yet, or any longer).

    leave: called at the second signal with the reason; it must not return.
    """

    def request(number: int, _: FrameType | None) -> None:
        reason = f"interrupted by {signal.Signals(number).name}"
        if stop.reason and leave is not None:
            leave(reason)
        if not stop.request(reason):
            raise Interrupted(reason)

    before = {number: signal.signal(number, request) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
