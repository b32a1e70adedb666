"""For how long a thread was blocked: by a disk, a lock, or sleep, but not for lack of a processor.

Wall-clock time does not distinguish a slow disk from a busy machine. On a busy one, a job that never waits for anything
may take ten times as long as its work, and would in any other thread.
"""

from __future__ import annotations

import os
import time

_STATISTICS = "/proc/thread-self/schedstat"  # proc(5): ns on a processor, ns waiting for one, number of time slices
_BYTES = 128


class BlockedTime:
    """The time for which the first thread that asks was blocked. Where Linux does not say, all time counts."""

    def __init__(self) -> None:
        self._fd: int | None = None

    def seconds(self) -> float:
        """Return a number of seconds that grows only while this thread is blocked."""
        return time.monotonic() - self._processor_s()

    def close(self) -> None:
        """Close what is kept open."""
        if self._fd is not None and self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _processor_s(self) -> float:
        """Return for how long this thread has run or waited for a processor, or 0.0 if that is not known."""
        if self._fd is None:
            self._fd = _open()
        if self._fd < 0:
            return 0.0
        ran, waited, _ = os.pread(self._fd, _BYTES, 0).split()
        return (int(ran) + int(waited)) / 1e9


def _open() -> int:
    try:
        return os.open(_STATISTICS, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1  # no /proc, or a kernel without these statistics
