"""Times at which datagrams left and arrived, from the kernel if possible, to exclude the time spent in programs."""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any, Callable, TypeVar

from mrsync.transport.network.socket_options import ARRIVAL_TIMES, try_option
from mrsync.wire.messages import Claim, Report

_Answer = TypeVar("_Answer", Report, Claim)

_TIMESPEC = struct.Struct("@ll")
_SIOCGSTAMPNS = 0x8907  # linux/sockios.h
_AGE_MAX_S = 10.0  # a greater age means that the wall clock was changed

STAMP_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)


def ask_arrival_times(opened: socket.socket) -> None:
    """Let the kernel record the arrival time of each datagram."""
    try_option(opened, ARRIVAL_TIMES, 1)


def arrived_at(ancillary: Iterable[tuple[int, int, bytes]]) -> float:
    """Return the arrival time on the clock of time.monotonic(), or the current time if the kernel did not record it."""
    now, wall = time.monotonic(), time.time()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == ARRIVAL_TIMES.number and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            age = wall - seconds - nanoseconds / 1e9
            return now - age if 0 <= age < _AGE_MAX_S else now
    return now


class LastArrival:
    """When the datagram arrived that was read last from a socket, by the kernel, at no cost per datagram.

    clock: on which the times of arrivals are wanted. `set_clock` compares it with that of the kernel.
    """

    def __init__(self, opened: socket.socket, clock: Callable[[], float]) -> None:
        self._socket = opened
        self._clock = clock
        self.set_clock()

    def set_clock(self) -> None:
        """Note the present time.

        The kernel's clock is read first. Another program may get the processor between the two readings. Arrivals then
        seem to be later, and round trips longer. In the other order, a round trip could seem shorter than the path.
        """
        self._wall = time.time()
        self._now = self._clock()

    def read(self) -> float:
        """Return when the last datagram arrived, on `clock`; the present time if the kernel does not know."""
        try:
            stamp = fcntl.ioctl(self._socket, _SIOCGSTAMPNS, bytes(_TIMESPEC.size))
        except OSError:  # nothing arrived since the kernel was asked for the first time
            return self._clock()
        seconds, nanoseconds = _TIMESPEC.unpack(stamp)
        age = self._wall - seconds - nanoseconds / 1e9
        return self._now - age if abs(age) < _AGE_MAX_S else self._clock()


def as_held(message: _Answer, seconds: float) -> _Answer:
    """Return an answer with its wait in our socket added to its hold time, which round trips leave out."""
    waited_us = max(0, round(seconds * 1e6))
    return message._replace(hold_us=message.hold_us + waited_us, ended_hold_us=message.ended_hold_us + waited_us)


class StampedSocket(socket.socket):
    """Records the time of the first of several sends. Call `renew` before them."""

    sent_at: float | None = None

    @classmethod
    def of(cls, opened: socket.socket) -> StampedSocket:
        """Take over the descriptor of a socket."""
        made = cls(fileno=opened.detach())
        made.setblocking(False)
        return made

    def renew(self) -> None:
        """Record the next send."""
        self.sent_at = None

    def sendmsg(self, *arguments: Any) -> int:
        if self.sent_at is None:
            self.sent_at = time.monotonic()
        return super().sendmsg(*arguments)
