"""CatcherDriver connects the catcher's state machine to its sockets, its clock and the disk.

Before a session is open, sockets are read datagram by datagram (`_listen`), and only control messages count. Then a
PageReceiver takes over: it knows the sizes of pages and their seal, so it receives packets in place, opens pages and
writes them. It hands control messages back (`_take_control`).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Callable

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import (
    CatcherEvent,
    GroupSilent,
    PageAsked,
    PeersChanged,
    SessionEnded,
    SessionOpened,
    SourceChanged,
)
from mrsync.protocol.core.sends import CatcherSend, SendKnock, SendMessage, SendToPeer
from mrsync.protocol.core.states import CatcherState
from mrsync.transport.loop import Loop
from mrsync.transport.network.island import IslandSocket
from mrsync.transport.network.mailbox import receive_datagrams
from mrsync.transport.network.paths import Address, Path, PathKind
from mrsync.transport.network.stamps import as_held
from mrsync.transport.network.traffic_class import set_traffic_class
from mrsync.transport.page_receiver import OpenSession, PageReceiver, WritePages
from mrsync.transport.peering import Peering
from mrsync.transport.sessions import CatcherSecrets, HeardSessions
from mrsync.tuples import NamedTuple
from mrsync.wire.formats.session import ControlCodec, Rejection
from mrsync.wire.header import session_tag, version_notice
from mrsync.wire.limits import HEADER_BYTES, NO_SESSION
from mrsync.wire.messages import Claim, Digests, Feed, NetworkShare, Status
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer

DATAGRAMS_PER_TURN = 64
VERSION_NOTICE_S = 1.0  # between two answers to masters of another version, whose address can be forged


class CatcherSockets(NamedTuple):
    """The sockets of a catcher. The caller closes them.

    data, reply: from multicast.open_data_socket and open_reply_socket. data: None if everything comes by unicast.
    island: for a group that a relay may cast to; None: this target is never in one.
    """

    data: socket.socket | None
    reply: socket.socket
    island: IslandSocket | None = None

    def close(self) -> None:
        for opened in self:
            if opened is not None:
                opened.close()


class CatcherDriver:
    """Run a Catcher until its session has ended.

    masters: possible addresses of the caster, if known. rejoin: called to leave the group and join it again.
    write: called in the order of arrival, in this thread while writes are quick, else in the worker; never at the same
    time as a job. on_event: called in the thread of `run`. on_rejected: called there with the reason why a datagram did
    not begin the expected session.
    """

    def __init__(
        self,
        catcher: Catcher,
        sockets: CatcherSockets,
        loop: Loop,
        secrets: CatcherSecrets,
        *,
        masters: Sequence[Address] = (),
        rejoin: Callable[[], None] = lambda: None,
        write: WritePages,
        on_event: Callable[[CatcherEvent], None],
        on_rejected: Callable[[Rejection], None] = lambda rejection: None,
    ) -> None:
        self._catcher = catcher
        self._data, self._reply, island = sockets
        self._sockets = [opened for opened in (self._data, self._reply) if opened is not None]
        self._sockets_max = len(self._sockets) + (island is not None)
        self._loop = loop
        self._masters = masters
        self._rejoin = rejoin
        self._write = write
        self._on_event = on_event
        self._on_rejected = on_rejected
        self._sessions = HeardSessions(secrets, [master[0] for master in masters], catcher.knows)
        self._knocks = ControlCodec(SessionKeys.derive(secrets.group, NO_SESSION))
        self._peering = Peering(catcher.relaying, self._reply, secrets.target, island, self._add_socket)
        self._receiver: PageReceiver | None = None  # once the session is open
        self._version_notice_at = 0.0  # when the next answer may be sent to a master of another version
        self._has_forwarded = False  # whether there may be more to forward at once
        self._is_ended = False

    def run(self) -> None:
        """Drive the state machine until SessionEnded. Raise what callbacks and jobs raise."""
        for opened in self._sockets:
            self._loop.watch(opened, partial(self._on_socket, opened))
        try:
            while not self._is_ended:
                self._hand_out_events()  # before sending: the addresses of peers come with events
                self._transmit()
                if self._receiver is not None:
                    self._receiver.unread.clear()
                self._loop.wait(self._patience())
                self._keep_time(self._loop.now())
        finally:
            for opened in self._sockets:
                self._loop.unwatch(opened)
            if self._receiver is not None:
                self._receiver.close()

    def _patience(self) -> float | None:
        """Return the time in seconds until something must be done; None if only a packet can cause that."""
        if self._is_ended or self._has_forwarded:
            return 0.0
        deadlines = [self._catcher.next_timeout()]
        if self._receiver is not None:
            deadlines += self._receiver.deadlines
        forwarder = self._peering.forwarder
        if forwarder is not None and not forwarder.is_blocked:
            deadlines.append(forwarder.release_at)
        known = [deadline for deadline in deadlines if deadline is not None]
        return max(0.0, min(known) - self._loop.now()) if known else None

    def _keep_time(self, now: float) -> None:
        receiver = self._receiver
        if receiver is not None:
            receiver.keep_time(now)
            self._catcher.counters.packets_rejected = receiver.packets_rejected + self._sessions.rejected
        deadline = self._catcher.next_timeout()
        if deadline is not None and deadline <= now:
            self._catcher.handle_timeout(now, is_drained=receiver is None or not receiver.unread)

    # receiving

    def _add_socket(self, opened: socket.socket) -> None:
        """Read from this socket, too."""
        self._sockets.append(opened)
        self._loop.watch(opened, partial(self._on_socket, opened))
        heard = self._sessions.joined(self._catcher.knows)
        if self._receiver is not None and heard is not None:
            self._receiver.add(opened, self._peering.parent, heard.source.address, heard.status)

    def _on_socket(self, opened: socket.socket) -> None:
        now = self._loop.now()
        forwarder = self._peering.forwarder
        if opened is self._reply and forwarder is not None and forwarder.is_blocked:
            forwarder.flush()
            self._loop.wait_writable(self._reply, forwarder.is_blocked)
        if self._receiver is None:
            self._listen(opened)
        else:
            is_busy = opened is self._data or self._catcher.is_deaf  # else only few control messages arrive there
            self._receiver.receive(opened, now, is_busy=is_busy)

    def _listen(self, opened: socket.socket) -> None:
        """Read control messages only, because pages cannot be understood before the session is open."""
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                datagrams, source = receive_datagrams(opened)
            except BlockingIOError:
                return
            for datagram in datagrams:
                self._take_control(opened, datagram, source)
            self._hand_out_events()  # open the session now, because pages may follow immediately
            if self._receiver is not None:
                return

    def _take_control(self, opened: socket.socket, datagram: bytes, source: Address) -> None:
        """Take a control datagram from any source. Ignore it unless it is authentic."""
        found = self._sessions.open(datagram)
        if isinstance(found, Rejection):
            if self._catcher.state is CatcherState.SEEKING:
                self._on_rejected(found)
                if found is Rejection.VERSION and len(datagram) > HEADER_BYTES:  # the answer is not longer
                    self._answer_other_version(source)
            return
        heard, message = found
        now, receiver = self._loop.now(), self._receiver
        is_news = isinstance(message, Status) and heard.receive_status(message, source, now)
        if receiver is not None and (isinstance(message, Feed) or (is_news and self._peering.parent is None)):
            receiver.end_runs(now)  # report earlier packets first, since its tx may imply that others are lost
        if isinstance(message, Status) and is_news and receiver is not None:
            receiver.believe(message, heard.source.address)
        if isinstance(message, Digests):
            if receiver is not None:
                receiver.receive_digests(message)
            return
        if isinstance(message, Claim) and receiver is not None:
            message = as_held(message, receiver.waited_s(opened, now))
        self._catcher.receive_message(message, heard.id, now, is_cast=opened is self._data)
        if not isinstance(message, (Claim, Feed)) or not self._catcher.relaying.has_taken(message):
            return  # a repeated message shows nothing about its sender
        if isinstance(message, Claim):
            self._peering.note_claimant(message, source)
        else:
            self._hand_out_events()  # pages of the parent may follow immediately
            if self._receiver is not None:  # it may be open only now
                self._receiver.believe_parent(message.tx)

    def _answer_other_version(self, master: Address) -> None:
        """Show a master that cannot be understood, while none other is heard, that somebody of this version is here."""
        now = self._loop.now()
        if now >= self._version_notice_at and not self._catcher.hears_session:
            self._version_notice_at = now + VERSION_NOTICE_S
            self._say(version_notice(), master)

    def _open(self, event: SessionOpened) -> None:
        """Prepare for pages of the session's geometry and seal."""
        heard = self._sessions.find(event.session)
        assert heard is not None  # the state machine opened the session after a status of it
        heard.codec.use_report_seal(event.seal)
        share = heard.status.share if heard.status is not None else NetworkShare.ALL
        set_traffic_class(self._reply, share)  # for pages that are forwarded to a child
        sealer, is_signed = PageSealer(heard.keys, event.seal), self._sessions.has_verifier
        self._receiver = PageReceiver(
            self._catcher,
            self._loop,
            OpenSession(session_tag(heard.id), event.geometry, sealer, is_signed, share),
            sockets=self._sockets_max,
            write=self._write,
            take_control=self._take_control,
        )
        for opened in self._sockets:
            self._receiver.add(opened, self._peering.parent, heard.source.address, heard.status)
        self._peering.open(self._receiver)

    def _set_peers(self, event: PeersChanged) -> None:
        heard = self._sessions.joined(self._catcher.knows)
        assert heard is not None  # an assignment arrived,
        assert heard.source.address is not None  # from this address
        self._peering.set_peers(event, heard.codec, session_tag(heard.id), heard.source.address)

    # sending

    def _hand_out_events(self) -> None:
        while (event := self._catcher.next_event()) is not None:
            if isinstance(event, SessionOpened):
                self._open(event)
            elif isinstance(event, GroupSilent):
                self._rejoin()
            elif isinstance(event, PeersChanged):
                self._set_peers(event)
            elif isinstance(event, SourceChanged):
                self._peering.follow(event.target)
            elif isinstance(event, PageAsked):
                self._peering.find_page(event)
                continue
            self._is_ended |= isinstance(event, SessionEnded)
            self._on_event(event)

    def _transmit(self) -> None:
        now = self._loop.now()
        for send in self._catcher.sends(now):
            self._send(send)
        forwarder = self._peering.forwarder
        if forwarder is not None:
            was_blocked = forwarder.is_blocked
            self._has_forwarded = forwarder.forward(now)
            if forwarder.is_blocked != was_blocked:
                self._loop.wait_writable(self._reply, forwarder.is_blocked)

    def _send(self, send: CatcherSend) -> None:
        if isinstance(send, SendKnock):
            datagram = self._knocks.encode(send.message)
            for master in self._masters:
                self._say(datagram, master)
        elif isinstance(send, SendToPeer):
            heard = self._sessions.joined(self._catcher.knows)
            address = self._peering.address_of(send.peer.target)
            if heard is not None and address is not None:
                self._say(heard.codec.encode(send.message), address)
        elif isinstance(send, SendMessage):
            heard = self._sessions.find(send.destination)  # the destination is a session id
            if heard is not None and heard.source.address is not None:
                self._say(heard.codec.encode(send.message), heard.source.address)

    def _say(self, datagram: bytes, destination: Address) -> None:
        forwarder = self._peering.forwarder
        if forwarder is not None:
            forwarder.say(datagram, Path(self._reply, destination, PathKind.ANSWER))
            return
        with suppress(OSError):  # same as a loss on the way: every message is repeated
            self._reply.sendto(datagram, destination)
