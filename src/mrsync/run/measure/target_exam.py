"""Collect what the probe and the echoes of one target say during an examination."""

from __future__ import annotations

import time
from collections.abc import Mapping

from mrsync.protocol.core.histogram import Histogram
from mrsync.run.measure.evidence import Evidence, Throughput
from mrsync.run.measure.facts import FAST, SLOW, DiskFacts, HostCounters, HostFacts, VolumeFacts


class TargetExam:
    """One target under examination.

    facts: None until its probe has answered. reason: why the probe did not start or has ended; None while it runs.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.facts: HostFacts | None = None
        self.disk: DiskFacts | None = None
        self._counters = HostCounters()
        self._volumes: dict[int, VolumeFacts] = {}
        self._round_trips = Histogram()
        self._clock_offset_s: float | None = None

    def add_fact(self, fact: HostFacts | DiskFacts | HostCounters | VolumeFacts) -> None:
        """Take a fact from the probe."""
        if isinstance(fact, HostFacts):
            self.facts = fact
            if self._clock_offset_s is None:
                self._clock_offset_s = fact.clock_us / 1e6 - time.time()  # too low by the delay of the remote shell
        elif isinstance(fact, DiskFacts):
            self.disk = fact
        elif isinstance(fact, HostCounters):
            self._counters = fact
        else:
            self._volumes[fact.series] = fact

    def add_echo(self, rtt_s: float, clock_us: int, age_s: float) -> None:
        """Take an echo that arrived age_s seconds ago.

        rtt_s: its round trip, without the time that the target held it. clock_us: the target's clock when it sent the
        echo, in microseconds since 1970.
        """
        self._round_trips.add(rtt_s)
        left_at = time.time() - age_s - max(0.0, rtt_s) / 2
        self._clock_offset_s = clock_us / 1e6 - left_at

    def evidence(self, host: str, flows: Mapping[int, Throughput]) -> Evidence:
        """Return the evidence as far as it comes from this target. flows: what was sent, by series."""
        return Evidence(
            host=host,
            reason=self.reason,
            facts=self.facts,
            disk=self.disk,
            counters=self._counters,
            slow=self._flow(flows.get(SLOW, Throughput()), SLOW),
            fast=self._flow(flows.get(FAST, Throughput()), FAST),
            round_trips=self._round_trips,
            clock_offset_s=self._clock_offset_s,
        )

    def _flow(self, left: Throughput, series: int) -> Throughput:
        volume = self._volumes.get(series, VolumeFacts())
        return left._replace(packets=volume.packets, seconds=volume.seconds, bytes=volume.bytes)
