"""Faults in the flow of packets: windows, losses, pauses."""

from __future__ import annotations

from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.pace.pacing import Pacing
from mrsync.protocol.sending.departures import Departures
from mrsync.protocol.sending.flow import Audience
from mrsync.protocol.sending.loss_trials import LossTrials
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.sending.window import Window
from mrsync.protocol.targets.outbox import Outbox
from tests.sim.planted.fault import Fault

FLOW_FAULTS = (
    Fault("targets are not polled", Schedule, "handle_timeout", "return True", "return False"),
    Fault(
        "silent targets clock the caster",
        Audience,
        "is_answering",
        "now - flow.answered_at < ANSWER_S + 2 * self.cycle_s",
        "True",
        found_by="one is isolated, and the others do not wait for it",
    ),
    Fault(
        "noise narrows the window for good",
        LossTrials,
        "_judge_trial",
        "return LossVerdict.NOISE",
        "return LossVerdict.CONGESTION",
        found_by="four late programs lose two packets in five, and nobody is given up",
    ),
    Fault(
        "packets in flight count as queued",
        Window,
        "on_progress",
        "self._on_the_way = delay.floor_s",
        "self._on_the_way = 0",
        found_by="a long way is filled, though buffers are small",
    ),
    Fault(
        "silent targets are waited for",
        Audience,
        "is_answering",
        "now - flow.answered_at < ANSWER_S + 2 * self.cycle_s",
        "True",
        found_by="one hears nothing any more while much is sent, and nobody waits for it",
    ),
    Fault(
        "transmission numbers never run out",
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
        LossTrials,
        "_judge_trial",
        "return LossVerdict.CONGESTION",
        "return LossVerdict.NOISE",
        found_by="a switch has a slow port and a short queue",
    ),
    Fault(
        "bursts that are planned together count as if they left together",
        Departures,
        "on_left",
        "self._at[tx & TIMES - 1] = self._last = now",
        "pass",
        found_by="one is far away, behind 2 Mbit/s",
    ),
    Fault(
        "a queue that was seen once is thought to answer all losses",
        Courtesy,
        "sees_full_queue",
        "queueing.is_full",
        "queueing.depth_s > 0.0025",
        found_by="the same, and late programs look like a longer queue",
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
