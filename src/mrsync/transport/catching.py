"""CatcherDriver: gives the catcher's core its sockets and its clock, and takes whole pages to the disk."""

from __future__ import annotations

import socket
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Callable

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.events import CatcherEvent, SessionEnded, SessionOpened
from mrsync.protocol.sends import SendMessage
from mrsync.protocol.states import CatcherState
from mrsync.transport.intake import Intake
from mrsync.transport.loop import Loop
from mrsync.transport.multicast import granted_buffer
from mrsync.transport.opener import PageOpener
from mrsync.transport.paths import Address
from mrsync.transport.slots import SLOTS, Slots
from mrsync.wire.header import session_tag
from mrsync.wire.keys import SessionKeys
from mrsync.wire.messages import Message, Status
from mrsync.wire.sealing import PageSealer
from mrsync.wire.session import ControlCodec, Rejection, open_status

PAGES_PER_JOB = 8  # half a megabyte is still in the processor's cache when it is written
NAP_S = 0.001  # packets gather in the socket buffer: at 200 Mbit/s one wake-up for 17 of them
NAP_BUFFER_BYTES = 8 << 20  # what 1 ms holds at 10 Gbit/s, several times over
PATIENCE_S = 0.001  # pages wait so long for others to be written with
DATAGRAMS_PER_ROUND = 64
_DATAGRAM_ROOM = 2048

WritePages = Callable[[int, list[tuple[int, bytes]]], None]  # object, [(page, its plain bytes)]


