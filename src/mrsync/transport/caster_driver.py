"""CasterDriver connects the caster's state machine to its sockets and its clock, and turns its plans into packets.

The state machine decides, the driver moves bytes. One pass of the loop: send what it has planned, hand out its events,
wait for a socket or its next timeout, and pass time and messages in. Invariants:

  * The state machine plans only if nothing waits for a socket. A full queue (_blocked) therefore slows down the
    plan, and no queue of ours grows.
  * It is asked for a plan until it plans nothing (_has_planned). Only then does the driver wait.
  * is_drained says with each timeout whether the sockets were read until empty. A target must not count as silent
    while its reports are still unread.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Callable

from mrsync.protocol.caster import Caster
from mrsync.protocol.core.events import (
    CasterEvent,
    CastFinished,
    PhaseEntered,
    TargetEnded,
    TargetJoined,
    TargetRerouted,
)
from mrsync.protocol.core.sends import Send, SendMessage, SendPage
from mrsync.transport.digesting import PageDigester
from mrsync.transport.loop import Loop
from mrsync.transport.network.multicast import allow_fragments
from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.network.stamps import LastArrival, as_held
from mrsync.transport.pages.bursts import BurstSender, BurstStatistics
from mrsync.transport.pages.compression import LEVEL
from mrsync.transport.pages.page_sender import PageSender
from mrsync.transport.pages.sealed_pages import ReadPage
from mrsync.tuples import NamedTuple
from mrsync.wire.formats.session import ControlCodec, Rejection
from mrsync.wire.header import is_version_notice, session_tag
from mrsync.wire.limits import NO_SESSION
from mrsync.wire.messages import Digests, Knock, Message, ObjectKind, Phase, Report
from mrsync.wire.seals.keys import SessionKeys, TargetKeys
from mrsync.wire.seals.signing import Signer

REPORTS_PER_PASS = 64  # per socket and pass, so that sending is not delayed
_DATAGRAM_ROOM = 2048


class CasterSecrets(NamedTuple):
    """The secrets of a session on the master."""

    session: int
    group: bytes  # shared by all members
    own: Sequence[bytes] = ()  # by target: shared with it only; empty: everything is sealed with the group's
    signer: Signer | None = None  # None: nothing is signed


class CasterDriver:
    """Run a Caster until it has finished.

    sockets: from multicast.open_caster_socket; the caller closes them.
    paths: the initial paths to the group, by these sockets.
    read: (object, page) -> plaintext bytes.
    on_event: called with every event; may call the state machine.
    on_pass: called once per pass of the loop.
    on_other_version: called with the address of each version notice, which anyone can forge.
    compress_level: for the compression that the state machine chooses.

    All callbacks run in the thread of `run`. With each message, the state machine gets the path for its answer.
    """

    def __init__(
        self,
        caster: Caster,
        sockets: Iterable[socket.socket],
        paths: Iterable[Path],
        *,
        secrets: CasterSecrets,
        compress_level: int = LEVEL,
        read: ReadPage,
        on_event: Callable[[CasterEvent], None],
        on_pass: Callable[[], None] = lambda: None,
        on_other_version: Callable[[str], None] = lambda address: None,
        loop: Loop,
    ) -> None:
        keys, signer = SessionKeys.derive(secrets.group, secrets.session), secrets.signer
        own_keys = TargetKeys(dict(enumerate(secrets.own)), secrets.session) if secrets.own else None
        self.codec = ControlCodec(keys, own_keys, signer=signer)
        self._knocks_heard = 0
        self._knocks = ControlCodec(SessionKeys.derive(secrets.group, NO_SESSION))
        self._caster = caster
        self._sockets = tuple(sockets)
        self._arrivals = {opened: LastArrival(opened, loop.now) for opened in self._sockets}
        self._on_event = on_event
        self._on_pass = on_pass
        self._on_other_version = on_other_version
        self._loop = loop
        self._sender = BurstSender(self._sockets, paths, session_tag(keys.session), clock=loop.now)
        self._routes: dict[int, Path] = {}  # of targets that are served by unicast
        self._sends: deque[Send] = deque()  # planned, but not handed to the sender yet
        self._leaving = 0  # tx of the page that was handed to the sender last; 0: none, or it has left
        self._has_planned = False  # whether the last plan had anything, so that there may be more at once
        self._unread: set[socket.socket] = set()  # sockets that may have more to read than was read in this pass
        self._lapsed_s = 0.0  # lapses of the loop's clock that the state machine knows of
        self._blocked: set[socket.socket] = set()  # sockets with full queues; nothing is planned while there is one
        self._release_at: float | None = None  # when more of a page that is spread may leave
        self._is_finished = False
        self._last_sent: tuple[Message | None, bytes] = None, b""
        self._digester = PageDigester(loop, self._send_digests, self._pages_held) if signer is not None else None
        self._pages = self._page_sender(read, keys, compress_level)

    def _page_sender(self, read: ReadPage, keys: SessionKeys, compress_level: int) -> PageSender:
        return PageSender(
            self._caster,
            self._sender,
            read,
            keys,
            self._loop.now,
            announce=self._announce,
            on_read=self._digester.take if self._digester is not None else None,
            compress_level=compress_level,
        )

    @property
    def statistics(self) -> BurstStatistics:
        """Counts of what was sent, over all paths."""
        return self._sender.statistics

    @property
    def datagrams_rejected(self) -> int:
        """Number of received datagrams that were not authentic or not of this session."""
        return sum(self.codec.rejections.values()) - self._knocks_heard

    @property
    def bytes_saved(self) -> int:
        """Number of bytes that compression has saved on each path so far."""
        return self._pages.bytes_saved

    def statistics_of(self, kind: PathKind) -> BurstStatistics:
        """Return what was sent on paths of this kind."""
        return self._sender.statistics_of(kind)

    def add_path(self, path: Path) -> None:
        """Also send packets for the group on this path. Its socket must be one of the driver's."""
        self._sender.add_path(path)

    def remove_path(self, path: Path) -> None:
        """Stop sending packets for the group on this path."""
        self._sender.remove_path(path)
        self._await_room()

    def run(self) -> None:
        """Drive the state machine until CastFinished. Raise SocketError, or what callbacks and jobs raise."""
        for opened in self._sockets:
            self._loop.watch(opened, partial(self._on_socket, opened))
        try:
            while not self._is_finished:
                self._transmit()
                self._hand_out_events()
                self._unread.clear()
                self._loop.wait(self._patience())
                self._keep_time(self._loop.now())
                self._on_pass()
        finally:
            for opened in self._sockets:
                self._loop.unwatch(opened)
            if self._digester is not None:
                self._digester.close()
                self._digester = None  # after an abort, `run` is called again to dismiss the targets, and sends no page

    def _keep_time(self, now: float) -> None:
        if self._loop.lapsed_s > self._lapsed_s:
            self._lapsed_s = self._loop.lapsed_s
            self._caster.handle_lapse()
        deadline = self._caster.next_timeout()
        if deadline is not None and deadline <= now:
            self._caster.handle_timeout(now, is_drained=not self._unread)

    def _patience(self) -> float | None:
        """Return the time in seconds until something must be done; None if only a packet can cause that."""
        if self._is_finished or (self._has_planned and not self._blocked and not self._sender.is_spreading):
            return 0.0
        deadlines = [self._caster.next_timeout(), self._release_at if not self._blocked else None]
        if self._digester is not None:
            deadlines.append(self._digester.due_at)
        deadline = min((when for when in deadlines if when is not None), default=None)
        return None if deadline is None else max(0.0, deadline - self._loop.now())

    def _on_socket(self, opened: socket.socket) -> None:
        """Read reports, and send what waits if the queue has room again."""
        if self._blocked:
            self._sender.flush()
            self._await_room()
        arrival = self._arrivals[opened]
        arrival.set_clock()
        for _ in range(REPORTS_PER_PASS):
            try:
                datagram, source = opened.recvfrom(_DATAGRAM_ROOM)
            except BlockingIOError:
                return
            message = self.codec.decode(datagram)
            way_back = Path(opened, source, PathKind.ANSWER)
            now = self._loop.now()
            if self._release_at is not None and now >= self._release_at:
                self._release_at = self._sender.release(now)  # on a busy host, to read them all takes long
            if isinstance(message, Report):
                message = as_held(message, now - arrival.read())
            if not isinstance(message, Rejection):
                self._caster.receive_message(message, way_back, now)
                self._repeat_digests(message)
            elif message is Rejection.STRANGE and isinstance(knock := self._knocks.decode(datagram), Knock):
                self._knocks_heard += 1
                self._caster.receive_knock(knock, way_back)
            elif message is Rejection.VERSION and is_version_notice(datagram):
                self._on_other_version(source[0])
        self._unread.add(opened)

    def _hand_out_events(self) -> None:
        while (event := self._caster.next_event()) is not None:
            if isinstance(event, PhaseEntered) and event.phase is Phase.COMPARING:
                self.codec.use_report_seal(self._caster.statistics().seal)
                for opened in self._sockets:
                    allow_fragments(opened)
            elif isinstance(event, (TargetJoined, TargetRerouted, TargetEnded)):
                self._route(event.target)
                self._sender.is_group_heard = self._caster.roster.is_group_heard
            self._is_finished |= isinstance(event, CastFinished)
            self._on_event(event)

    def _route(self, target_id: int) -> None:
        """Update the unicast path to a target after its route was added, removed or changed."""
        target = self._caster.roster.find(target_id)
        known, wanted = self._routes.pop(target_id, None), None
        if target is not None and target.is_live and target.path.is_unicast:
            kind = PathKind.UNICAST if target.path.is_copied else PathKind.RELAYED
            wanted = self._routes[target_id] = target.path.verified._replace(kind=kind)
        if known is not None and known != wanted:
            self.remove_path(known)
        if wanted is not None:
            self.add_path(wanted)

    def _send_digests(self, digests: Digests) -> None:
        self._note_left()
        self._sender.send_message(self.codec.encode(digests), None)
        self._await_room()

    def _repeat_digests(self, message: Message) -> None:
        """Send digests again if a report asks for some. Old reports do not count, as an attacker can replay them."""
        if self._digester is None or not isinstance(message, Report) or not message.unverified:
            return
        target = self._caster.roster.find(message.target)
        if target is not None and target.report is not None and target.report.counter == message.counter:
            self._digester.repeat(message.active, message.unverified - 1, self._loop.now())

    def _pages_held(self, object: ObjectKind) -> int:
        """Return the number of pages, from the first on, that every live target has of an object."""
        return min((target.frontier(object) for target in self._caster.roster.live), default=0)

    def _await_room(self) -> None:
        """Watch exactly the sockets with full queues for room."""
        blocked = self._sender.blocked
        for opened in blocked ^ self._blocked:
            self._loop.wait_writable(opened, opened in blocked)
        self._blocked = blocked

    def _transmit(self) -> None:
        """Send what the state machine plans until it plans nothing more or a queue is full."""
        self._release_at = self._sender.release(self._loop.now())
        self._note_left()
        if self._digester is not None:
            self._digester.flush_aged()
        self._await_room()
        if self._blocked or self._sender.is_spreading:
            return
        sends = self._sends
        if not sends:
            sends.extend(self._caster.sends(self._loop.now()))
            self._sender.gap_s, self._sender.late_s = self._caster.clock.gap_s, self._caster.clock.late_s
            self._has_planned = bool(sends)
            if not sends and self._digester is not None:
                self._digester.flush(self._caster.digests_together)
        while sends:
            send = sends.popleft()
            is_sent = self._send(send)
            self._leaving = send.tx if isinstance(send, SendPage) else 0
            if is_sent:
                self._note_left()
            else:
                self._release_at = self._sender.release(self._loop.now())
                self._await_room()
                return

    def _note_left(self) -> None:
        """Tell the state machine when the last packet of a page left. Call this before anything else is sent."""
        if self._leaving and not self._sender.is_spreading and not self._sender.blocked:
            self._caster.clock.on_left(self._leaving, self._sender.left_at)
            self._leaving = 0

    def _send(self, send: Send) -> bool:
        """Pass one planned item to the sender. Return False if a part of it waits there."""
        if isinstance(send, SendPage):
            return self._pages.send(*send)
        if isinstance(send, SendMessage):
            return self._sender.send_message(self._encoded(send.message), send.destination)
        return self._pages.send_coded(send)

    def _announce(self, generation: int, tx: int) -> None:
        """Send what must leave before the first page of a generation, which leaves with this tx."""
        for send in self._caster.announce_reading(generation, tx):
            self._send(send)

    def _encoded(self, message: Message) -> bytes:
        """Return the datagram of a message. Copies of one status for several catchers are signed once."""
        if message is not self._last_sent[0]:
            self._last_sent = message, self.codec.encode(message)
        return self._last_sent[1]
