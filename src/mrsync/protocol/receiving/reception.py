"""Reception: the data path of a catcher: objects being received, and up to which tx packets have arrived.

It deals in numbers only, and is called for every page, or even every packet. The bytes stay with the driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from mrsync.protocol.receiving.assembly import Assembly, Verdict
from mrsync.tuples import NamedTuple
from mrsync.wire.header import Header
from mrsync.wire.limits import TX_AHEAD_MAX
from mrsync.wire.messages import ObjectKind, Status
from mrsync.wire.terms import Term


class Counters:
    """Counts of packets and pages, each reported in the field of REPORT with the same name.

    The driver adds to them, too.
    """

    def __init__(self) -> None:
        self.kernel_drops = 0
        self.packets_seen = 0  # of pages, and coded ones
        self.packets_rejected = 0  # not authentic, or of another session
        self.pages_rejected = 0
        self.unverified = 0  # 1 + the first page that waits for its digest; 0: none
        self.coded_useless = 0
        self.queue_pages = 0
        self.packets_marked = 0  # by routers whose queues are long (ECN)


class Receipt(NamedTuple):
    """Fields of REPORT and CLAIM that tell the sender of pages which ones arrived. 0: nothing came from it."""

    tx_seen: int = 0
    tx_done: int = 0
    hold_us: int = 0
    ended_tx: int = 0
    ended_hold_us: int = 0


class Reception:
    """Assemblies by object, the highest tx received, and the highest tx up to which everything is written.

    forwards: returns whether to forward a page that is not wanted here. holds_back: returns whether a child is so far
    behind that the sender must be slowed down. on_burst: called with the time when a later burst begins and does not
    come whole. on_ignored: called with the time after something came that is not needed here. on_opened: called with
    object and page when a seal was valid.
    """

    def __init__(self, now: float) -> None:
        self.counters = Counters()
        self.active = ObjectKind.MANIFEST  # the object of reports
        self.tx_seen = 0
        self.tx_done = 0
        self.done_at = now  # when tx_done was reached
        self.ended_tx = 0  # the last burst whose last packet arrived,
        self._ended_at = now  # and when
        self._ended_before = 0  # the last one that a status has confirmed; ends of earlier bursts are repeated ones
        self._generation_max = 0
        self._tx_max = -1  # no packet counts before an authentic status
        self._assemblies: dict[int, Assembly] = {}
        self._opened = 0  # pages that are opened, but not written
        self.forwards: Callable[[int, int], bool] = lambda object, page: False
        self.holds_back: Callable[[], bool] = lambda: False
        self.on_burst: Callable[[float], None] = lambda now: None
        self.on_ignored: Callable[[float], None] = lambda now: None
        self.on_opened: Callable[[int, int], None] = lambda object, page: None

    @property
    def assembly(self) -> Assembly | None:
        """The assembly of the active object, or None before its wanted pages are known."""
        return self._assemblies.get(self.active)

    @property
    def is_first_reading(self) -> bool:
        """Whether all pages of the active object are from their first reading."""
        assembly = self.assembly
        return assembly is not None and not assembly.has_rereads

    def __contains__(self, object: ObjectKind) -> bool:
        return object in self._assemblies

    def expect(self, object: ObjectKind, assembly: Assembly) -> None:
        """Receive this object from now on. It becomes the active one."""
        self._assemblies[object] = assembly
        self.active = max(self.active, object)

    def forget_source(self) -> None:
        """Forget tx numbers, because pages come from another sender, whose numbers are unrelated."""
        self._tx_max = -1
        self.tx_seen = self.tx_done = self.ended_tx = self._ended_before = 0

    def receipt(self, now: float) -> Receipt:
        """Return up to which tx pages have arrived and are written, with the times since then."""
        hold_us, ended_hold_us = (max(0, int((now - at) * 1e6)) for at in (self.done_at, self._ended_at))
        return Receipt(self.tx_seen, self.tx_done, hold_us, self.ended_tx, ended_hold_us)

    def _end(self, tx: int, now: float) -> None:
        """Note that the last packet of a burst arrived.

        The later one counts, not the one with the higher tx: a forged tx would keep all true ones from counting until
        they reach it, and a burst that leaves slowly has a lower tx than a status that leaves meanwhile.
        """
        if self._ended_before < tx <= self._tx_max and tx != self.ended_tx:
            self.ended_tx, self._ended_at = tx, now

    def allow_generations(self, status: Status) -> None:
        """Accept only generations up to that of an authentic status. Later ones are forged."""
        self._generation_max = status.generation

    def believe(self, status: Status, now: float) -> None:
        """Take an authentic status of the sender of pages."""
        self.allow_generations(status)
        self.believe_tx(status.tx, now)
        for object, assembly in self._assemblies.items():
            assembly.extend_horizon(status.objects[object].pages_sent)

    def believe_tx(self, tx: int, now: float) -> None:
        """Take the tx of an authentic message. Packets that claimed a later one were forged, or overtook it."""
        self._tx_max = tx + TX_AHEAD_MAX
        self.tx_seen = tx
        if self.ended_tx <= tx:
            self._ended_before = self.ended_tx
        self.tx_done = min(self.tx_done, tx)
        if self._opened == 0:
            self._done(tx, now)

    def extend_horizon(self, object: int, pages_sent: int) -> None:
        """Note that this many pages of an object were sent."""
        assembly = self._assemblies.get(object)
        if assembly is not None:
            assembly.extend_horizon(pages_sent)

    def size_of(self, object: int) -> int:
        """Return the size of an object in bytes, or 0 if it is not expected."""
        assembly = self._assemblies.get(object)
        return assembly.size_bytes if assembly is not None else 0

    def horizon(self, object: int) -> int:
        """Return the page up to which pages of an object are known to have been sent."""
        assembly = self._assemblies.get(object)
        return assembly.horizon if assembly is not None else 0

    def next_held(self, object: int, first: int, end: int) -> int:
        """Return the first of the pages [first, end) that is held, and not requested again; -1: there is none."""
        assembly = self._assemblies.get(object)
        return assembly.next_held(first, end) if assembly is not None else -1

    def let_pass(self, object: int, page: int) -> bool:
        """Request a held page again, to forward it. Return False if it is not held, or already requested."""
        assembly = self._assemblies.get(object)
        return assembly is not None and assembly.let_pass(page)

    # what arrives: see `PageSink` in transport/pages/opener.py

    def receive_page(self, header: Header, now: float) -> bool:
        """Take a complete burst. Return whether to open the page; then page_opened or page_rejected must follow.

        header: of any of its packets. It is not authentic yet.
        """
        _, _, count, object, _, _, generation, _, page, tx = header
        self._end(tx, now)
        assembly = self._assembly_for(object, generation, tx, now)
        if assembly is not None and (
            assembly.receive_page(page, generation, count)
            or (self._passes(assembly, object, page) and assembly.receive_page(page, generation, count))
        ):
            return True
        self.on_ignored(now)
        return False

    def receive_packets(self, header: Header, mask: int, now: float) -> Verdict:
        """Take packets of a page. Return what to do with their bytes.

        header: of any of them. It is not authentic yet. mask: bit set of their indices.
        """
        _, _, count, object, _, _, generation, _, page, tx = header
        if tx > self.tx_seen:
            self.on_burst(now)
        if mask >> count - 1:
            self._end(tx, now)
        assembly, verdict = self._assembly_for(object, generation, tx, now), Verdict.IGNORE
        if assembly is not None:
            verdict = assembly.receive_packets(page, generation, mask, count)
            if verdict == Verdict.IGNORE and self._passes(assembly, object, page):
                verdict = assembly.receive_packets(page, generation, mask, count)
        if verdict == Verdict.IGNORE:
            self.on_ignored(now)
        return verdict

    def receive_coded(self, header: Header, terms: Sequence[Term], now: float) -> int:
        """Take a coded packet. Return the index of its only term that is missing here, or -1.

        header: its own. It is not authentic yet. terms: the pages and packets that it combines.
        """
        if header.tx > self.tx_seen:
            self.on_burst(now)
        assembly = self._assembly_for(header.object, header.generation, header.tx, now)
        missing = assembly.receive_coded(header.generation, terms) if assembly is not None else -1
        if missing < 0:
            self.on_ignored(now)
        return missing

    def _assembly_for(self, object: int, generation: int, tx: int, now: float) -> Assembly | None:
        """Note the tx of a packet. Return the assembly of its object, or None if it is forged or not expected."""
        if (tx > self.tx_seen and not self._see(tx, now)) or generation > self._generation_max:
            return None
        return self._assemblies.get(object)

    def _passes(self, assembly: Assembly, object: int, page: int) -> bool:
        """Return whether a page that is not wanted here is received all the same, to be forwarded."""
        return self.forwards(object, page) and assembly.let_pass(page)

    def coded_useless(self) -> None:
        """Count a coded packet that was useless, because another term was no longer in memory."""
        self.counters.coded_useless += 1

    def page_opened(self, object: int, page: int, generation: int) -> bool:
        """Note that a seal is valid. Return True if the page is to be written, False if only forwarded."""
        is_wanted = self._assemblies[object].opened(page, generation)
        self._opened += is_wanted
        self.on_opened(object, page)
        return is_wanted

    def page_rejected(self, object: int, page: int, reading: int, suspects: int) -> None:
        """Note that the seal of a reading (see `reading_of`) of a page is invalid.

        suspects: bit set of packets to request again; 0: all.
        """
        self._assemblies[object].rejected(page, reading, suspects)
        self.counters.pages_rejected += 1

    def packets_dropped(self, object: int, page: int, reading: int) -> None:
        """Note that the packets of this reading of a page were dropped for lack of room."""
        self._assemblies[object].forget(page, reading)

    # what becomes of opened pages

    def disowned(self, object: int, page: int) -> None:
        """Request an opened page again: its digest is not the caster's, so another member has forged it."""
        self._assemblies[object].disowned(page)
        self._opened -= 1
        self.counters.pages_rejected += 1

    def written(self, object: int, pages: Sequence[int], tx_done: int, now: float) -> bool:
        """Note that pages are written. tx_done: tx of the last one. Return whether the object is complete."""
        assembly = self._assemblies[object]
        assembly.written(pages)
        self._opened -= len(pages)
        self._done(min(tx_done, self.tx_seen) if self._opened else self.tx_seen, now)
        return assembly.is_whole

    def _see(self, tx: int, now: float) -> bool:
        """Note a later tx. Return False if the sender cannot have reached it yet."""
        if tx > self._tx_max:
            return False
        self.tx_seen = tx
        if self._opened == 0:
            self._done(tx, now)
        return True

    def _done(self, tx: int, now: float) -> None:
        if tx > self.tx_done and not self.holds_back():
            self.tx_done = tx
            self.done_at = now