class CatcherDriver:
    """Runs a Catcher until its session has ended.

    data, reply: from multicast.open_data_socket and open_reply_socket, closed by whoever opened them.
    write: called in the order of arrival, in this thread while it is quick, else in the worker's, never beside a job.
    on_event: called in the thread that calls `run`.
    on_rejected: likewise, with why a datagram did not begin the session that is waited for.
    """

    def __init__(
        self,
        catcher: Catcher,
        data: socket.socket,
        reply: socket.socket,
        *,
        secret: bytes,
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
        self._secret = secret
        self._write = write
        self._on_event = on_event
        self._on_rejected = on_rejected
        self._loop = loop
        self._slot_count = slots
        self._keys: SessionKeys | None = None
        self._codec: ControlCodec | None = None
        self._caster: Address | None = None
        self._intake: Intake | None = None
        self._opener: PageOpener | None = None
        self._status: Status | None = None
        self._write_by: float | None = None  # when waiting pages are handed over, however few
        self._quiet_by: float | None = None  # when a run that does not go on is told to the core
        self._is_roomy = granted_buffer(data) >= NAP_BUFFER_BYTES
        self._is_ended = False

    @property
    def pages_queued(self) -> int:
        """Pages opened and not yet written."""
        return self._catcher.counters.queue_pages

    def run(self) -> None:
        """Drive the core until SessionEnded; raises what callbacks and jobs raise."""
        self._loop.watch(self._data, self._on_data)
        self._loop.watch(self._reply, self._on_reply)
        try:
            while not self._is_ended:
                self._transmit()
                self._hand_out_events()
                self._loop.wait(self._patience())
                self._keep_time(self._loop.now())
        finally:
            self._loop.unwatch(self._data)
            self._loop.unwatch(self._reply)

    def _patience(self) -> float | None:
        """How long nothing needs to be done, if nothing comes in."""
        if self._is_ended:
            return 0.0
        deadlines = [self._catcher.next_timeout(), self._write_by, self._quiet_by]
        known = [deadline for deadline in deadlines if deadline is not None]
        return max(0.0, min(known) - self._loop.now()) if known else None

    def _keep_time(self, now: float) -> None:
        if self._quiet_by is not None and self._quiet_by <= now:
            self._end_run(now)
        if self._write_by is not None and self._write_by <= now:
            self._hand_over()
        deadline = self._catcher.next_timeout()
        if deadline is not None and deadline <= now:
            self._catcher.handle_timeout(now)

    # what comes in

    def _on_data(self) -> None:
        now = self._loop.now()
        if self._intake is None:
            self._listen()
            return
        if not self._intake.drain(now) and self._is_roomy:
            self._loop.nap(NAP_S)
        self._quiet_by = now + PATIENCE_S if self._intake.is_midway else None
        self._take_opened(now)

    def _end_run(self, now: float) -> None:
        """The data socket was quiet: what looked like the middle of a page may have been its end."""
        self._quiet_by = None
        if self._intake is not None:
            self._intake.end_run(now)
            self._take_opened(now)

    def _listen(self) -> None:
        """Hear control messages only: pages mean nothing before the session is open."""
        for _ in range(DATAGRAMS_PER_ROUND):
            try:
                datagram, source = self._data.recvfrom(_DATAGRAM_ROOM)
            except BlockingIOError:
                return
            if self._codec is None or self._catcher.state is CatcherState.SEEKING:
                self._find_session(datagram, source)
            else:
                self._take_control(datagram, source)
            self._hand_out_events()  # pages follow the status that opens the session at once
            if self._intake is not None:
                return

    def _find_session(self, datagram: bytes, source: Address) -> None:
        found = open_status(self._secret, datagram)
        if isinstance(found, Rejection):
            self._on_rejected(found)
            return
        self._keys, status = found
        self._codec = ControlCodec(self._keys)
        self._status = None
        self._receive(status, source)

    def _on_reply(self) -> None:
        for _ in range(DATAGRAMS_PER_ROUND):
            try:
                datagram, source = self._reply.recvfrom(_DATAGRAM_ROOM)
            except BlockingIOError:
                return
            self._take_control(datagram, source)

    def _take_control(self, datagram: bytes, source: Address) -> None:
        if self._codec is not None:
            message = self._codec.decode(datagram)
            if not isinstance(message, Rejection):
                self._receive(message, source)

    def _receive(self, message: Message, source: Address) -> None:
        if isinstance(message, Status) and (self._status is None or message.counter > self._status.counter):
            self._status = message
            self._caster = source  # reports go where status comes from
            self._tell_intake(message)
        self._catcher.receive_message(message, source, self._loop.now())

    def _tell_intake(self, status: Status) -> None:
        if self._intake is not None and self._opener is not None:
            self._intake.believe_tx(status.tx)
            self._opener.expect(state.size_bytes for state in status.objects)

    # pages

    def _open(self, event: SessionOpened) -> None:
        """Pages are to come: get ready for their size and seal."""
        assert self._keys is not None  # the core opens a session by a status, and that
        assert self._status is not None  # was genuine
        assert self._codec is not None
        self._codec.use_report_seal(event.seal)
        slots = Slots(event.geometry, self._slot_count)
        self._opener = PageOpener(event.geometry, PageSealer(self._keys, event.seal), self._catcher, slots)
        self._intake = Intake(
            self._data, event.geometry, session_tag(event.session), self._opener, slots, self._take_control
        )
        self._tell_intake(self._status)

    def _take_opened(self, now: float) -> None:
        """Have opened pages written when they are many, or have waited."""
        intake, opener = self._intake, self._opener
        if intake is None or opener is None:
            return
        counters = self._catcher.counters
        counters.packets_seen = opener.statistics.packets
        counters.kernel_drops = intake.statistics.kernel_drops
        if len(opener.opened) >= PAGES_PER_JOB:
            self._hand_over()
        elif opener.opened and self._write_by is None:
            self._write_by = now + PATIENCE_S

    def _hand_over(self) -> None:
        self._write_by = None
        if self._intake is None or self._opener is None:
            return
        opened, self._opener.opened = self._opener.opened, []
        self._catcher.counters.queue_pages += len(opened)
        for object, group in groupby(opened, key=itemgetter(0)):
            pages = [(page, data) for _, page, data in group]
            numbers = [page for page, _ in pages]
            self._loop.work_if_slow(
                partial(self._write, object, pages), partial(self._written, object, numbers, self._intake.tx_seen)
            )

    def _written(self, object: int, pages: list[int], tx_done: int, _result: None) -> None:
        self._catcher.counters.queue_pages -= len(pages)
        self._catcher.pages_written(object, pages, tx_done, self._loop.now())

    # what goes out

    def _hand_out_events(self) -> None:
        while (event := self._catcher.next_event()) is not None:
            if isinstance(event, SessionOpened):
                self._open(event)
            self._is_ended |= isinstance(event, SessionEnded)
            self._on_event(event)

    def _transmit(self) -> None:
        for send in self._catcher.sends(self._loop.now()):
            if isinstance(send, SendMessage) and self._codec is not None and self._caster is not None:
                datagram = self._codec.encode(send.message)
                try:
                    self._reply.sendto(datagram, self._caster)
                except OSError as error:  # as if lost on the way: everything said is said again
                    self.send_failures += 1
                    self.last_failure = error.strerror or str(error)
