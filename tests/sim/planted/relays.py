"""Faults of relays."""

from __future__ import annotations

from mrsync.protocol.pace.queue_signals import QueueSignals
from mrsync.protocol.receiving.parent_link import ParentLink
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.targets.chains.hop_paces import HopPaces
from mrsync.protocol.targets.chains.link_failures import LinkFailures
from mrsync.protocol.targets.chains.link_watch import LinkWatch
from mrsync.protocol.targets.chains.relays import Relays
from tests.sim import target
from tests.sim.planted.fault import Fault

RELAY_FAULTS = (
    Fault(
        "a relay that passes nothing on is believed for six seconds",
        LinkWatch,
        "_is_stalled",
        "if waited_s <= STALL_S + slack_s:",
        "if waited_s <= 4 * STALL_S + slack_s:",
        found_by="one passes nothing on, and says that it did",
    ),
    Fault(
        "a target that changes its parent is served by the caster meanwhile",
        Relays,
        "_via",
        "return Via.NOBODY",
        "return Via.CASTER",
        found_by="one in the middle dies, which is noticed",
    ),
    Fault(
        "a relay waits for others to report the same losses, though there are none",
        Schedule,
        "_patience_s",
        "LONE_PATIENCE_S if len(audience.flows) == 1 else",
        "LONE_PATIENCE_S if False else",
        found_by="one percent is lost on every hop, and uplinks make senders wait",
    ),
    Fault(
        "a child says nothing before it hears its parent",
        ParentLink,
        "_follow",
        "if parent is not None:",
        "if False:",
        found_by="their firewalls let in only answers",
    ),
    Fault(
        "targets that do not reach each other wait for each other",
        LinkWatch,
        "is_failing",
        "return now - link.since > TRIAL_S + slack_s",
        "return False",
        found_by="one is not reached by the one before it",
    ),
    Fault(
        "a single loss of a burst that left whole shows a full queue",
        QueueSignals,
        "judge",
        "if are_bursts_whole and",
        "if False and",
        found_by="random losses do not slow a fair chain of busy hosts down",
    ),
    Fault(
        "what a claim waits in the socket of a busy relay counts as a queue of the network",
        target,
        "as_held",
        "waited_us = max(0, round(seconds * 1e6))",
        "waited_us = 0",
        found_by="many random losses do not slow it down either, however late programs read",
    ),
    Fault(
        "links are tried with packets that do not fit everywhere",
        Relays,
        "_tell_news",
        "fitting",
        "step",
        found_by="the path of one takes smaller packets only",
        also=Fault("and again", Relays, "_tell_again", "fitting", "step"),
    ),
    Fault(
        "a target that its parent does not reach takes nobody along",
        LinkFailures,
        "_fail",
        "self._chains.split(child)",
        "self._chains.take_out(child)",
        found_by="two halves do not reach each other",
    ),
    Fault(
        "where all are slow, one after the other is put to the end",
        HopPaces,
        "forget",
        "self._best_lately = 0.0",
        "pass",
        found_by="the uplinks of all have a fifth of their rate left",
    ),
    Fault(
        "two that are late change places for ever",
        LinkFailures,
        "_is_to_blame",
        "and not are_swapped",
        "",
        found_by="two pass everything on a second late",
    ),
)
