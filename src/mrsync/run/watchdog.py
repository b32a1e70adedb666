"""End a process on a target when its master is gone, whatever its threads do."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import Callable

GRACE_S = 5.0  # to end in order
_LOOK_MS = 500
_OVER = select.POLLHUP | select.POLLERR | select.POLLNVAL | select.POLLRDHUP


class Watchdog:
    """Waits, in a thread of its own, until a descriptor's other end is closed or `begin` is called, and then grace_s.

    If the process still runs by then, some thread hangs: on a disk that does not answer, on a file system of somebody
    else. `end` is called with the exit status, and must not return. It holds locks that others wait for; so it may not
    stay.
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
        """The end has come in another way."""
        self._is_begun = True

    def postpone(self) -> None:
        """Something got done that must not stay half done: the time begins anew."""
        self._deadline = time.monotonic() + self._grace_s

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLRDHUP)  # what is to be read is for the loop
        while not self._is_begun:
            if any(events & _OVER for _, events in poll.poll(_LOOK_MS)):
                break
        self.postpone()
        while (left_s := self._deadline - time.monotonic()) > 0:
            time.sleep(left_s)
        self._end(self._status)
