from __future__ import annotations

import time

import pytest

from mrsync.run.measure.evidence import Throughput
from mrsync.run.measure.facts import FAST, SLOW, DiskFacts, HostCounters, HostFacts, VolumeFacts
from mrsync.run.measure.target_exam import TargetExam


def test_values_that_are_not_known_yet() -> None:
    seen = TargetExam().evidence("a", {})
    assert (seen.host, seen.facts, seen.disk, seen.counters) == ("a", None, None, HostCounters())
    assert (seen.round_trips.total, seen.clock_offset_s, seen.fast) == (0, None, Throughput())


def test_latest_report_counts() -> None:
    exam = TargetExam()
    for facts in (
        HostFacts(python="3.9"),
        DiskFacts("/a"),
        HostCounters(1),
        HostCounters(5),
        VolumeFacts(FAST, 90, 900, 0.5),
    ):
        exam.add_fact(facts)
    seen = exam.evidence("a", {FAST: Throughput(100, seconds_sent=0.4), SLOW: Throughput(10)})
    assert (seen.facts, seen.disk, seen.counters) == (HostFacts(python="3.9"), DiskFacts("/a"), HostCounters(5))
    assert seen.fast == Throughput(100, 90, 0.4, 0.5, 900)
    assert seen.fast.loss == pytest.approx(0.1)
    assert seen.fast.rate_bytes_s == 1800
    assert seen.slow.loss == 1.0


def test_the_clock_of_a_host_an_hour_ahead() -> None:
    exam = TargetExam()
    exam.add_fact(HostFacts(clock_us=round((time.time() + 3600) * 1e6)))
    offset = exam.evidence("a", {}).clock_offset_s
    assert offset == pytest.approx(3600, abs=1)
    exam.add_echo(0.2, round((time.time() + 3600) * 1e6), 0.0)  # more exact: half a round trip ago
    assert exam.evidence("a", {}).clock_offset_s == pytest.approx(3600.1, abs=0.05)
    assert exam.evidence("a", {}).round_trips.counts == {200_000: 1}
