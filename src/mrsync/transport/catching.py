"""CatcherDriver connects the catcher's state machine to its sockets and its clock, and passes pages to the disk.

The way of a page: an Intake receives its packets, the PageOpener checks its seal, the PageVerifier checks its digest
if the caster signs, and `write` writes it. Three queues belong to this way: opened pages in the opener, pages that
wait for a digest, and `_pages`, which are written in groups of PAGES_PER_JOB or after PATIENCE_S.

pages_written reports a page together with tx_done, up to which everything that arrived was written. So a page must not
be overtaken: writes are in the order of arrival, and tx_done stays below pages that wait for a digest, unless these
are only the last ones whose digests may be lost; see `PageVerifier.tx_done`.

Before a session is open, sockets are read datagram by datagram (`_listen`), and only control messages count.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
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
from mrsync.transport.naps import NAP_MIN_S, Naps
from mrsync.transport.network.island import IslandSocket
from mrsync.transport.network.mailbox import receive_datagrams
from mrsync.transport.network.multicast import granted_buffer
from mrsync.transport.network.paths import Address, Path, PathKind
from mrsync.transport.network.traffic_class import set_traffic_class
from mrsync.transport.pages.forwarding import Forwarder, peer_address
from mrsync.transport.pages.intake import Intake
from mrsync.transport.pages.opener import PageOpener
from mrsync.transport.pages.slots import SLOTS, Slots
from mrsync.transport.sessions import CatcherSecrets, HeardSession, HeardSessions
from mrsync.transport.verifying import OVERDUE_S, PageVerifier
from mrsync.wire.formats.session import ControlCodec, Rejection
from mrsync.wire.header import session_tag
from mrsync.wire.limits import NO_SESSION
from mrsync.wire.messages import Claim, Digests, Feed, NetworkShare, Peer, Status
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.proofs import seal_proof
from mrsync.wire.seals.sealing import PageSealer

PAGES_PER_JOB = 8  # half a megabyte, which is still in the processor's cache when it is written
NAP_BUFFER_BYTES = 8 << 20  # several times what arrives in 1 ms at 10 Gbit/s
QUIET_S = 0.006  # after which an unfinished run is reported: a page takes so long at 100 Mbit/s
PATIENCE_S = 0.001  # longest time for which a page waits to be written with others
QUEUE_PAGES_MAX = 1024  # more than any window, so only a caster without flow control exceeds it
DATAGRAMS_PER_ROUND = 64

WritePages = Callable[[int, list[tuple[int, bytes, bytes]]], None]  # object, [(page, plaintext, proof)]


class CatcherDriver:
    """Run a Catcher until its session has ended.

    data, reply: from multicast.open_data_socket and open_reply_socket; the caller closes them. data: None if everything
    comes by unicast. masters: possible addresses of the caster, if known. rejoin: leaves the group and joins it again.
    write: called in the order of arrival, in this thread while writes are quick, else in the worker; never at the same
    time as a job. on_event: called in the thread of `run`. on_rejected: called there with the reason why a datagram did
    not begin the expected session. island: of targets that relays may cast on to; None: this one is never among them.
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
        island: IslandSocket | None = None,
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
        self._source: int | None = None  # the peer that pages come from; None: the caster
        self._island = island
        self._is_casting = False  # to an island
        self._claimants: dict[int, Address] = {}  # children of it, where their claims come from
        self._has_forwarded = False  # whether there may be more to forward at once
        self._verifier: PageVerifier | None = None
        self._pages: list[tuple[int, int, bytes, bytes]] = []  # to be written: object, page, plaintext, proof
        self._ask_at: float | None = None  # when to look for overdue digests
        self._write_by: float | None = None  # when to write the waiting pages, however few
        self._unread: set[socket.socket] = set()  # sockets that may have more to read than was read in this turn
        self._quiet_by: float | None = None  # when to report an unfinished run to the state machine
        self._naps = Naps()
        self._is_roomy = all(granted_buffer(opened) >= NAP_BUFFER_BYTES for opened in self._sockets)
        self._is_ended = False

    @property
    def pages_queued(self) -> int:
        """Number of pages that were opened and are not written yet."""
        return self._catcher.counters.queue_pages

    def run(self) -> None:
        """Drive the state machine until SessionEnded. Raise what callbacks and jobs raise."""
        for opened in self._sockets:
            self._loop.watch(opened, partial(self._on_socket, opened))
        try:
            while not self._is_ended:
                self._hand_out_events()  # before sending: the addresses of peers come with events
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
        """Return the time in seconds until something must be done; None if only a packet can cause that."""
        if self._is_ended or self._has_forwarded:
            return 0.0
        deadlines = [self._catcher.next_timeout(), self._write_by, self._quiet_by, self._ask_at]
        if self._forwarder is not None and not self._forwarder.is_blocked:
            deadlines.append(self._forwarder.release_at)
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

    # receiving

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
            self._loop.nap(NAP_MIN_S)  # the disk is too slow; packets that overflow the socket buffer will be repaired
            return
        is_used = opened is self._data or self._catcher.is_deaf  # else only few control messages arrive there
        before = intake.statistics.bytes
        if intake.drain(now):
            self._unread.add(opened)
        elif self._is_roomy and is_used:
            self._loop.nap(self._naps.after(intake.statistics.bytes - before))
        self._quiet_by = now + QUIET_S if any(other.is_midway for other in self._intakes.values()) else None
        self._take_opened(now)

    def _end_runs(self, now: float) -> None:
        """Report unfinished runs, because no further packets arrived: the rest of the page may be lost."""
        self._quiet_by = None
        for intake in self._intakes.values():
            intake.end_run(now)
        self._take_opened(now)

    def _listen(self, opened: socket.socket) -> None:
        """Read control messages only, because pages cannot be understood before the session is open."""
        for _ in range(DATAGRAMS_PER_ROUND):
            try:
                datagrams, source = receive_datagrams(opened)
            except BlockingIOError:
                return
            for datagram in datagrams:
                self._take_control(opened, datagram, source)
            self._hand_out_events()  # open the session now, because pages may follow immediately
            if self._intakes:
                return

    def _take_control(self, opened: socket.socket, datagram: bytes, source: Address) -> None:
        """Take a control datagram from any source. Ignore it unless it is authentic."""
        found = self._sessions.open(datagram)
        if isinstance(found, Rejection):
            if self._catcher.state is CatcherState.SEEKING:
                self._on_rejected(found)
            return
        heard, message = found
        now = self._loop.now()
        for intake in self._intakes.values():
            intake.end_run(now)  # report earlier packets first, since a status may imply that others are lost
        if isinstance(message, Status) and heard.receive_status(message, source, now):
            self._tell_intakes(heard)
        if isinstance(message, Digests):
            if self._verifier is not None:
                self._verifier.receive(message)
            return
        self._catcher.receive_message(message, heard.id, now, is_cast=opened is self._data)
        if not isinstance(message, (Claim, Feed)) or not self._catcher.relaying.has_taken(message):
            return  # what others repeat shows nothing
        if isinstance(message, Claim):
            self._note_claimant(message, source)
        else:
            self._hand_out_events()  # pages of the parent may follow immediately
            for intake in self._intakes.values():
                intake.senders.believe_parent(message.tx)

    def _tell_intakes(self, heard: HeardSession) -> None:
        status = heard.status
        if status is None or self._opener is None:
            return
        for intake in self._intakes.values():
            intake.senders.believe(status.tx, heard.source.address)
        self._opener.expect(state.size_bytes for state in status.objects)

    # pages

    def _open(self, event: SessionOpened) -> None:
        """Prepare for pages of the session's geometry and seal."""
        heard = self._sessions.find(event.session)
        assert heard is not None  # the state machine opened the session after a status of it
        heard.codec.use_report_seal(event.seal)
        share = heard.status.share if heard.status is not None else NetworkShare.ALL
        set_traffic_class(self._reply, share)  # for what is passed on to a child
        self._slots = slots = Slots(
            event.geometry, self._slot_count, sockets=len(self._sockets) + (self._island is not None)
        )
        self._opener = PageOpener(event.geometry, PageSealer(heard.keys, event.seal), self._catcher, slots)
        if self._sessions.has_verifier:
            self._verifier = PageVerifier(self._loop, on_verified=self._take_pages, on_false=self._disown)
        for opened in self._sockets:
            self._add_intake(opened, heard)
        if self._forwarder is not None:
            self._forwarder.open(event.geometry, slots, self._opener)
            self._tell_senders()

    def _add_intake(self, opened: socket.socket, heard: HeardSession) -> None:
        """Take pages from this socket, too."""
        assert self._slots is not None  # the session is open
        assert self._opener is not None
        self._intakes[opened] = Intake(
            opened,
            self._slots.geometry,
            session_tag(heard.id),
            self._opener,
            self._slots,
            partial(self._take_control, opened),
            is_timed=heard.status is not None and heard.status.share is not NetworkShare.ALL,
        )
        self._follow_in(self._intakes[opened])  # a parent may feed us before the session opens
        self._tell_intakes(heard)

    # parent and child

    def _set_peers(self, event: PeersChanged) -> None:
        heard = self._sessions.joined(self._catcher.knows)
        assert heard is not None  # an assignment arrived,
        assert heard.source.address is not None  # from this address
        heard.codec.set_peers(*event)
        if self._forwarder is None:
            self._forwarder = Forwarder(
                self._catcher.relaying, self._reply, heard.codec, session_tag(heard.id), self._target
            )
            if self._slots is not None and self._opener is not None:
                self._forwarder.open(self._slots.geometry, self._slots, self._opener)
        peers: list[Peer] = [peer for peer in (event.parent, event.child) if peer is not None]
        reached = {peer.target: peer_address(peer, heard.source.address) for peer in peers}
        self._peers = {target: address for target, address in reached.items() if address is not None}
        self._claimants = {}
        self._is_casting = event.island is not None and event.island.target == self._target
        group = peer_address(event.island, heard.source.address) if event.island is not None else None
        self._listen_to(None if self._is_casting else group, heard)
        if group is not None and self._is_casting and self._island is not None:
            self._island.aim(self._reply)
            self._peers[self._target] = group
            self._forwarder.feed(group, PathKind.ISLAND)
        else:
            self._forwarder.feed(self._peers.get(event.child.target) if event.child is not None else None)
        self._tell_senders()

    def _listen_to(self, group: Address | None, heard: HeardSession) -> None:
        """Also receive from this group, whose relay is our parent. None: from none."""
        if self._island is None:
            return
        if group is None:
            self._island.leave()
        elif (opened := self._island.listen(group)) is not None:
            self._sockets.append(opened)
            self._loop.watch(opened, partial(self._on_socket, opened))
            if self._slots is not None:
                self._add_intake(opened, heard)

    def _tell_senders(self) -> None:
        known = [*self._peers.values(), *self._claimants.values()]
        for intake in self._intakes.values():
            intake.senders.set_peers(known, has_unknown_children=self._is_casting)

    def _note_claimant(self, claim: Claim, source: Address) -> None:
        """Note where a child of our island is: we are not told before it claims."""
        if self._is_casting and self._claimants.get(claim.child) != source:
            self._claimants[claim.child] = source
            self._tell_senders()

    def _follow(self, event: SourceChanged) -> None:
        self._source = event.target
        for intake in self._intakes.values():
            self._follow_in(intake)

    def _follow_in(self, intake: Intake) -> None:
        intake.senders.follow(None if self._source is None else self._peers.get(self._source))

    def _find_page(self, event: PageAsked) -> None:
        is_here = self._slots is not None and self._slots.whole((event.object, event.page)) is not None
        relaying = self._catcher.relaying
        (relaying.page_found if is_here else relaying.page_gone)(event.object, event.page)

    def _await_room(self, forwarder: Forwarder) -> None:
        """Watch whether the reply socket is writable, while something waits for that."""
        self._loop.wait_writable(self._reply, forwarder.is_blocked)

    def _take_opened(self, now: float) -> None:
        """Update counters, and pass opened pages on to the verifier, or to be written."""
        opener = self._opener
        if opener is None:
            return
        counters = self._catcher.counters
        counters.packets_seen = opener.statistics.packets
        counters.packets_rejected = self._packets_rejected(opener)
        counters.packets_marked = sum(intake.statistics.marked for intake in self._intakes.values())
        counters.kernel_drops = sum(intake.statistics.kernel_drops for intake in self._intakes.values())
        opened, opener.opened = opener.opened, []
        if not opened:
            return
        self._catcher.counters.queue_pages += len(opened)
        if self._verifier is None:
            self._take_pages(
                [(object, page, data, seal_proof(generation, tag)) for object, page, generation, data, tag in opened]
            )
            return
        self._verifier.take(opened, self._tx_seen, now)
        if self._ask_at is None:
            self._ask_at = now + OVERDUE_S

    @property
    def _tx_seen(self) -> int:
        return max(intake.senders.tx_seen for intake in self._intakes.values())

    def _take_pages(self, pages: list[tuple[int, int, bytes, bytes]]) -> None:
        """Take pages that are verified. Write them when there are enough of them, or after PATIENCE_S."""
        self._pages += pages
        if len(self._pages) >= PAGES_PER_JOB:
            self._hand_over()
        elif self._write_by is None:
            self._write_by = self._loop.now() + PATIENCE_S

    def _disown(self, object: int, page: int, generation: int) -> None:
        assert self._slots is not None  # the page was opened there
        self._slots.drop_whole((object, page))
        self._catcher.counters.queue_pages -= 1
        self._catcher.page_disowned(object, page)

    def _ask_digests(self, now: float) -> None:
        """Request digests that may have been lost."""
        assert self._verifier is not None
        self._verifier.give_up(now)
        page = self._verifier.overdue(self._catcher.active, now)
        self._ask_at = now + OVERDUE_S if self._verifier.is_waiting else None
        if page is not None:
            self._catcher.ask_digests(page, now)
        else:
            self._catcher.counters.unverified = 0

    def _packets_rejected(self, opener: PageOpener) -> int:
        """Return the number of packets that were not authentic or malformed."""
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
            of_object = [page[1:] for page in group]
            numbers = [page[0] for page in of_object]
            written = partial(self._written, object, numbers, tx_done)
            self._loop.work_if_slow(partial(self._write, object, of_object), written)

    def _written(self, object: int, pages: list[int], tx_done: int, _result: None) -> None:
        self._catcher.counters.queue_pages -= len(pages)
        self._catcher.pages_written(object, pages, tx_done, self._loop.now())

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
            heard = self._sessions.find(send.destination)  # the destination is a session id
            if heard is not None and heard.source.address is not None:
                self._say(heard.codec.encode(send.message), heard.source.address)

    def _say(self, datagram: bytes, destination: Address) -> None:
        if self._forwarder is not None:
            self._forwarder.say(datagram, Path(self._reply, destination, PathKind.ANSWER))
            return
        try:
            self._reply.sendto(datagram, destination)
        except OSError as error:  # same as a loss on the way: every message is repeated
            self.send_failures += 1
            self.last_failure = error.strerror or str(error)
