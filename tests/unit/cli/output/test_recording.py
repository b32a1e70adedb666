"""Samples beside a display."""

from __future__ import annotations

import time

import pytest

from mrsync.cli.output.recording import SAMPLES_MAX, Recording
from mrsync.run.observer import Notice, Snapshot, TargetProgress


class Display:
    def __init__(self, due_at: float | None) -> None:
        self.due_at = due_at
        self.shown: list[Snapshot | Notice] = []

    def on_notice(self, notice: Notice) -> None:
        self.shown.append(notice)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.shown.append(snapshot)
        self.due_at = time.monotonic() + 1000


def snapshot(seconds: float) -> Snapshot:
    targets = (TargetProgress("a", "present", 5), TargetProgress("b", "done", 9), TargetProgress("c", "lost", 1))
    return Snapshot("casting", seconds, 10, 9, 1, 1, targets, bytes_traffic=10)


def test_the_display_gets_notices_and_due_snapshots() -> None:
    display = Display(time.monotonic())
    recording = Recording(display)
    recording.on_notice(Notice(0, "hello"))
    recording.on_snapshot(snapshot(0.1))
    recording.on_snapshot(snapshot(0.2))
    assert display.shown == [Notice(0, "hello"), snapshot(0.1)]
    assert recording.due_at is not None
    assert recording.due_at <= time.monotonic() + 0.25


def test_samples_name_the_slowest_live_target() -> None:
    recording = Recording(Display(None))
    recording.on_snapshot(snapshot(0.1))
    assert [tuple(sample) for sample in recording.samples] == [(0.1, 9, 1, 5, 9)]


def test_a_long_run_keeps_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**9))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    recording = Recording(Display(None))
    for second in range(5000):
        recording.on_snapshot(snapshot(second))
    assert len(recording.samples) <= SAMPLES_MAX
    assert recording.samples[0].seconds == 0
    assert recording.samples[-1].seconds > 4900
