"""Peering: the parent, the child and the island with which a target exchanges pages where there is no multicast."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Callable

from mrsync.protocol.core.events import PageAsked, PeersChanged
from mrsync.protocol.receiving.relaying import Relaying
from mrsync.transport.network.island import IslandSocket
from mrsync.transport.network.paths import Address, PathKind
from mrsync.transport.page_receiver import PageReceiver
from mrsync.wire.formats.session import ControlCodec
from mrsync.wire.messages import Claim

if TYPE_CHECKING:
    from mrsync.transport.pages.forwarding import Forwarder


class Peering:
    """The addresses of peers, and the forwarder once there were any.

    reply: the socket that also sends reports. target: our id. island: the socket of a group that a relay may cast to;
    None: this target is never in one. on_opened: called with that socket once it is to be read.
    """

    def __init__(
        self,
        relaying: Relaying,
        reply: socket.socket,
        target: int,
        island: IslandSocket | None,
        on_opened: Callable[[socket.socket], None],
    ) -> None:
        self.forwarder: Forwarder | None = None
        self._relaying = relaying
        self._reply = reply
        self._target = target
        self._island = island
        self._on_opened = on_opened
        self._receiver: PageReceiver | None = None  # once the session is open
        self._addresses: dict[int, Address] = {}  # of peers, by target
        self._claimants: dict[int, Address] = {}  # children of our island, where their claims come from
        self._source: int | None = None  # the peer that pages come from; None: the caster
        self._is_casting = False  # to an island

    def open(self, receiver: PageReceiver) -> None:
        """Note that the session is open."""
        self._receiver = receiver
        if self.forwarder is not None:
            self.forwarder.open(receiver.geometry, receiver.slots, receiver.opener)
            self._tell_receiver()

    def address_of(self, target: int) -> Address | None:
        """Return where a peer is, or None if this target is no peer, or cannot be reached."""
        return self._addresses.get(target)

    @property
    def parent(self) -> Address | None:
        """The address that pages come from. None: that of the caster."""
        return None if self._source is None else self._addresses.get(self._source)

    def set_peers(self, event: PeersChanged, codec: ControlCodec, session_tag: int, caster: Address) -> None:
        """Take the peers that an assignment names. codec, session_tag, caster: of its session."""
        from mrsync.transport.pages.forwarding import Forwarder, peer_address  # only targets with peers need it

        codec.set_peers(*event)
        if self.forwarder is None:
            self.forwarder = Forwarder(self._relaying, self._reply, codec, session_tag, self._target)
            if self._receiver is not None:
                self.open(self._receiver)
        reached = {peer.target: peer_address(peer, caster) for peer in (event.parent, event.child) if peer is not None}
        self._addresses = {target: address for target, address in reached.items() if address is not None}
        self._claimants = {}
        self._is_casting = event.island is not None and event.island.target == self._target
        group = peer_address(event.island, caster) if event.island is not None else None
        self._listen_to(None if self._is_casting else group)
        if group is not None and self._is_casting and self._island is not None:
            self._island.aim(self._reply)
            self._addresses[self._target] = group
            self.forwarder.feed(group, PathKind.ISLAND)
        else:
            self.forwarder.feed(self._addresses.get(event.child.target) if event.child is not None else None)
        self._tell_receiver()

    def _listen_to(self, group: Address | None) -> None:
        """Also receive from this group, whose relay is our parent. None: leave it."""
        if self._island is None:
            return
        if group is None:
            self._island.leave()
        elif (opened := self._island.listen(group)) is not None:
            self._on_opened(opened)

    def _tell_receiver(self) -> None:
        if self._receiver is not None:
            known = [*self._addresses.values(), *self._claimants.values()]
            self._receiver.set_peers(known, has_unknown_children=self._is_casting)

    def note_claimant(self, claim: Claim, source: Address) -> None:
        """Note where a child of our island is, as its first claim shows."""
        if self._is_casting and self._claimants.get(claim.child) != source:
            self._claimants[claim.child] = source
            self._tell_receiver()

    def follow(self, target: int | None) -> None:
        """Take pages from this peer. None: from the caster."""
        self._source = target
        if self._receiver is not None:
            self._receiver.follow(self.parent)

    def find_page(self, event: PageAsked) -> None:
        """Tell the state machine whether a page is still here."""
        is_here = self._receiver is not None and self._receiver.holds(event.object, event.page)
        (self._relaying.page_found if is_here else self._relaying.page_gone)(event.object, event.page)
