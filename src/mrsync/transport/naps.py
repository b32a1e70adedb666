"""Naps: for how long a catcher lets packets gather in the socket's buffer before it reads them.

A pass of the loop costs as much as reading many packets, so what comes slowly is read in larger pieces. A nap adds to
the round trip, in a chain of relays at every hop, so it stays below the time that a page takes.
"""

from __future__ import annotations

from mrsync.wire.limits import CONTROL_BYTES_MAX

NAP_MIN_S, NAP_MAX_S = 0.001, 0.004  # at 200 Mbit/s 17 packets come in the first, at 100 Mbit/s 33 in the second
FEW_BYTES = 48 << 10  # less at once calls for a longer nap; twice as much for a shorter one
MESSAGES_BYTES = 2 * CONTROL_BYTES_MAX  # as little as this is no page


class Naps:
    """The length of the next nap, by what the last one brought.

    Naps lengthen no round trip that queues are judged by: these end when the kernel receives a packet.
    """

    def __init__(self) -> None:
        self._seconds = NAP_MIN_S

    def after(self, drained_bytes: int) -> float:
        """Return the seconds to sleep after a pass in which this many bytes were read."""
        if drained_bytes <= MESSAGES_BYTES:
            self._seconds = NAP_MIN_S
        elif drained_bytes < FEW_BYTES:
            self._seconds = min(NAP_MAX_S, 2 * self._seconds)
        elif drained_bytes > 2 * FEW_BYTES:
            self._seconds = max(NAP_MIN_S, self._seconds / 2)
        return self._seconds
