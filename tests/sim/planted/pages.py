"""Faults in keeping account of pages: who has them, who lacks them, and what repairs them."""

from __future__ import annotations

from mrsync.protocol.receiving.assembly import Assembly
from mrsync.protocol.receiving.reception import Reception
from mrsync.protocol.sending import coding
from mrsync.protocol.sending.repairs import Repairs
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.rounds import Rounds
from tests.sim.planted.fault import Fault

RIPE_AT_ONCE = Fault("", Schedule, "_is_ripe", "tx < self._tx_seen and ", "")
ANY_GENERATION = Fault("", Reception, "_assembly_for", "generation > self._generation_max", "False")
PAGE_FAULTS = (
    Fault("a packet counts for two", Assembly, "receive_packets", "~mask", "~(3 * mask)"),
    Fault(
        "opened pages count as written",
        Assembly,
        "frontier",
        "_NOT_HELD",
        're.compile(b"[^" + bytes((OPENED, HELD)) + b"]")',
        "packets are spoilt",
    ),
    Fault(
        "rejected pages are not requested again",
        Assembly,
        "rejected",
        "if key in self._partial:",
        "self._pages[page] = OPENED\n    if key in self._partial:",
        found_by="packets are spoilt",
    ),
    Fault(
        "a rejected page keeps its packets",
        Assembly,
        "rejected",
        "suspects or (1 << count_of(reading)) - 1",
        "self._partial[key]",
        found_by="packets are spoilt",
    ),
    Fault(
        "the highest reading wins",
        Assembly,
        "receive_packets",
        "missing = self._partial.get(key)",
        "missing = self._partial.get(key)\n"
        "    if any(other > reading for other in self._readings.get(page, ())): return Verdict.IGNORE",
        also=ANY_GENERATION,
        found_by="strangers invent packets",
    ),
    Fault(
        "pages under way count as lost",
        Transfer,
        "receive_claim",
        "mask, tx_seen) for",
        "mask, tx_seen + 1) for",
        also=RIPE_AT_ONCE,
        found_by="pages are read again for repairs that leave among first sends",
    ),
    Fault(
        "claims are believed at once",
        Transfer,
        "receive_claim",
        "mask, tx_seen) for",
        "mask, PLANNED) for",
        also=RIPE_AT_ONCE,
    ),
    Fault("a repair is never over", Transfer, "on_repaired", "self._last_tx[page] = tx", "pass"),
    Fault(
        "repairs that no target can decode",
        coding,
        "combine",
        "not taken & targets and ",
        "",
        found_by="one hangs, and the others go on",
    ),
    Fault(
        "pages are repaired by coded packets for ever",
        Repairs,
        "_is_plain",
        "or self._in_vain[page][0] >= CODED_IN_VAIN_MAX",
        "",
        found_by="they need different files, so that they cannot decode for each other",
    ),
    Fault(
        "unwanted pages are cast",
        Rounds,
        "skip_unwanted",
        "self._has_unwanted and",
        "False and",
        found_by="all of it was here before",
    ),
)
