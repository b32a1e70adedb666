"""Reception: the data path of a catcher: objects being received, and how much of what was cast has been heard.

It takes plain numbers, and is called for every page or even packet; the bytes stay with the driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from mrsync.protocol.core.sends import Term
from mrsync.protocol.receiving.assembly import Assembly, Verdict
from mrsync.wire.limits import TX_AHEAD_MAX
from mrsync.wire.messages import ObjectKind, Status


class Reception:
    """Assemblies by object, the highest tx heard, and the highest of which everything wanted is written.

    passes_on: whether a page that does not matter here is to be passed on. holds_back: whether a child is so far behind
    that the sender must not go on as if all were well here.
    """

    def __init__(self, now: float) -> None:
        self.active = ObjectKind.MANIFEST  # the object that reports speak of
        self.tx_seen = 0
        self.tx_done = 0
        self.done_at = now  # when tx_done was reached
        self._generation_max = 0
        self._tx_max = -1  # no packet counts before a status was believed
        self._assemblies: dict[int, Assembly] = {}
        self._opened = 0  # pages opened and not yet written
        self.passes_on: Callable[[int, int], bool] = lambda kind, page: False
        self.holds_back: Callable[[], bool] = lambda: False

    @property
    def assembly(self) -> Assembly | None:
        """That of the active object, once it is known what is wanted of it."""
        return self._assemblies.get(self.active)

    @property
    def is_first_reading(self) -> bool:
        """Whether all that came of the active object is as it was read first."""
        assembly = self.assembly
        return assembly is not None and not assembly.has_rereads

    def __contains__(self, kind: ObjectKind) -> bool:
        return kind in self._assemblies

    def expect(self, kind: ObjectKind, assembly: Assembly) -> None:
        """Receive this object from now on; reports speak of it."""
        self._assemblies[kind] = assembly
        self.active = max(self.active, kind)

    def forget_source(self) -> None:
        """Pages come from somebody else now, whose tx numbers are others: none counts before they were believed."""
        self._tx_max = -1
        self.tx_seen = self.tx_done = 0

    def allow_generations(self, status: Status) -> None:
        """Pages of later generations than a genuine status names are invented, whoever they come from."""
        self._generation_max = status.generation

    def believe(self, status: Status, now: float) -> None:
        """A genuine status of whom the pages come from."""
        self.allow_generations(status)
        self.believe_tx(status.tx, now)
        for kind, assembly in self._assemblies.items():
            assembly.extend_horizon(status.objects[kind].pages_sent)

    def believe_tx(self, tx: int, now: float) -> None:
        """A genuine message had this tx: what claimed a later one before was invented, or overtook it."""
        self._tx_max = tx + TX_AHEAD_MAX
        self.tx_seen = tx
        self.tx_done = min(self.tx_done, tx)
        if self._opened == 0:
            self._done(tx, now)

    def extend_horizon(self, kind: int, pages_sent: int) -> None:
        """So many pages of this object were sent."""
        assembly = self._assemblies.get(kind)
        if assembly is not None:
            assembly.extend_horizon(pages_sent)

    def size_of(self, kind: int) -> int:
        """Bytes of this object; 0 for one that is not expected."""
        assembly = self._assemblies.get(kind)
        return assembly.size_bytes if assembly is not None else 0

    def horizon(self, kind: int) -> int:
        """Pages of this object below were sent, as far as is known here."""
        assembly = self._assemblies.get(kind)
        return assembly.horizon if assembly is not None else 0

    def let_pass(self, kind: int, page: int) -> bool:
        """Need this page to pass it on; False if it is on its way here already."""
        assembly = self._assemblies.get(kind)
        return assembly is not None and assembly.let_pass(page)

    def receive_page(self, kind: int, page: int, generation: int, count: int, tx: int, now: float) -> bool:
        """A whole burst arrived: is the page wanted?"""
        if tx > self.tx_seen and not self._see(tx, now):
            return False
        assembly = self._assemblies.get(kind)
        if assembly is None or generation > self._generation_max:
            return False
        if assembly.receive_page(page, generation, count):
            return True
        return self.passes_on(kind, page) and assembly.let_pass(page) and assembly.receive_page(page, generation, count)

    def receive_packet(
        self, kind: int, page: int, generation: int, index: int, count: int, tx: int, now: float
    ) -> Verdict:
        """One packet of a page arrived: what to do with its bytes."""
        if tx > self.tx_seen and not self._see(tx, now):
            return Verdict.IGNORE
        assembly = self._assemblies.get(kind)
        if assembly is None or generation > self._generation_max:
            return Verdict.IGNORE
        verdict = assembly.receive_packet(page, generation, index, count)
        if verdict == Verdict.IGNORE and self.passes_on(kind, page) and assembly.let_pass(page):
            verdict = assembly.receive_packet(page, generation, index, count)
        return verdict

    def receive_coded(self, kind: int, generation: int, terms: Sequence[Term], tx: int, now: float) -> int:
        """A coded packet arrived: the position of the one term that is missing here, or -1."""
        if tx > self.tx_seen and not self._see(tx, now):
            return -1
        assembly = self._assemblies.get(kind)
        if assembly is None or generation > self._generation_max:
            return -1
        return assembly.receive_coded(generation, terms)

    def opened(self, kind: int, page: int, generation: int) -> bool:
        """The seal was good; True: the page is on its way to the disk, False: it is only passed on."""
        is_wanted = self._assemblies[kind].opened(page, generation)
        self._opened += is_wanted
        return is_wanted

    def rejected(self, kind: int, page: int, reading: int, suspects: int) -> None:
        """The seal was bad: these packets are needed again, or all (0)."""
        self._assemblies[kind].rejected(page, reading, suspects)

    def disowned(self, kind: int, page: int) -> None:
        """An opened page is not what the caster has read."""
        self._assemblies[kind].disowned(page)
        self._opened -= 1

    def forget(self, kind: int, page: int, reading: int) -> None:
        """There is no room for what came of this reading of the page."""
        self._assemblies[kind].forget(page, reading)

    def written(self, kind: int, pages: Sequence[int], tx_done: int, now: float) -> bool:
        """These pages are where they belong, tx_done is that of the last; True if the object is whole now."""
        assembly = self._assemblies[kind]
        assembly.written(pages)
        self._opened -= len(pages)
        self._done(min(tx_done, self.tx_seen) if self._opened else self.tx_seen, now)
        return assembly.is_whole

    def _see(self, tx: int, now: float) -> bool:
        """Note a later tx; False when it is beyond what the caster can have reached."""
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
