"""When datagrams really left and arrived: the kernel's own times, so that what programs take is not the network's."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

from mrsync.transport.socket_options import ARRIVAL_TIMES, try_option

_TIMESPEC = struct.Struct("@ll")
_AGE_MAX_S = 10.0  # more means that the wall clock was set meanwhile

STAMP_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)


def ask_arrival_times(opened: socket.socket) -> None:
    """Have the kernel note when each datagram came in."""
    try_option(opened, ARRIVAL_TIMES, 1)


def arrived_at(ancillary: Iterable[tuple[int, int, bytes]]) -> float:
    """When what was just received came in, on the clock of time.monotonic(); now, if the kernel did not note it."""
    now, wall = time.monotonic(), time.time()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == ARRIVAL_TIMES.number and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            age = wall - seconds - nanoseconds / 1e9
            return now - age if 0 <= age < _AGE_MAX_S else now
    return now


class StampedSocket(socket.socket):
    """Notes when the first of several sends began; `renew` before them."""

    sent_at: float | None = None

    @classmethod
    def of(cls, opened: socket.socket) -> StampedSocket:
        """Take over what was opened."""
        made = cls(fileno=opened.detach())
        made.setblocking(False)
        return made

    def renew(self) -> None:
        """The next send is the first."""
        self.sent_at = None

    def sendmsg(self, *arguments: Any) -> int:
        if self.sent_at is None:
            self.sent_at = time.monotonic()
        return super().sendmsg(*arguments)
