"""A thread for slow work, so that neither disk nor comparison delays the sockets.

Jobs go to the thread by a queue. Results come back by a deque, and a byte in a pipe wakes the loop. One byte is enough
for many results: it is written after a result is in the deque, unless `_is_waking` says that one is there already. The
loop clears `_is_waking` before it empties the deque, so no result is missed.

Signal handlers and timers post at any time, even after `close`. The lock keeps them from writing to a descriptor that
was closed and may be another file by now. It can be taken twice by one thread, because a signal may arrive while it is
held.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from functools import partial
from queue import SimpleQueue
from typing import Any, Callable, TypeVar

T = TypeVar("T")


class Worker:
    """Run jobs one after another in a thread. Results are passed on in the thread that calls `collect`.

    The queue is unbounded. The window and the sequence of phases limit what is submitted.
    """

    def __init__(self, name: str = "worker") -> None:
        self._uncollected = 0
        self._jobs: SimpleQueue[Callable[[], Callable[[], None]] | None] = SimpleQueue()
        self._finished: deque[Callable[[], None]] = deque()
        self._readable, self._writable = os.pipe()
        self._is_open = True
        self._is_waking = False
        self._pipe_lock = threading.RLock()
        os.set_blocking(self._readable, False)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is something to collect."""
        return self._readable

    def submit(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run job() in the worker's thread, then done(result) in the thread that collects."""
        self._uncollected += 1
        self._jobs.put(partial(_run, job, done))

    @property
    def is_idle(self) -> bool:
        """Whether all jobs are finished and collected."""
        return self._uncollected == 0

    def post(self, callback: Callable[[], None]) -> None:
        """Call back in the thread that collects. Callable from any thread, and from signal handlers.

        After `close` nothing is called back.
        """
        self._finish(callback)

    def collect(self) -> None:
        """Call `done` of all finished jobs. Raise what a job has raised."""
        try:
            os.read(self._readable, 4096)
        except BlockingIOError:
            return
        self._is_waking = False
        try:
            for _ in range(len(self._finished)):  # not what these post, so that sockets are read in between
                self._finished.popleft()()
        finally:
            if self._finished:  # the others are collected next time
                self._wake()

    def close(self, patience_s: float | None = None) -> bool:
        """Finish the queued jobs and end the thread. Their results are dropped. Return whether all were finished.

        patience_s: how long to wait for them, in seconds; None: forever. A thread that hangs then is left to itself.
        """
        self._jobs.put(None)
        self._thread.join(patience_s)
        with self._pipe_lock:
            self._is_open = False
            os.close(self._readable)
            os.close(self._writable)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            self._finish(partial(self._hand_back, job()))

    def _hand_back(self, callback: Callable[[], None]) -> None:
        self._uncollected -= 1
        callback()

    def _finish(self, callback: Callable[[], None]) -> None:
        self._finished.append(callback)
        self._wake()

    def _wake(self) -> None:
        with self._pipe_lock:
            if self._is_open and not self._is_waking:
                self._is_waking = True
                os.write(self._writable, b"\0")


def _run(job: Callable[[], Any], done: Callable[[Any], None]) -> Callable[[], None]:
    try:
        return partial(done, job())
    except BaseException as error:  # raised again in the thread that collects
        return partial(_raise, error)


def _raise(error: BaseException) -> None:
    raise error
