"""PageReceiver: the pages of a session, from the sockets to the disk.

An Intake for each socket receives their packets, the PageOpener checks their seals, and the PageWriter writes them.

If the caster signs, a page waits in the PageVerifier until its digest is known. Then it waits in `_pages`, and is
written in a group of PAGES_PER_JOB, or after PATIENCE_S.

pages_written reports a page together with tx_done, up to which everything that arrived was written. So a page must not
be overtaken: writes are in the order of arrival, and tx_done stays below pages that wait for a digest, unless these
are only the last ones whose digests may be lost; see `PageVerifier.tx_done`.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Callable

from mrsync.protocol.catcher import Catcher
from mrsync.transport.loop import Loop
from mrsync.transport.naps import NAP_MIN_S, Naps
from mrsync.transport.network.multicast import granted_buffer
from mrsync.transport.network.paths import Address
from mrsync.transport.pages.intake import Intake
from mrsync.transport.pages.opener import OpenedPage, PageOpener
from mrsync.transport.pages.slots import SLOTS, Slots
from mrsync.transport.verifying import PageVerifier
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import Digests, NetworkShare, Status
from mrsync.wire.seals.proofs import seal_proof
from mrsync.wire.seals.sealing import PageSealer

NAP_BUFFER_BYTES = 8 << 20  # several times what arrives in 1 ms at 10 Gbit/s
QUIET_S = 0.02  # after which an unfinished run is reported: a page takes so long at 25 Mbit/s, or on a busy host
QUEUE_PAGES_MAX = 1024  # more than any window, so only a caster without flow control exceeds it
PAGES_PER_JOB = 8  # half a megabyte, which is still in the processor's cache when it is written
PATIENCE_S = 0.001  # longest time for which a page waits to be written with others

TakeControl = Callable[[socket.socket, bytes, Address], None]
WritePages = Callable[[int, list[tuple[int, bytes, bytes]]], None]  # object, [(page, plaintext, proof)]


class OpenSession(NamedTuple):
    """Properties of the pages of an open session.

    tag: in the headers of packets. is_signed: whether the caster signs digests. share: that of the network which the
    session takes.
    """

    tag: int
    geometry: Geometry
    sealer: PageSealer
    is_signed: bool
    share: NetworkShare


class PageReceiver:
    """Receive pages of a session from sockets.

    sockets: how many may be added. write: see `CatcherDriver`. take_control: called with control datagrams and the
    socket on which they came.
    """

    def __init__(
        self,
        catcher: Catcher,
        loop: Loop,
        session: OpenSession,
        *,
        sockets: int,
        write: WritePages,
        take_control: TakeControl,
    ) -> None:
        self.geometry = session.geometry
        self.slots = Slots(session.geometry, SLOTS, sockets=sockets)
        self.opener = PageOpener(session.geometry, session.sealer, catcher.reception, self.slots)
        self.unread: set[socket.socket] = set()  # sockets that may have more to read than was read in this pass
        self._catcher = catcher
        self._loop = loop
        self._session_tag = session.tag
        self._take_control = take_control
        self._is_timed = session.share is not NetworkShare.ALL
        self._naps = Naps()
        self._writer = PageWriter(
            catcher, loop, write, is_signed=session.is_signed, tx_seen=lambda: self._tx_seen, on_false=self._drop_page
        )
        self._intakes: dict[socket.socket, Intake] = {}
        self._is_roomy = True  # all sockets have buffers in which packets wait while we sleep
        self._quiet_by: float | None = None  # when to report an unfinished run to the state machine

    def add(self, opened: socket.socket, parent: Address | None, caster: Address | None, status: Status | None) -> None:
        """Take pages from this socket, too. parent: where they come from, None: from the caster, at this address."""
        self._intakes[opened] = intake = Intake(
            opened,
            self.geometry,
            self._session_tag,
            self.opener,
            self.slots,
            partial(self._take_control, opened),
            clock=self._loop.now if self._is_timed else None,
        )
        self._is_roomy &= granted_buffer(opened) >= NAP_BUFFER_BYTES
        intake.senders.follow(parent)  # which may feed us before the session opens
        if status is not None:
            self.believe(status, caster)

    def close(self) -> None:
        """Take no more pages."""
        self._writer.close()

    @property
    def deadlines(self) -> Iterable[float | None]:
        """The time at which `keep_time` has something to do. None: there is nothing now."""
        return (self._quiet_by, *self._writer.deadlines)

    def keep_time(self, now: float) -> None:
        """Do what is due."""
        if self._quiet_by is not None and self._quiet_by <= now:
            self._quiet_by = None
            self.end_runs(now)  # no further packets arrived, so the rest of the page may be lost
            self._take_opened(now)
        self._writer.keep_time(now)

    def receive_digests(self, digests: Digests) -> None:
        """Take digests that the caster signed."""
        self._writer.receive_digests(digests)

    def holds(self, object: int, page: int) -> bool:
        """Return whether a page is here as it was sealed, to be forwarded."""
        return self.slots.whole((object, page)) is not None

    # sockets

    def receive(self, opened: socket.socket, now: float, *, is_busy: bool) -> None:
        """Read from a socket. is_busy: pages come there, so that it pays to sleep until more of them have arrived."""
        if self._catcher.counters.queue_pages > QUEUE_PAGES_MAX:
            self.unread.add(opened)
            self._loop.nap(NAP_MIN_S)  # the disk is too slow; packets that overflow the socket buffer will be repaired
            return
        intake = self._intakes[opened]
        before = intake.statistics.bytes
        if intake.drain(now):
            self.unread.add(opened)
        elif self._is_roomy and is_busy:
            self._loop.nap(self._naps.after(intake.statistics.bytes - before))
        self._quiet_by = now + QUIET_S if any(other.is_midway for other in self._intakes.values()) else None
        self._take_opened(now)

    def waited_s(self, opened: socket.socket, now: float) -> float:
        """Return how long the datagram that was read last waited in this socket, as far as the kernel was asked."""
        return now - self._intakes[opened].arrived_at(now)

    def end_runs(self, now: float) -> None:
        """Report the packets of unfinished runs to the state machine."""
        for intake in self._intakes.values():
            intake.end_run(now)

    def _take_opened(self, now: float) -> None:
        """Update counters, and pass opened pages on to be written."""
        heard = [intake.statistics for intake in self._intakes.values()]
        counters = self._catcher.counters
        counters.packets_seen = self.opener.statistics.packets
        counters.packets_marked = sum(statistics.marked for statistics in heard)
        counters.kernel_drops = sum(statistics.kernel_drops for statistics in heard)
        opened, self.opener.opened = self.opener.opened, []
        if opened:
            self._writer.take(opened, now)

    @property
    def packets_rejected(self) -> int:
        """Number of packets that were not authentic or malformed."""
        heard = [intake.statistics for intake in self._intakes.values()]
        return self.opener.statistics.strange + sum(statistics.strange + statistics.foreign for statistics in heard)

    @property
    def _tx_seen(self) -> int:
        return max(intake.senders.tx_seen for intake in self._intakes.values())

    def _drop_page(self, object: int, page: int) -> None:
        self.slots.drop_whole((object, page))

    # trusted senders

    def believe(self, status: Status, caster: Address | None) -> None:
        """Take an authentic status. caster: the address of the session's caster."""
        for intake in self._intakes.values():
            intake.senders.believe(status.tx, caster)
        self.opener.expect(state.size_bytes for state in status.objects)

    def believe_parent(self, tx: int) -> None:
        """Note an authentic message of the parent with this tx."""
        for intake in self._intakes.values():
            intake.senders.believe_parent(tx)

    def follow(self, parent: Address | None) -> None:
        """Take pages from this parent. None: from the caster."""
        self.end_runs(self._loop.now())  # their tx numbers mean nothing to the next sender
        for intake in self._intakes.values():
            intake.senders.follow(parent)

    def set_peers(self, peers: Collection[Address], *, has_unknown_children: bool) -> None:
        """Set the addresses of the parent and of children. has_unknown_children: others may claim, too."""
        for intake in self._intakes.values():
            intake.senders.set_peers(peers, has_unknown_children=has_unknown_children)


