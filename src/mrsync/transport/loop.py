"""The event loop of both drivers: sockets, other descriptors, the worker, and the clock.

Everything but the worker's jobs runs in one thread, so callbacks need no locks. Other threads only use `post`. The
clock `now` leaves out lapses, such as a stopped process or a suspended host: otherwise every timeout would have
passed when the process continues, and all targets would be lost at once.
"""

from __future__ import annotations

import select
import time
from typing import Any, Callable, TypeVar

from mrsync.protocol.core.attention import Attention
from mrsync.transport.blocking import BlockedTime
from mrsync.transport.worker import Worker

POLL_STEP_S = 0.001
QUICK_S = 0.02  # for which a job may be blocked; a socket buffer has room for what arrives in this time
SLOW_MIN_S, SLOW_MAX_S = 0.5, 10.0  # how long the worker does jobs after one was slow: each time twice as long

T = TypeVar("T")

_MAPPED_BYTES = 31 << 20  # below glibc's DEFAULT_MMAP_THRESHOLD_MAX


class Loop:
    """Wait for descriptors and call back. Everything except jobs runs in one thread."""

    def __init__(self) -> None:
        _keep_freed_memory()
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._slow_until = 0.0
        self._slow_s = SLOW_MIN_S
        self._blocked = BlockedTime()
        self._attention = Attention(time.monotonic())
        self._worker = Worker()
        self.watch(self._worker, self._worker.collect)

    def now(self) -> float:
        """Return the time in seconds for state machines.

        It excludes times in which this process was stopped or blocked.
        """
        return self._attention.now(time.monotonic())

    @property
    def lapsed_s(self) -> float:
        """Total of the excluded times in seconds."""
        return self._attention.lapsed_s

    def watch(self, readable: Any, callback: Callable[[], None]) -> None:
        """Call back whenever a descriptor, or an object with fileno(), is readable or at end of file."""
        self._epoll.register(readable, select.EPOLLIN)
        self._callbacks[_descriptor(readable)] = callback

    def unwatch(self, readable: Any) -> None:
        self._epoll.unregister(readable)
        del self._callbacks[_descriptor(readable)]

    def wait_writable(self, watched: Any, is_wanted: bool) -> None:
        """Also call back when this watched descriptor is writable, or stop doing so."""
        self._epoll.modify(watched, select.EPOLLIN | (select.EPOLLOUT if is_wanted else 0))

    def work(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run job() in the worker's thread after all queued jobs, then done(result) in the loop's thread."""
        self._worker.submit(job, done)

    def work_if_slow(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """Like `work`, but run the job immediately if such jobs are quick and none is queued.

        This saves transferring data between processor caches: 18 of 60 us of CPU per written page. And two threads that
        make many short system calls each wait for Python's lock after nearly every one. A job is slow if it was
        blocked for longer than QUICK_S: on a busy machine it may take longer, but not less in another thread.
        """
        if time.monotonic() < self._slow_until or not self._worker.is_idle:
            self._worker.submit(job, done)
            return
        before = self._blocked.seconds()
        result = job()
        if self._blocked.seconds() - before > QUICK_S:
            self._slow_until = time.monotonic() + self._slow_s
            self._slow_s = min(2 * self._slow_s, SLOW_MAX_S)
        done(result)

    def post(self, callback: Callable[[], None]) -> None:
        """Call back in the loop's thread. Callable from any thread."""
        self._worker.post(callback)

    def wait(self, seconds: float | None) -> None:
        """Wait for at most this time in seconds (None: forever), and call back for all ready descriptors.

        Raise what a callback or a job has raised.
        """
        started = time.monotonic()
        self._attention.now(started)
        if seconds is not None and 0 < seconds < POLL_STEP_S:
            time.sleep(seconds)  # epoll rounds it up to a whole step
            ready = self._epoll.poll(0)
        else:
            ready = self._epoll.poll(seconds)
        self._attention.woke(time.monotonic(), None if seconds is None else started + seconds)
        for descriptor, _ in ready:
            callback = self._callbacks.get(descriptor)
            if callback is not None:  # an earlier callback of this pass may have removed it
                callback()

    @staticmethod
    def nap(seconds: float) -> None:
        """Sleep so that more packets arrive before the next read: a wake-up costs more than a packet."""
        time.sleep(seconds)

    def close(self, patience_s: float | None = None) -> bool:
        """Finish queued jobs and end the worker. Return whether all were finished.

        patience_s: how long to wait for them, in seconds; None: forever.
        """
        has_finished = self._worker.close(patience_s)
        self._blocked.close()
        self._epoll.close()
        return has_finished


def _descriptor(watched: Any) -> int:
    return watched if isinstance(watched, int) else int(watched.fileno())


def _keep_freed_memory() -> None:
    """Let malloc keep the memory of freed pages, which saves 2 of 3 page faults per page (3 us).

    When a large mapped block is freed, glibc's dynamic threshold for trimming the heap becomes twice its size
    (mallopt(3)). The block takes no memory, as nothing touches it: `bytes` leaves the zeros to calloc, which takes
    fresh pages of the kernel as they are, while `bytearray` would write them.
    """
    bytes(_MAPPED_BYTES)
