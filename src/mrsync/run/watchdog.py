"""End a process on a target after its master is gone, even if some of its threads hang."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import Callable

GRACE_S = 5.0  # for an orderly end
_LOOK_MS = 500
_OVER = select.POLLHUP | select.POLLERR | select.POLLNVAL | select.POLLRDHUP


class Watchdog:
    """A thread that waits until the other end of `fd` is closed or begin() is called, and then grace_s seconds.

    If the process still runs then, some thread hangs, such as on a disk or a network file system that does not
    answer. The process must not stay, because it holds locks that a later run waits for. So `end` is called with the
    exit status; it must not return.
    """

    def __init__(
        self, fd: int, status: int, *, grace_s: float = GRACE_S, end: Callable[[int], object] = os._exit
    ) -> None:
        self._fd = fd
        self._status = status
        self._grace_s = grace_s
        self._end = end
        self._is_begun = False
        self._deadline = 0.0
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def begin(self) -> None:
        """Start the grace period, as if the descriptor had been closed."""
        self._is_begun = True

    def postpone(self) -> None:
        """Restart the grace period, because an operation that must not be interrupted has made progress."""
        self._deadline = time.monotonic() + self._grace_s

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLRDHUP)  # not POLLIN: the loop reads the data
        while not self._is_begun:
            if any(events & _OVER for _, events in poll.poll(_LOOK_MS)):
                break
        self.postpone()
        while (left_s := self._deadline - time.monotonic()) > 0:
            time.sleep(left_s)
        self._end(self._status)