class PageWriter:
    """Verify and write opened pages, and report the written ones to the state machine.

    is_signed: whether the caster signs digests. tx_seen: returns the tx up to which everything has arrived. on_false:
    called with object and page whose digest did not match or never came.
    """

    def __init__(
        self,
        catcher: Catcher,
        loop: Loop,
        write: WritePages,
        *,
        is_signed: bool,
        tx_seen: Callable[[], int],
        on_false: Callable[[int, int], None],
    ) -> None:
        self._catcher = catcher
        self._loop = loop
        self._write = write
        self._tx_seen = tx_seen
        self._on_false = on_false
        self._verifier: PageVerifier | None = None
        if is_signed:
            self._verifier = PageVerifier(loop, on_verified=self._take_pages, on_false=self._disown)
        self._pages: list[tuple[int, int, bytes, bytes]] = []  # to be written: object, page, plaintext, proof
        self._ask_at: float | None = None  # when to look for overdue digests
        self._write_by: float | None = None  # when to write the waiting pages, however few

    @property
    def deadlines(self) -> tuple[float | None, float | None]:
        """The time at which `keep_time` has something to do. None: there is nothing now."""
        return self._write_by, self._ask_at

    def close(self) -> None:
        """Stop the thread that computes digests."""
        if self._verifier is not None:
            self._verifier.close()

    def take(self, opened: Sequence[OpenedPage], now: float) -> None:
        """Take pages whose seal was valid, in the order of arrival."""
        self._catcher.counters.queue_pages += len(opened)
        if self._verifier is None:
            self._take_pages(
                [(object, page, data, seal_proof(generation, tag)) for object, page, generation, data, tag in opened]
            )
            return
        self._verifier.take(opened, self._tx_seen(), now)
        if self._ask_at is None:
            self._ask_at = now + self._verifier.overdue_s

    def receive_digests(self, digests: Digests) -> None:
        """Take digests that the caster signed."""
        if self._verifier is not None:
            self._verifier.receive(digests, self._loop.now())

    def keep_time(self, now: float) -> None:
        """Do what is due."""
        if self._write_by is not None and self._write_by <= now:
            self._hand_over()
        if self._ask_at is not None and self._ask_at <= now:
            self._ask_digests(now)

    def _take_pages(self, pages: list[tuple[int, int, bytes, bytes]]) -> None:
        """Take pages that are verified. Write them when there are enough of them, or after PATIENCE_S."""
        self._pages += pages
        if len(self._pages) >= PAGES_PER_JOB:
            self._hand_over()
        elif self._write_by is None:
            self._write_by = self._loop.now() + PATIENCE_S

    def _disown(self, object: int, page: int, generation: int) -> None:
        self._on_false(object, page)
        self._catcher.counters.queue_pages -= 1
        self._catcher.page_disowned(object, page)

    def _ask_digests(self, now: float) -> None:
        """Request digests that may have been lost."""
        assert self._verifier is not None  # else no time was set
        self._verifier.give_up(now)
        page = self._verifier.overdue(self._catcher.active, now)
        self._ask_at = now + self._verifier.overdue_s if self._verifier.is_waiting else None
        if page is not None:
            self._catcher.ask_digests(page, now)
        else:
            self._catcher.counters.unverified = 0

    def _hand_over(self) -> None:
        self._write_by = None
        pages, self._pages = self._pages, []
        tx_done = self._tx_seen()
        if self._verifier is not None:
            tx_done = self._verifier.tx_done(tx_done, self._loop.now())
        for object, group in groupby(pages, key=itemgetter(0)):
            of_object = [page[1:] for page in group]
            numbers = [page[0] for page in of_object]
            written = partial(self._written, object, numbers, tx_done)
            self._loop.work_if_slow(partial(self._write, object, of_object), written)

    def _written(self, object: int, pages: list[int], tx_done: int, _result: None) -> None:
        self._catcher.counters.queue_pages -= len(pages)
        self._catcher.pages_written(object, pages, tx_done, self._loop.now())
