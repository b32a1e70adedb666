"""Faults that show on busy hosts, and where a session shares a queue with others."""

from __future__ import annotations

from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.pace.cubic import Cubic
from mrsync.protocol.pace.ledbat import Ledbat
from mrsync.protocol.pace.noise import Noise
from mrsync.protocol.pace.queue_signals import QueueSignals
from mrsync.protocol.pace.queueing import Queueing
from mrsync.protocol.pace.slowstart import SlowStart
from mrsync.protocol.receiving.report_turns import ReportTurns
from tests.sim.planted.fault import Fault

EMPTY_PATH = "a fair session finds the rate of an empty path and hardly loses anything"
MANY_LOSE = "four lose a packet in twenty, and a fair session fills the link all the same"

QUEUE_FAULTS = (
    Fault(
        "every target reports as often as a monitor",
        ReportTurns,
        "is_due",
        "and self._target in status.monitors",
        "",
        found_by="a slow processor is kept busy by reports",
    ),
    Fault(
        "the window doubles until packets are lost",
        SlowStart,
        "on_seen",
        "self._queued < LASTING_SHARE * size",
        "True",
        found_by=EMPTY_PATH,
    ),
    Fault(
        "until the first loss the window grows as if nothing queued",
        Cubic,
        "on_seen",
        "GROWTH_BUSY if signals.queueing.is_busy else GROWTH",
        "1.0",
        found_by=EMPTY_PATH,
    ),
    Fault(
        "every loss is known as noise",
        QueueSignals,
        "judge",
        "LossVerdict.CONGESTION if self.noise.is_exceeded(packets, lost) else LossVerdict.NOTHING",
        "LossVerdict.NOTHING",
        found_by=EMPTY_PATH,
    ),
    Fault(
        "a cut leaves the window as it is",
        Cubic,
        "on_congestion",
        "beta * self.size",
        "self.size",
        found_by="a TCP connection shares a short queue, and gets its share",
    ),
    Fault(
        "a longer path is taken for a queue until the shorter one is forgotten",
        Queueing,
        "_lengthen",
        "if not way_s:",
        "if True:",
        found_by="a path becomes longer while packets are lost on it",
    ),
    Fault(
        "a polite session gives way completely",
        Ledbat,
        "_floor_s",
        "FLOOR_SHARE * self._best_s",
        "0.0",
        found_by="a TCP connection keeps a deep queue, and a polite session ends all the same",
    ),
    Fault(
        "every loss is taken for a full queue",
        Queueing,
        "is_full",
        "is_lasting and depth > jitter_s and self.queue_s > depth / 2",
        "True",
        found_by="random losses do not slow a fair session down where its queue is short",
    ),
    Fault(
        "cuts stay when it turns out that noise caused them",
        Noise,
        "_clears",
        "self._blamed_lost <= expected + SIGMAS_BLAMED * self._deviation(expected)",
        "False",
        found_by=MANY_LOSE,
    ),
    Fault(
        "what a path is like is forgotten with each election",
        Courtesy,
        "_signals_of",
        "not in self._signals",
        "not in self._bottlenecks",
        found_by=MANY_LOSE,
        also=Fault("and so is the window", Courtesy, "listen_to", "self._former |= before", "pass"),
    ),
    Fault(
        "the first window is the same on long paths",
        Cubic,
        "on_seen",
        "max(self.size, first_size(signals))",
        "self.size",
        found_by="a long path is filled soon",
    ),
)
