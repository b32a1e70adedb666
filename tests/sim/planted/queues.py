"""Faults that show on busy hosts, and where a session shares a queue with others."""

from __future__ import annotations

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.pace.cubic import Cubic
from mrsync.protocol.pace.pathsignals import PathSignals
from mrsync.protocol.pace.queueing import Queueing
from mrsync.protocol.pace.regrowth import Regrowth
from mrsync.protocol.pace.slowstart import SlowStart
from tests.sim.planted.fault import Fault

LATE = "late programs at targets are not taken for a queue"

QUEUE_FAULTS = (
    Fault("one late program is taken for a queue", Queueing, "add", "min(self._last)", "rtt_s", found_by=LATE),
    Fault("a window that late programs cut grows slowly", Regrowth, "growth", "GROWTH * packets", "0.0", found_by=LATE),
    Fault(
        "every target reports as often as a monitor",
        Catcher,
        "pages_written",
        "and self._config.target in status.monitors",
        "",
        found_by="a slow processor is kept busy by reports",
    ),
    Fault(
        "the window doubles until packets are lost",
        SlowStart,
        "on_seen",
        "self._queued < LASTING_SHARE * size",
        "True",
        found_by="a fair session finds the rate of an empty path without filling its queue",
    ),
    Fault(
        "every loss is known as noise",
        PathSignals,
        "shows_congestion",
        "return self.noise.is_exceeded(packets, lost)",
        "return False",
        found_by="a TCP connection keeps a queue while a fair session goes on for long",
    ),
    Fault(
        "a cut leaves the window as it is",
        Cubic,
        "on_congestion",
        "beta * self.size",
        "self.size",
        found_by="a TCP connection keeps a queue while a fair session goes on for long",
    ),
    Fault(
        "every loss is taken for a full queue",
        Queueing,
        "is_full",
        "depth > self.noise_s and self.queue_s > depth / 2",
        "True",
        found_by="nobody else is there, and random losses do not slow a fair session down",
    ),
)
