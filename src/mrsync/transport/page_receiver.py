"""PageReceiver: the pages of a session, from the sockets on.

An Intake for each socket receives their packets, the PageOpener checks their seals, and the PageWriter writes them.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable
from functools import partial
from typing import Callable

from mrsync.protocol.catcher import Catcher
from mrsync.transport.loop import Loop
from mrsync.transport.naps import NAP_MIN_S, Naps
from mrsync.transport.network.multicast import granted_buffer
from mrsync.transport.network.paths import Address
from mrsync.transport.page_writer import PageWriter, WritePages
from mrsync.transport.pages.intake import Intake
from mrsync.transport.pages.opener import PageOpener
from mrsync.transport.pages.slots import SLOTS, Slots
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import Digests, NetworkShare, Status
from mrsync.wire.seals.sealing import PageSealer

NAP_BUFFER_BYTES = 8 << 20  # several times what arrives in 1 ms at 10 Gbit/s
QUIET_S = 0.02  # after which an unfinished run is reported: a page takes so long at 25 Mbit/s, or on a busy host
QUEUE_PAGES_MAX = 1024  # more than any window, so only a caster without flow control exceeds it

TakeControl = Callable[[socket.socket, bytes, Address], None]


class PageReceiver:
    """Receive pages from sockets.

    session_tag: as in packet headers. sockets: how many may be added. share: what the session leaves to others.
    write: see `CatcherDriver`. take_control: called with control datagrams and the socket on which they came.
    """

    def __init__(
        self,
        catcher: Catcher,
        loop: Loop,
        sealer: PageSealer,
        geometry: Geometry,
        session_tag: int,
        *,
        sockets: int,
        share: NetworkShare,
        is_signed: bool,
        write: WritePages,
        take_control: TakeControl,
    ) -> None:
        self.geometry = geometry
        self.slots = Slots(geometry, SLOTS, sockets=sockets)
        self.opener = PageOpener(geometry, sealer, catcher, self.slots)
        self.unread: set[socket.socket] = set()  # sockets that may have more to read than was read in this turn
        self._catcher = catcher
        self._loop = loop
        self._session_tag = session_tag
        self._take_control = take_control
        self._is_timed = share is not NetworkShare.ALL
        self._naps = Naps()
        self._writer = PageWriter(
            catcher, loop, write, is_signed=is_signed, tx_seen=lambda: self._tx_seen, on_false=self._drop_page
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
            is_timed=self._is_timed,
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
        """When `keep_time` has something to do; None: not for now."""
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

    # whom to believe

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
