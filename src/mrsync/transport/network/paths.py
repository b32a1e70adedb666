"""Paths out of a caster: each is a socket and a destination. An outlet queues what its socket cannot take yet."""

from __future__ import annotations

import enum
import errno
import socket
import struct
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from mrsync.errors import SocketError
from mrsync.transport.network.multicast import UDP_SEGMENT
from mrsync.wire.header import BytesLike

Address = tuple[Any, ...]  # a socket address: (host, port), for IPv6 (host, port, flow, scope)

_SEGMENT_SIZE = struct.Struct("=H")
_NO_SEGMENTATION = frozenset((errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT))
_LOST_HERE = (errno.ENOBUFS, errno.ENOMEM, errno.EPERM)
_LOST_ON_THE_WAY = frozenset(  # errors that are treated as packet loss, as other paths may still work
    (*_LOST_HERE, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENODEV)
)


class PathKind(enum.Enum):
    """What a path is for."""

    MULTICAST = "multicast"  # packets for the group
    UNICAST = "unicast"  # copies of them for one target that does not receive the group
    ISLAND = "island"  # pages that a relay casts on in its own network
    RELAYED = "relayed"  # copies without pages, which this target gets from another one
    ANSWER = "answer"  # messages to one target

    __hash__ = object.__hash__  # Enum's own is written in Python, and would run for every burst


class Path(NamedTuple):
    """A path to send on; with a received message, the path for an answer."""

    socket: socket.socket
    address: Address
    kind: PathKind = PathKind.MULTICAST


# (pieces, packet size, path). Pieces: header, payload, header, payload, ... The last packet may be shorter.
Burst = tuple[list[BytesLike], int, Path]


class BurstStatistics:
    """What was sent, and how many sends failed on this host, with the last reason."""

    packets: int = 0
    bytes: int = 0
    would_blocks: int = 0
    failures: int = 0
    last_failure: str = ""

    @classmethod
    def total(cls, parts: Iterable[BurstStatistics]) -> BurstStatistics:
        whole = cls()
        for part in parts:
            whole.packets += part.packets
            whole.bytes += part.bytes
            whole.would_blocks += part.would_blocks
            whole.failures += part.failures
            whole.last_failure = part.last_failure or whole.last_failure
        return whole


class Outlet:
    """The bursts of one socket in order. They are sent at once, or when the socket has room again."""

    def __init__(self, opened: socket.socket) -> None:
        self.is_segmenting = True
        self.statistics = {kind: BurstStatistics() for kind in PathKind}
        self._socket = opened
        self._waiting: deque[Burst] = deque()

    @property
    def is_blocked(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    def send(self, burst: Burst) -> bool:
        """Send a burst after what waits. Return False if it waits too; then call `flush` when the socket is writable.

        Raise SocketError as `flush` does.
        """
        if len(burst[0]) > 2 and not self.is_segmenting:
            self._waiting.extend(_single_packets(burst))
        else:
            self._waiting.append(burst)
        return self.flush()

    def flush(self) -> bool:
        """Send what waits. Return True if nothing waits any longer.

        Raise SocketError if the kernel will never send such packets.
        """
        while self._waiting:
            pieces, packet_bytes, path = self._waiting[0]
            try:
                self._transmit(pieces, packet_bytes, path)
            except BlockingIOError:
                self.statistics[path.kind].would_blocks += 1
                return False
            except OSError as error:
                if self.is_segmenting and len(pieces) > 2 and error.errno in _NO_SEGMENTATION:
                    self._stop_segmenting()
                    continue
                self._note_failure(error, packet_bytes, path)
            self._waiting.popleft()
        return True

    def copy_waiting(self) -> None:
        """Copy what waits into memory of its own."""
        self._waiting = deque(([bytes(piece) for piece in pieces], size, path) for pieces, size, path in self._waiting)

    def forget(self, path: Path) -> None:
        """Drop what waits for this path."""
        self._waiting = deque(burst for burst in self._waiting if burst[2] != path)

    def _transmit(self, pieces: list[BytesLike], packet_bytes: int, path: Path) -> None:
        segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, _SEGMENT_SIZE.pack(packet_bytes))] if len(pieces) > 2 else ()
        statistics = self.statistics[path.kind]
        statistics.bytes += self._socket.sendmsg(pieces, segment, 0, path.address)
        statistics.packets += len(pieces) // 2

    def _stop_segmenting(self) -> None:
        """Send packets one by one from now on, because the kernel or the device does not support UDP_SEGMENT."""
        self.is_segmenting = False
        waiting, self._waiting = self._waiting, deque()
        for burst in waiting:
            self._waiting.extend(_single_packets(burst))

    def _note_failure(self, error: OSError, packet_bytes: int, path: Path) -> None:
        is_narrow = error.errno == errno.EMSGSIZE and path.kind is not PathKind.MULTICAST  # another interface is used
        if error.errno not in _LOST_ON_THE_WAY and not is_narrow:
            raise SocketError(f"cannot send packets of {packet_bytes} bytes: {error.strerror}") from error
        statistics = self.statistics[path.kind]
        statistics.failures += 1
        statistics.last_failure = error.strerror or str(error)


def _single_packets(burst: Burst) -> list[Burst]:
    pieces, packet_bytes, path = burst
    return [(pieces[at : at + 2], packet_bytes, path) for at in range(0, len(pieces), 2)]
