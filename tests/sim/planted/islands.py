"""Faults of islands."""

from __future__ import annotations

from mrsync.protocol.receiving.children import Children
from mrsync.protocol.targets.chains.link_failures import LinkFailures
from mrsync.protocol.targets.chains.link_watch import LinkWatch
from tests.sim.planted.fault import Fault

ISLAND_FAULTS = (
    Fault(
        "a relay goes on to the next object when one of its island has begun it",
        Children,
        "needed_by",
        "return min([claim.active, *(child.claim.active for child in others if child.claim is not None)])",
        "return claim.active",
        found_by="a twentieth is lost on the way to each",
    ),
    Fault(
        "a relay that most of its island get nothing from stays its relay",
        LinkFailures,
        "_fail_in",
        "self._chains.move_last(island.relay)",
        "pass",
        found_by="the relay passes nothing on, and says that it did",
    ),
    Fault(
        "a network without multicast is tried as long as a link that is blocked",
        LinkWatch,
        "_is_unheard",
        "return link.is_on_trial and is_over",
        "return False",
        found_by="no island after all",
    ),
    Fault(
        "who does not hear the relay is not fed by another one",
        LinkFailures,
        "_fail_in",
        "self._chains.move_last(link.child)",
        "pass",
        found_by="one does not hear the others' multicast",
    ),
)
