"""Faults of flow to plant in the cores; see planted.py."""

from __future__ import annotations

from mrsync.protocol.pace.pacing import Pacing
from mrsync.protocol.sending.flow import Audience
from mrsync.protocol.sending.losses import Losses
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.targets.outbox import Outbox
from tests.sim.planted import Fault

FLOW_FAULTS = (
    Fault(
        "the silent are waited for",
        Audience,
        "is_answering",
        "now - flow.answered_at < ANSWER_S + 2 * self.round_s",
        "True",
        found_by="one hears nothing any more while much is sent, and nobody waits for it",
    ),
    Fault(
        "numbers of packets never end",
        Schedule,
        "exhaustion",
        "self.tx > TX_MAX - TX_ROOM",
        "False",
        found_by="numbers of packets end before the session does",
    ),
    Fault(
        "a new reading is announced as if all that is planned had left",
        Outbox,
        "announce",
        "tx - 1",
        "self._schedule.tx",
        found_by="pages are read again for repairs that leave among first sends",
    ),
    Fault(
        "a full queue is taken for noise",
        Losses,
        "_judge_trial",
        "return LossFinding.CONGESTION",
        "return LossFinding.NOISE",
        found_by="a switch has a slow port and a short queue",
    ),
    Fault(
        "bursts leave whole, whatever they lose",
        Pacing,
        "begin",
        "self.packets_s is None and",
        "False and",
        found_by="a queue is shorter than a burst",
    ),
)
