"""CatcherDriver: gives the catcher's core its sockets and its clock, and takes whole pages to the disk."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Callable

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.events import (
    CatcherEvent,
    GroupSilent,
    PageAsked,
    PeersChanged,
    SessionEnded,
    SessionOpened,
    SourceChanged,
)
from mrsync.protocol.sends import CatcherSend, SendKnock, SendMessage, SendToPeer
from mrsync.protocol.states import CatcherState
from mrsync.transport.forwarding import Forwarder, peer_address
from mrsync.transport.intake import Intake
from mrsync.transport.loop import Loop
from mrsync.transport.mailbox import receive_datagrams
from mrsync.transport.multicast import granted_buffer
from mrsync.transport.opener import PageOpener
from mrsync.transport.paths import Address, Path, PathKind
from mrsync.transport.sessions import CatcherSecrets, HeardSession, HeardSessions
from mrsync.transport.slots import SLOTS, Slots
from mrsync.transport.verifying import OVERDUE_S, PageVerifier
from mrsync.wire.header import session_tag
from mrsync.wire.keys import SessionKeys
from mrsync.wire.limits import NO_SESSION
from mrsync.wire.messages import Digests, Feed, Peer, Status
from mrsync.wire.sealing import PageSealer
from mrsync.wire.session import ControlCodec, Rejection

PAGES_PER_JOB = 8  # half a megabyte is still in the processor's cache when it is written
NAP_S = 0.001  # packets gather in the socket buffer: at 200 Mbit/s one wake-up for 17 of them
NAP_BUFFER_BYTES = 8 << 20  # what 1 ms holds at 10 Gbit/s, several times over
PATIENCE_S = 0.001  # pages wait so long for others to be written with
QUEUE_PAGES_MAX = 1024  # more than any window: only a caster that nobody clocks gets there
DATAGRAMS_PER_ROUND = 64

WritePages = Callable[[int, list[tuple[int, bytes]]], None]  # object, [(page, its plain bytes)]


class CatcherDriver:
    """Runs a Catcher until its session has ended.

    data, reply: from multicast.open_data_socket and open_reply_socket, closed by whoever opened them; data may be None,
    then all comes by unicast. masters: where the caster may be, if that is known. rejoin: leaves the group and joins
    it again.
    write: called in the order of arrival, in this thread while it is quick, else in the worker's, never beside a job.
    on_event: called in the thread that calls `run`.
    on_rejected: likewise, with why a datagram did not begin the session that is waited for.
    """

    def __init__(
        self,
        catcher: Catcher,
        data: socket.socket | None,
        reply: socket.socket,
        *,
        secrets: CatcherSecrets,
        masters: Sequence[Address] = (),
        rejoin: Callable[[], None] = lambda: None,
        write: WritePages,
        on_event: Callable[[CatcherEvent], None],
        on_rejected: Callable[[Rejection], None] = lambda rejection: None,
        loop: Loop,
        slots: int = SLOTS,
    ) -> None:
        self.send_failures = 0
        self.last_failure = ""
        self._catcher = catcher
        self._data = data
        self._reply = reply
        self._sockets = [opened for opened in (data, reply) if opened is not None]
        self._masters = masters
        self._rejoin = rejoin
        self._write = write
        self._on_event = on_event
        self._on_rejected = on_rejected
        self._loop = loop
        self._slot_count = slots
        self._sessions = HeardSessions(secrets, [master[0] for master in masters], catcher.knows)
        self._knocks = ControlCodec(SessionKeys.derive(secrets.group, NO_SESSION))
        self._intakes: dict[socket.socket, Intake] = {}  # once the session is open
        self._opener: PageOpener | None = None
        self._target = secrets.target
        self._slots: Slots | None = None
        self._forwarder: Forwarder | None = None  # once there were peers
        self._peers: dict[int, Address] = {}
        self._has_forwarded = False  # then the core may plan more at once
        self._verifier: PageVerifier | None = None
        self._pages: list[tuple[int, int, bytes]] = []  # to be written: object, page, plain bytes
        self._ask_at: float | None = None  # when it is looked whether digests are overdue
        self._write_by: float | None = None  # when waiting pages are handed over, however few
        self._unread: set[socket.socket] = set()  # more may wait there than was read in this turn
        self._quiet_by: float | None = None  # when a run that does not go on is told to the core
        self._is_roomy = all(granted_buffer(opened) >= NAP_BUFFER_BYTES for opened in self._sockets)
        self._is_ended = False

    @property
    def pages_queued(self) -> int:
        """Pages opened and not yet written."""
        return self._catcher.counters.queue_pages

    def run(self) -> None:
        """Drive the core until SessionEnded; raises what callbacks and jobs raise."""
        for opened in self._sockets:
            self._loop.watch(opened, partial(self._on_socket, opened))
        try:
            while not self._is_ended:
                self._hand_out_events()  # before what is said: who is spoken to must have been met
                self._transmit()
                self._unread.clear()
                self._loop.wait(self._patience())
                self._keep_time(self._loop.now())
        finally:
            for opened in self._sockets:
                self._loop.unwatch(opened)
            if self._verifier is not None:
                self._verifier.close()

    def _patience(self) -> float | None:
        """How long nothing needs to be done, if nothing comes in."""
        if self._is_ended or self._has_forwarded:
            return 0.0
        deadlines = [self._catcher.next_timeout(), self._write_by, self._quiet_by, self._ask_at]
        known = [deadline for deadline in deadlines if deadline is not None]
        return max(0.0, min(known) - self._loop.now()) if known else None

    def _keep_time(self, now: float) -> None:
        if self._quiet_by is not None and self._quiet_by <= now:
            self._end_runs(now)
        if self._write_by is not None and self._write_by <= now:
            self._hand_over()
        if self._ask_at is not None and self._ask_at <= now:
            self._ask_digests(now)
        deadline = self._catcher.next_timeout()
        if deadline is not None and deadline <= now:
            self._catcher.handle_timeout(now, is_drained=not self._unread)

    # what comes in

    def _on_socket(self, opened: socket.socket) -> None:
        now = self._loop.now()
        if opened is self._reply and self._forwarder is not None and self._forwarder.is_blocked:
            self._forwarder.flush()
            self._await_room(self._forwarder)
        intake = self._intakes.get(opened)
        if intake is None:
            self._listen(opened)
            return
        if self.pages_queued > QUEUE_PAGES_MAX:
            self._unread.add(opened)
            self._loop.nap(NAP_S)  # the disk is behind: what the socket cannot hold meanwhile is repaired
            return
        is_used = opened is self._data or self._catcher.is_deaf  # else it brings a letter now and then
        if intake.drain(now):
            self._unread.add(opened)
        elif self._is_roomy and is_used:
            self._loop.nap(NAP_S)
        self._quiet_by = now + PATIENCE_S if any(other.is_midway for other in self._intakes.values()) else None
        self._take_opened(now)

    def _end_runs(self, now: float) -> None:
        """The sockets were quiet: what looked like the middle of a page may have been its end."""
        self._quiet_by = None
        for intake in self._intakes.values():
            intake.end_run(now)
        self._take_opened(now)

    def _listen(self, opened: socket.socket) -> None:
        """Hear control messages only: pages mean nothing before the session is open."""
        for _ in range(DATAGRAMS_PER_ROUND):
            try:
                datagrams, source = receive_datagrams(opened)
            except BlockingIOError:
                return
            for datagram in datagrams:
                self._take_control(opened, datagram, source)
            self._hand_out_events()  # pages follow the status that opens the session at once
            if self._intakes:
                return

    def _take_control(self, opened: socket.socket, datagram: bytes, source: Address) -> None:
        """A control datagram from anybody: only what is authentic gets any further."""
        found = self._sessions.open(datagram)
        if isinstance(found, Rejection):
            if self._catcher.state is CatcherState.SEEKING:
                self._on_rejected(found)
            return
        heard, message = found
        now = self._loop.now()
        for intake in self._intakes.values():
            intake.end_run(now)  # a status tells what came before it, on any socket
        if isinstance(message, Status) and heard.hear_status(message, source, now):
            self._tell_intakes(heard)
        if isinstance(message, Digests):
            if self._verifier is not None:
                self._verifier.receive(message)
            return
        self._catcher.receive_message(message, heard.id, now, is_cast=opened is self._data)
        if isinstance(message, Feed):
            self._hand_out_events()  # pages may follow that count from now on
            for intake in self._intakes.values():
                intake.believe_parent(message.tx)

    def _tell_intakes(self, heard: HeardSession) -> None:
        status = heard.status
        if status is None or self._opener is None:
            return
        for intake in self._intakes.values():
            intake.believe(status.tx, heard.source.address)
        self._opener.expect(state.size_bytes for state in status.objects)

    # pages

    def _open(self, event: SessionOpened) -> None:
        """Pages are to come: get ready for their size and seal."""
        heard = self._sessions.find(event.session)
        assert heard is not None  # the core opens a session by a status of it
        heard.codec.use_report_seal(event.seal)
        self._slots = slots = Slots(event.geometry, self._slot_count)
        self._opener = PageOpener(event.geometry, PageSealer(heard.keys, event.seal), self._catcher, slots)
        if self._sessions.has_verifier:
            self._verifier = PageVerifier(self._loop, on_verified=self._take_pages, on_false=self._disown)
        for opened in self._sockets:
            take_control = partial(self._take_control, opened)
            self._intakes[opened] = Intake(
                opened, event.geometry, session_tag(event.session), self._opener, slots, take_control
            )
        self._tell_intakes(heard)
        if self._forwarder is not None:
            self._forwarder.open(event.geometry, slots, self._opener)
            for intake in self._intakes.values():
                intake.meet(self._peers.values())

    # parent and child

    def _meet(self, event: PeersChanged) -> None:
        heard = self._sessions.joined(self._catcher.knows)
        assert heard is not None  # an assignment came,
        assert heard.source.address is not None  # and from there
        heard.codec.meet(event.parent, event.child)
        if self._forwarder is None:
            self._forwarder = Forwarder(
                self._catcher.relaying, self._reply, heard.codec, session_tag(heard.id), self._target
            )
            if self._slots is not None and self._opener is not None:
                self._forwarder.open(self._slots.geometry, self._slots, self._opener)
        peers: list[Peer] = [peer for peer in (event.parent, event.child) if peer is not None]
        self._peers = {peer.target: peer_address(peer, heard.source.address) for peer in peers}
        self._forwarder.feed(self._peers[event.child.target] if event.child is not None else None)
        for intake in self._intakes.values():
            intake.meet(self._peers.values())

    def _follow(self, event: SourceChanged) -> None:
        for intake in self._intakes.values():
            intake.follow(None if event.target is None else self._peers.get(event.target))

    def _find_page(self, event: PageAsked) -> None:
        is_here = self._slots is not None and self._slots.whole((event.object, event.page)) is not None
        relaying = self._catcher.relaying
        (relaying.page_found if is_here else relaying.page_gone)(event.object, event.page)

    def _await_room(self, forwarder: Forwarder) -> None:
        """Be told when the socket is writable, as long as something waits for that."""
        self._loop.wait_writable(self._reply, forwarder.is_blocked)

    def _take_opened(self, now: float) -> None:
        """Have opened pages written when they are many, or have waited."""
        opener = self._opener
        if opener is None:
            return
        counters = self._catcher.counters
        counters.packets_seen = opener.statistics.packets
        counters.packets_rejected = self._packets_rejected(opener)
        counters.kernel_drops = sum(intake.statistics.kernel_drops for intake in self._intakes.values())
        opened, opener.opened = opener.opened, []
        if not opened:
            return
        self._catcher.counters.queue_pages += len(opened)
        if self._verifier is None:
            self._take_pages([(object, page, data) for object, page, _, data in opened])
            return
        self._verifier.take(opened, self._tx_seen, now)
        if self._ask_at is None:
            self._ask_at = now + OVERDUE_S

    @property
    def _tx_seen(self) -> int:
        return max(intake.tx_seen for intake in self._intakes.values())

    def _take_pages(self, pages: list[tuple[int, int, bytes]]) -> None:
        """Pages that are the caster's: write them when they are many, or have waited."""
        self._pages += pages
        if len(self._pages) >= PAGES_PER_JOB:
            self._hand_over()
        elif self._write_by is None:
            self._write_by = self._loop.now() + PATIENCE_S

    def _disown(self, object: int, page: int, generation: int) -> None:
        assert self._slots is not None  # it was opened there
        self._slots.drop_whole((object, page))
        self._catcher.counters.queue_pages -= 1
        self._catcher.page_disowned(object, page)

    def _ask_digests(self, now: float) -> None:
        """What was told may have got lost."""
        assert self._verifier is not None
        self._verifier.give_up(now)
        page = self._verifier.overdue(self._catcher.active, now)
        self._ask_at = now + OVERDUE_S if self._verifier.is_waiting else None
        if page is not None:
            self._catcher.ask_digests(page, now)
        else:
            self._catcher.counters.unverified = 0

    def _packets_rejected(self, opener: PageOpener) -> int:
        """What was not the caster's, or nothing that it can have meant."""
        heard = [intake.statistics for intake in self._intakes.values()]
        return (
            sum(statistics.strange + statistics.foreign for statistics in heard)
            + opener.statistics.strange
            + self._sessions.rejected
        )

    def _hand_over(self) -> None:
        self._write_by = None
        pages, self._pages = self._pages, []
        tx_done = self._tx_seen if self._verifier is None else self._verifier.tx_done(self._tx_seen, self._loop.now())
        for object, group in groupby(pages, key=itemgetter(0)):
            of_object = [(page, data) for _, page, data in group]
            numbers = [page for page, _ in of_object]
            written = partial(self._written, object, numbers, tx_done)
            self._loop.work_if_slow(partial(self._write, object, of_object), written)

    def _written(self, object: int, pages: list[int], tx_done: int, _result: None) -> None:
        self._catcher.counters.queue_pages -= len(pages)
        self._catcher.pages_written(object, pages, tx_done, self._loop.now())

    # what goes out

    def _hand_out_events(self) -> None:
        while (event := self._catcher.next_event()) is not None:
            if isinstance(event, SessionOpened):
                self._open(event)
            elif isinstance(event, GroupSilent):
                self._rejoin()
            elif isinstance(event, PeersChanged):
                self._meet(event)
            elif isinstance(event, SourceChanged):
                self._follow(event)
            elif isinstance(event, PageAsked):
                self._find_page(event)
                continue
            self._is_ended |= isinstance(event, SessionEnded)
            self._on_event(event)

    def _transmit(self) -> None:
        now = self._loop.now()
        for send in self._catcher.sends(now):
            self._send(send)
        if self._forwarder is not None:
            was_blocked = self._forwarder.is_blocked
            self._has_forwarded = self._forwarder.forward(now)
            if self._forwarder.is_blocked != was_blocked:
                self._await_room(self._forwarder)

    def _send(self, send: CatcherSend) -> None:
        if isinstance(send, SendKnock):
            datagram = self._knocks.encode(send.message)
            for master in self._masters:
                self._say(datagram, master)
        elif isinstance(send, SendToPeer):
            heard = self._sessions.joined(self._catcher.knows)
            if heard is not None and send.peer.target in self._peers:
                self._say(heard.codec.encode(send.message), self._peers[send.peer.target])
        elif isinstance(send, SendMessage):
            heard = self._sessions.find(send.destination)  # an id of a session
            if heard is not None and heard.source.address is not None:
                self._say(heard.codec.encode(send.message), heard.source.address)

    def _say(self, datagram: bytes, destination: Address) -> None:
        if self._forwarder is not None:
            self._forwarder.say(datagram, Path(self._reply, destination, PathKind.ANSWER))
            return
        try:
            self._reply.sendto(datagram, destination)
        except OSError as error:  # as if lost on the way: everything said is said again
            self.send_failures += 1
            self.last_failure = error.strerror or str(error)
