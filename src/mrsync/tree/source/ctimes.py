"""Make sure that a later change of a file shows in its time of change (ctime).

Kernels before 6.13, and many file systems after that, take a ctime from a clock that ticks every 1 to 10 ms. So a file
that was changed during the present tick may be changed again and keep its ctime.
"""

from __future__ import annotations

import time

_COARSE = 5  # CLOCK_REALTIME_COARSE of Linux, from which ctimes are taken
_TICK_NS_MAX = 20_000_000


def settle(ctime_ns: int) -> None:
    """Wait, for a tick at most, until every change from now on gives a later ctime than this one.

    A time further in the future is of another clock, or this one was set back: then nothing is waited for.
    """
    for _ in range(_TICK_NS_MAX // 1_000_000):
        if not 0 <= ctime_ns - time.clock_gettime_ns(_COARSE) < _TICK_NS_MAX:
            return
        time.sleep(0.001)
