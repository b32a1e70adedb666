"""Forward a relay's pages out of the slots in which they were received, without sealing them again."""

from __future__ import annotations

import socket
from collections import deque

from mrsync.protocol.core.sends import CatcherSend, SendPage, SendToPeer
from mrsync.protocol.receiving.relaying import Relaying
from mrsync.transport.network.paths import Address, Path, PathKind
from mrsync.transport.pages.bursts import BurstSender, BurstStatistics, Purpose
from mrsync.transport.pages.opener import PageOpener
from mrsync.transport.pages.slots import Slots
from mrsync.wire.formats.session import ControlCodec
from mrsync.wire.geometry import Geometry, count_of, generation_of
from mrsync.wire.messages import Peer

_IPV4_MAPPED = bytes(10) + b"\xff\xff"
_LINK_LOCAL = b"\xfe\x80"


class Forwarder:
    """Send from the socket that also sends reports, so that a firewall that accepts replies also accepts pages.

    session_tag: for the headers of packets. target: this one.

    While the queue of the socket is full, is_blocked is set and nothing is planned. Call `flush` when it is writable.
    While the packets of a page are spread, nothing is planned either. Call `forward` at the time release_at.
    """

    def __init__(
        self, relaying: Relaying, reply: socket.socket, codec: ControlCodec, session_tag: int, target: int
    ) -> None:
        self.is_blocked = False
        self.release_at: float | None = None
        self._leaving = 0  # tx of the page that was handed to the sender last; 0: none, or it has left
        self._sends: deque[CatcherSend] = deque()  # planned, in this order
        self._relaying = relaying
        self._reply = reply
        self._codec = codec
        self._sender = BurstSender([reply], [], session_tag, sender=target)
        self._child: Path | None = None
        self._slots: Slots | None = None
        self._opener: PageOpener | None = None

    @property
    def statistics(self) -> BurstStatistics:
        """Counters of what was sent to children."""
        sent = map(self._sender.statistics_of, (PathKind.UNICAST, PathKind.ISLAND))
        return BurstStatistics.total(sent)

    def open(self, geometry: Geometry, slots: Slots, opener: PageOpener) -> None:
        """Set the slots that pages are received into."""
        self._slots, self._opener = slots, opener
        self._sender.slice_bytes = geometry.slice_bytes
        if self._child is not None:
            slots.retain_all()

    def feed(self, child: Address | None, kind: PathKind = PathKind.UNICAST) -> None:
        """Send pages to this child, or to an island, from now on; None: to no child."""
        if self._child is not None and self._child.address != child:
            self._sender.remove_path(self._child)
            self._sends.clear()
            self._child = None
        if child is not None and self._child is None:
            self._child = Path(self._reply, child, kind)
            self._sender.add_path(self._child)
            if self._slots is not None:
                self._slots.retain_all()

    def forward(self, now: float) -> bool:
        """Send the packets that the state machine plans for the child. Return True if it may plan more at once."""
        if self.is_blocked:  # the kernel says that there is room only once half of its queue is empty
            self.flush()
        self._release(now)
        if self._child is None or self.is_blocked or self._sender.is_spreading:
            return False
        if not self._sends:
            self._sends.extend(self._relaying.forwards(now))
            if not self._sends:
                return False
            self._sender.gap_s, self._sender.late_s = self._relaying.gap_s, self._relaying.late_s
        while self._sends and not self.is_blocked and not self._sender.is_spreading:
            self._send(self._sends.popleft())
            self._release(now)
        return not (self.is_blocked or self._sender.is_spreading or self._relaying.is_idle)

    def _release(self, now: float) -> None:
        self.release_at = self._sender.release(now)
        self.is_blocked = bool(self._sender.blocked)
        if self._leaving and not self._sender.is_spreading and not self.is_blocked:
            self._relaying.on_left(self._leaving, now)
            self._leaving = 0

    def _send(self, send: CatcherSend) -> None:
        assert self._child is not None  # without a child, nothing is planned
        if isinstance(send, SendToPeer):
            self.say(self._codec.encode(send.message), self._child)
        elif isinstance(send, SendPage):
            self._send_page(*send)

    def _send_page(self, object: int, page: int, mask: int, tx: int, is_repair: bool) -> None:
        slot = self._slots.whole((object, page)) if self._slots is not None else None
        if slot is None or self._opener is None:
            self._relaying.page_gone(object, page)
            return
        slices = slot.cut(self._opener.sealed_length(object, page, count_of(slot.reading)))
        generation = generation_of(slot.reading)
        purpose = Purpose.REPAIR if is_repair else Purpose.FIRST
        is_sent = self._sender.send_page(
            slices, object=object, page=page, generation=generation, tx=tx, mask=mask, purpose=purpose
        )
        self._leaving = tx
        if not is_sent:
            self._sender.keep_waiting()  # the slot may be reused for another page

    def say(self, datagram: bytes, path: Path) -> None:
        """Send a control message after all waiting packets."""
        self.is_blocked |= not self._sender.send_message(datagram, path)

    def flush(self) -> None:
        """Send waiting packets. Call it when the socket is writable."""
        self.is_blocked = not self._sender.flush()


def peer_address(peer: Peer, caster: Address) -> Address | None:
    """Return the address of a peer, or None if it cannot be reached.

    caster: the master's address. Peers are of the same family, and on the same link if they are link-local.
    """
    is_ipv4 = peer.address.startswith(_IPV4_MAPPED)
    if is_ipv4 != (len(caster) == 2):
        return None
    if is_ipv4:
        return (socket.inet_ntop(socket.AF_INET, peer.address[12:]), peer.port)
    host, scope = socket.inet_ntop(socket.AF_INET6, peer.address), 0
    if peer.address.startswith(_LINK_LOCAL):
        scope = caster[3]
        try:
            host = f"{host}%{socket.if_indextoname(scope)}"
        except OSError:  # the master's address is no link-local one, or the interface is gone
            return None
    return (host, peer.port, 0, scope)


def endpoint(address: Address) -> tuple[bytes, int]:
    """Return an address as (packed IPv6 address, port), as in an assignment. IPv4 addresses are mapped (RFC 4291)."""
    host = address[0].split("%")[0]
    if ":" in host:
        return socket.inet_pton(socket.AF_INET6, host), address[1]
    return _IPV4_MAPPED + socket.inet_aton(host), address[1]
