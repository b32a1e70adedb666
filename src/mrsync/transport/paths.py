"""The ways out of a caster: each a socket and a destination; what a socket cannot take yet waits in its outlet."""

from __future__ import annotations

import enum
import errno
import socket
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from mrsync.errors import SocketError
from mrsync.transport.multicast import UDP_SEGMENT
from mrsync.wire.header import BytesLike

Address = tuple[Any, ...]  # as sockets take and give it: (host, port), for IPv6 (host, port, flow, scope)

_SEGMENT_SIZE = struct.Struct("=H")
_NO_SEGMENTATION = frozenset((errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT))
_LOST_HERE = (errno.ENOBUFS, errno.ENOMEM, errno.EPERM)
_LOST_ON_THE_WAY = frozenset(  # other paths go on
    (*_LOST_HERE, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENODEV)
)


class PathKind(enum.Enum):
    """Why something goes this way."""

    MULTICAST = "multicast"  # all that is for the group
    UNICAST = "unicast"  # the same, to one target that does not hear the group
    RELAYED = "relayed"  # all but pages: those come to this target from another one
    ANSWER = "answer"  # what is for one target only

    __hash__ = object.__hash__  # Enum's own is Python, and runs for every burst


class Path(NamedTuple):
    """One way out; for messages that came in also the way they came."""

    socket: socket.socket
    address: Address
    kind: PathKind = PathKind.MULTICAST


# Header, payload, header, payload ...; bytes of a packet, the last one may be shorter; the way out.
Burst = tuple[list[BytesLike], int, Path]


@dataclass
class BurstStatistics:
    """What went out, and the sends whose packets were lost on this host already, with the last reason."""

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
    """The bursts of one socket, in order: sent at once, or when there is room for them again."""

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
        """False: it waits; call `flush` when the socket is writable. Errors as of `flush`."""
        if len(burst[0]) > 2 and not self.is_segmenting:
            self._waiting.extend(_single_packets(burst))
        else:
            self._waiting.append(burst)
        return self.flush()

    def flush(self) -> bool:
        """Send what waits; True when nothing waits any more.

        Raises SocketError when the kernel will never send such packets.
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
        """Hold what waits in memory of its own."""
        self._waiting = deque(([bytes(piece) for piece in pieces], size, path) for pieces, size, path in self._waiting)

    def forget(self, path: Path) -> None:
        """What waits for this path need not go any more."""
        self._waiting = deque(burst for burst in self._waiting if burst[2] != path)

    def _transmit(self, pieces: list[BytesLike], packet_bytes: int, path: Path) -> None:
        segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, _SEGMENT_SIZE.pack(packet_bytes))] if len(pieces) > 2 else ()
        statistics = self.statistics[path.kind]
        statistics.bytes += self._socket.sendmsg(pieces, segment, 0, path.address)
        statistics.packets += len(pieces) // 2

    def _stop_segmenting(self) -> None:
        """From now on packets go one by one, for the kernel or the device cannot cut bursts."""
        self.is_segmenting = False
        waiting, self._waiting = self._waiting, deque()
        for burst in waiting:
            self._waiting.extend(_single_packets(burst))

    def _note_failure(self, error: OSError, packet_bytes: int, path: Path) -> None:
        is_narrow = error.errno == errno.EMSGSIZE and path.kind is not PathKind.MULTICAST  # another interface's MTU
        if error.errno not in _LOST_ON_THE_WAY and not is_narrow:
            raise SocketError(f"cannot send packets of {packet_bytes} bytes: {error.strerror}") from error
        statistics = self.statistics[path.kind]
        statistics.failures += 1
        statistics.last_failure = error.strerror or str(error)


def _single_packets(burst: Burst) -> list[Burst]:
    pieces, packet_bytes, path = burst
    return [(pieces[at : at + 2], packet_bytes, path) for at in range(0, len(pieces), 2)]
