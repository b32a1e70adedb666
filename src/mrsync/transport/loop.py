"""The loop under both drivers: sockets, other descriptors, the worker and the clock."""

from __future__ import annotations

import selectors
import time
from typing import Any, Callable, TypeVar

from mrsync.transport.worker import Worker

T = TypeVar("T")


class Loop:
    """Waits for descriptors, calls what was asked for; everything but jobs runs in one thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._worker = Worker()
        self._selector.register(self._worker, selectors.EVENT_READ, self._worker.collect)

    @staticmethod
    def now() -> float:
        """The seconds that cores are told."""
        return time.monotonic()

    def watch(self, readable: Any, callback: Callable[[], None]) -> None:
        """Call back whenever this descriptor (or what has a fileno) is readable, its end of file included."""
        self._selector.register(readable, selectors.EVENT_READ, callback)

    def unwatch(self, readable: Any) -> None:
        self._selector.unregister(readable)

    def wait_writable(self, watched: Any, is_wanted: bool) -> None:
        """Call back also when this watched descriptor is writable, or not any more."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if is_wanted else 0)
        self._selector.modify(watched, events, self._selector.get_key(watched).data)

    def work(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run job() in the worker's thread, behind what is queued there; then done(its result) in the loop's thread."""
        self._worker.submit(job, done)

    def post(self, callback: Callable[[], None]) -> None:
        """From any thread: call back in the loop's thread."""
        self._worker.post(callback)

    def wait(self, seconds: float | None) -> None:
        """Wait that long (None: for ever) for any descriptor, and call back for those that are ready.

        Raises what a callback or a job raised.
        """
        for key, _ in self._selector.select(seconds):
            key.data()

    def close(self) -> None:
        """End the worker, after what is queued there."""
        self._worker.close()
        self._selector.close()
