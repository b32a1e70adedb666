"""Send pings and sealed pages, and receive the echoes. This is the part of rtt and doctor on the master."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import cast

from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.network.stamps import STAMP_BYTES, StampedSocket, arrived_at, ask_arrival_times
from mrsync.transport.pages.bursts import BurstSender
from mrsync.tuples import NamedTuple
from mrsync.wire.formats.session import ControlCodec
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import session_tag
from mrsync.wire.limits import BURST_BYTES_MAX, HEADER_BYTES, TAG_BYTES
from mrsync.wire.messages import Assign, Echo, ObjectKind, Ping, SealKind
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer

ECHOES_PER_TURN = 256
_DATAGRAM_ROOM = 2048


class EchoReceived(NamedTuple):
    """An echo, the path to its sender, and its time of arrival."""

    echo: Echo
    way_back: Path
    at: float


class Pinger:
    """Send to the group on all paths, or on one path. Echoes are received on all sockets.

    paths, spare: paths with sockets from multicast.open_caster_socket. The pinger owns the sockets; `close` closes
    them. Packets for the group are not sent on spare paths.
    """

    def __init__(
        self, paths: Sequence[Path], geometry: Geometry, keys: SessionKeys, *, spare: Sequence[Path] = ()
    ) -> None:
        self.paths = [path._replace(socket=StampedSocket.of(path.socket)) for path in paths]
        self.spare = [path._replace(socket=StampedSocket.of(path.socket)) for path in spare]
        self.sockets = [cast(StampedSocket, path.socket) for path in (*self.paths, *self.spare)]
        for opened in self.sockets:
            ask_arrival_times(opened)
        self._keys = keys
        self._codec = ControlCodec(keys)
        self._sealer = PageSealer(keys, SealKind.HMAC_SHA256)
        self._counter = 0
        self._slice_bytes = geometry.slice_bytes
        self._sender = BurstSender(
            self.sockets, self.paths, session_tag(keys.session), slice_bytes=geometry.slice_bytes
        )

    @property
    def packets_sent(self) -> int:
        return self._sender.statistics.packets

    def ping(self, path: Path | None = None) -> int:
        """Send a ping to the group, or on one path. Return its number."""
        self._counter += 1
        for opened in self.sockets:
            opened.renew()
        self._sender.send_message(self._codec.encode(Ping(self._keys.session, self._counter)), path)
        return self._counter

    def ask(self, request: Assign, path: Path) -> None:
        """Ask a target to ping another one; see `Echoer`."""
        self._sender.send_message(self._codec.encode(request), path)

    def send_page(self, data: bytes, *, page: int, generation: int = 0) -> float:
        """Send a page with this plain data to the group. Return when its first packet was passed to the kernel."""
        size = self._slice_bytes
        count = -(-(len(data) + TAG_BYTES) // size)
        sealed = self._sealer.seal(data, object=ObjectKind.CONTENTS, page=page, generation=generation, count=count)
        view = memoryview(sealed)
        slices = [view[at : at + size] for at in range(0, len(view), size)]
        per_burst = BURST_BYTES_MAX // (HEADER_BYTES + size)
        for opened in self.sockets:
            opened.renew()
        for first in range(0, count, per_burst):
            mask = ((1 << min(per_burst, count - first)) - 1) << first
            self._sender.send_page(
                slices, object=ObjectKind.CONTENTS, page=page, generation=generation, tx=0, mask=mask
            )
        return self.sent_at

    @property
    def sent_at(self) -> float:
        """The time at which the last ping or page was passed to the kernel."""
        return min(opened.sent_at for opened in self.sockets if opened.sent_at is not None)

    @property
    def is_blocked(self) -> bool:
        """Whether something waits for room in a socket's queue; see `flush`."""
        return bool(self._sender.blocked)

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        self._sender.flush()

    def receive(self, opened: socket.socket) -> Iterator[EchoReceived]:
        """Yield the authentic echoes that have arrived on a socket."""
        for _ in range(ECHOES_PER_TURN):
            try:
                datagram, ancillary, _, source = opened.recvmsg(_DATAGRAM_ROOM, STAMP_BYTES)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error about a unicast packet; the missing echo shows the same
                continue
            at = arrived_at(ancillary)
            message = self._codec.decode(datagram)
            if isinstance(message, Echo):
                yield EchoReceived(message, Path(opened, source, PathKind.UNICAST), at)

    def close(self) -> None:
        for opened in self.sockets:
            opened.close()
