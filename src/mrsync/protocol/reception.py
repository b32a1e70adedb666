"""Reception: the data path of a catcher: objects being received, and how much of what was cast has been heard.

It takes plain numbers, and is called for every page or even packet; the bytes stay with the driver.
"""

from __future__ import annotations

from collections.abc import Sequence

from mrsync.protocol.assembly import Assembly, Verdict
from mrsync.protocol.sends import Term
from mrsync.wire.limits import TX_AHEAD_MAX
from mrsync.wire.messages import ObjectKind, Status


class Reception:
    """Assemblies by object, the highest tx heard, and the highest of which everything wanted is written."""

    def __init__(self, now: float) -> None:
        self.active = ObjectKind.MANIFEST  # the object that reports speak of
        self.tx_seen = 0
        self.tx_done = 0
        self.done_at = now  # when tx_done was reached
        self._generation_max = 0
        self._tx_max = -1  # no packet counts before a status was believed
        self._assemblies: dict[int, Assembly] = {}
        self._opened = 0  # pages opened and not yet written

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

    def believe(self, status: Status, now: float) -> None:
        """A genuine status: what claimed a later tx before was invented, or overtook it."""
        self._tx_max = status.tx + TX_AHEAD_MAX
        self._generation_max = status.generation
        self.tx_seen = status.tx
        self.tx_done = min(self.tx_done, status.tx)
        if self._opened == 0:
            self._done(status.tx, now)
        for kind, assembly in self._assemblies.items():
            assembly.extend_horizon(status.objects[kind].pages_sent)

    def receive_page(self, kind: int, page: int, generation: int, count: int, tx: int, now: float) -> bool:
        """A whole burst arrived: is the page wanted?"""
        if tx > self.tx_seen and not self._see(tx, now):
            return False
        assembly = self._assemblies.get(kind)
        if assembly is None or generation > self._generation_max:
            return False
        return assembly.receive_page(page, generation, count)

    def receive_packet(
        self, kind: int, page: int, generation: int, index: int, count: int, tx: int, now: float
    ) -> Verdict:
        """One packet of a page arrived: what to do with its bytes."""
        if tx > self.tx_seen and not self._see(tx, now):
            return Verdict.IGNORE
        assembly = self._assemblies.get(kind)
        if assembly is None or generation > self._generation_max:
            return Verdict.IGNORE
        return assembly.receive_packet(page, generation, index, count)

    def receive_coded(self, kind: int, generation: int, terms: Sequence[Term], tx: int, now: float) -> int:
        """A coded packet arrived: the position of the one term that is missing here, or -1."""
        if tx > self.tx_seen and not self._see(tx, now):
            return -1
        assembly = self._assemblies.get(kind)
        if assembly is None or generation > self._generation_max:
            return -1
        return assembly.receive_coded(generation, terms)

    def opened(self, kind: int, page: int, generation: int) -> None:
        """The seal was good; the page is on its way to the disk."""
        self._assemblies[kind].opened(page, generation)
        self._opened += 1

    def rejected(self, kind: int, page: int, generation: int, suspects: int) -> None:
        """The seal was bad: these packets are needed again, or all (0)."""
        self._assemblies[kind].rejected(page, generation, suspects)

    def forget(self, kind: int, page: int, generation: int) -> None:
        """There is no room for what came of this generation of the page."""
        self._assemblies[kind].forget(page, generation)

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
        if tx > self.tx_done:
            self.tx_done = tx
            self.done_at = now
