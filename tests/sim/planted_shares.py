"""Faults in how a session shares a queue with others; see planted.py."""

from __future__ import annotations

from mrsync.protocol.pace.queueing import Queueing
from tests.sim.planted import Fault

SHARE_FAULTS = (
    Fault(
        "every loss is taken for a full queue",
        Queueing,
        "is_full",
        "depth > self.noise_s and self.queue_s > depth / 2",
        "True",
        found_by="nobody else is there, and random losses do not slow a fair session down",
    ),
)
