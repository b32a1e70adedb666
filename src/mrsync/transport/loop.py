"""The loop under both drivers: sockets, other descriptors, the worker and the clock."""

from __future__ import annotations

import select
import time
from typing import Any, Callable, TypeVar

from mrsync.protocol.attention import Attention
from mrsync.transport.worker import Worker

QUICK_S = 0.02  # a socket buffer holds more than comes in meanwhile
SLOW_S = 10.0  # what was slow once is left to the worker for so long

T = TypeVar("T")

_MAPPED_BYTES = 31 << 20  # below DEFAULT_MMAP_THRESHOLD_MAX, untouched and so never really allocated


class Loop:
    """Waits for descriptors, calls what was asked for; everything but jobs runs in one thread."""

    def __init__(self) -> None:
        _keep_freed_memory()
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._slow_until = 0.0
        self._attention = Attention(time.monotonic())
        self._worker = Worker()
        self.watch(self._worker, self._worker.collect)

    def now(self) -> float:
        """The seconds that cores are told: without those in which this process was stopped, or a turn took too long."""
        return self._attention.now(time.monotonic())

    @property
    def lapsed_s(self) -> float:
        """How many seconds that were, in all."""
        return self._attention.lapsed_s

    def watch(self, readable: Any, callback: Callable[[], None]) -> None:
        """Call back whenever this descriptor (or what has a fileno) is readable, its end of file included."""
        self._epoll.register(readable, select.EPOLLIN)
        self._callbacks[_descriptor(readable)] = callback

    def unwatch(self, readable: Any) -> None:
        self._epoll.unregister(readable)
        del self._callbacks[_descriptor(readable)]

    def wait_writable(self, watched: Any, is_wanted: bool) -> None:
        """Call back also when this watched descriptor is writable, or not any more."""
        self._epoll.modify(watched, select.EPOLLIN | (select.EPOLLOUT if is_wanted else 0))

    def work(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run job() in the worker's thread, behind what is queued there; then done(its result) in the loop's thread."""
        self._worker.submit(job, done)

    def work_if_slow(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """As `work`, but do it here and now while such jobs are quick and nothing is queued before it.

        What one processor has just received another one must fetch first: 18 of 60 us CPU per page that is written.
        """
        started = time.monotonic()
        if started < self._slow_until or not self._worker.is_idle:
            self._worker.submit(job, done)
            return
        result = job()
        if time.monotonic() - started > QUICK_S:
            self._slow_until = started + SLOW_S
        done(result)

    def post(self, callback: Callable[[], None]) -> None:
        """From any thread: call back in the loop's thread."""
        self._worker.post(callback)

    def wait(self, seconds: float | None) -> None:
        """Wait that long (None: for ever) for any descriptor, and call back for those that are ready.

        Raises what a callback or a job raised.
        """
        started = time.monotonic()
        self._attention.now(started)
        ready = self._epoll.poll(seconds)
        self._attention.woke(time.monotonic(), None if seconds is None else started + seconds)
        for descriptor, _ in ready:
            callback = self._callbacks.get(descriptor)
            if callback is not None:  # an earlier callback of this turn may have stopped watching it
                callback()

    @staticmethod
    def nap(seconds: float) -> None:
        """Let more come in before looking again: a wake-up costs more than a packet."""
        time.sleep(seconds)

    def close(self) -> None:
        """End the worker, after what is queued there."""
        self._worker.close()
        self._epoll.close()


def _descriptor(watched: Any) -> int:
    return watched if isinstance(watched, int) else int(watched.fileno())


def _keep_freed_memory() -> None:
    """Have malloc keep what pages leave behind instead of faulting it in anew: 2 of 3 page faults per page, 3 us.

    Freeing a large mapped block raises the GNU library's threshold for giving memory back to twice its size.
    """
    bytearray(_MAPPED_BYTES)
