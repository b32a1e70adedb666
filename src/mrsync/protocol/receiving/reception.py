"""Reception: the data path of a catcher: objects being received, and up to which tx packets have arrived.

It deals in numbers only, and is called for every page, or even every packet. The bytes stay with the driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from mrsync.protocol.receiving.assembly import Assembly, Verdict
from mrsync.tuples import NamedTuple
from mrsync.wire.limits import TX_AHEAD_MAX
from mrsync.wire.messages import ObjectKind, Status
from mrsync.wire.terms import Term


class Receipt(NamedTuple):
    """What the sender of pages learns of those that arrived: fields of REPORT and CLAIM. 0: nothing came from it."""

    tx_seen: int = 0
    tx_done: int = 0
    hold_us: int = 0
    ended_tx: int = 0
    ended_hold_us: int = 0


class Reception:
    """Assemblies by object, the highest tx received, and the highest tx up to which everything is written.

    forwards: returns whether to forward a page that is not wanted here. holds_back: returns whether a child is so far
    behind that the sender must be slowed down.
    """

    def __init__(self, now: float) -> None:
        self.active = ObjectKind.MANIFEST  # the object of reports
        self.tx_seen = 0
        self.tx_done = 0
        self.done_at = now  # when tx_done was reached
        self.ended_tx = 0  # the last burst whose last packet arrived,
        self._ended_at = now  # and when
        self._generation_max = 0
        self._tx_max = -1  # no packet counts before an authentic status
        self._assemblies: dict[int, Assembly] = {}
        self._opened = 0  # pages that are opened, but not written
        self.forwards: Callable[[int, int], bool] = lambda object, page: False
        self.holds_back: Callable[[], bool] = lambda: False

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
        self.tx_seen = self.tx_done = self.ended_tx = 0

    def receipt(self, now: float) -> Receipt:
        """Return up to which tx pages have arrived and are written, with the times since then."""
        hold_us, ended_hold_us = (max(0, int((now - at) * 1e6)) for at in (self.done_at, self._ended_at))
        return Receipt(self.tx_seen, self.tx_done, hold_us, self.ended_tx, ended_hold_us)

    def _end(self, tx: int, now: float) -> None:
        """Note that the last packet of a burst arrived."""
        if self.ended_tx < tx <= self._tx_max:
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
        self.ended_tx = min(self.ended_tx, tx)
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

    def receive_page(self, object: int, page: int, generation: int, count: int, tx: int, now: float) -> bool:
        """Take a complete burst. Return whether to open the page."""
        self._end(tx, now)
        if tx > self.tx_seen and not self._see(tx, now):
            return False
        assembly = self._assemblies.get(object)
        if assembly is None or generation > self._generation_max:
            return False
        if assembly.receive_page(page, generation, count):
            return True
        is_passing = self.forwards(object, page) and assembly.let_pass(page)
        return is_passing and assembly.receive_page(page, generation, count)

    def receive_packets(
        self, object: int, page: int, generation: int, mask: int, count: int, tx: int, now: float
    ) -> Verdict:
        """Take packets of a page. Return what to do with their bytes."""
        if mask >> count - 1:
            self._end(tx, now)
        if tx > self.tx_seen and not self._see(tx, now):
            return Verdict.IGNORE
        assembly = self._assemblies.get(object)
        if assembly is None or generation > self._generation_max:
            return Verdict.IGNORE
        verdict = assembly.receive_packets(page, generation, mask, count)
        if verdict == Verdict.IGNORE and self.forwards(object, page) and assembly.let_pass(page):
            verdict = assembly.receive_packets(page, generation, mask, count)
        return verdict

    def receive_coded(self, object: int, generation: int, terms: Sequence[Term], tx: int, now: float) -> int:
        """Take a coded packet. Return the index of its only term that is missing here, or -1."""
        if tx > self.tx_seen and not self._see(tx, now):
            return -1
        assembly = self._assemblies.get(object)
        if assembly is None or generation > self._generation_max:
            return -1
        return assembly.receive_coded(generation, terms)

    def opened(self, object: int, page: int, generation: int) -> bool:
        """Note that a seal is valid. Return True if the page is to be written, False if only forwarded."""
        is_wanted = self._assemblies[object].opened(page, generation)
        self._opened += is_wanted
        return is_wanted

    def rejected(self, object: int, page: int, reading: int, suspects: int) -> None:
        """Note that a seal is invalid. suspects: packets to request again; 0: all."""
        self._assemblies[object].rejected(page, reading, suspects)

    def disowned(self, object: int, page: int) -> None:
        """Request an opened page again, because its digest is not the caster's."""
        self._assemblies[object].disowned(page)
        self._opened -= 1

    def forget(self, object: int, page: int, reading: int) -> None:
        """Drop the packets of this reading of a page for lack of room."""
        self._assemblies[object].forget(page, reading)

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
