"""Record samples of a run over time for the charts of its report."""

from __future__ import annotations

import time

from mrsync.run.observer import Notice, Observer, Snapshot
from mrsync.tuples import NamedTuple

INTERVAL_S = 0.25
SAMPLES_MAX = 600  # at which every second sample is dropped and the interval doubled


class Sample(NamedTuple):
    """Bytes of contents at a time: sent once, repaired, and had by the slowest and the fastest target."""

    seconds: float
    bytes_sent: int
    bytes_repaired: int
    bytes_least: int
    bytes_most: int


class Recording:
    """Observer that keeps samples and passes everything on to another observer."""

    def __init__(self, observer: Observer) -> None:
        self.samples: list[Sample] = []
        self.due_at: float | None = time.monotonic()
        self._observer = observer
        self._interval_s = INTERVAL_S
        self._sample_at = 0.0

    def on_notice(self, notice: Notice) -> None:
        self._observer.on_notice(notice)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        now = time.monotonic()
        if now >= self._sample_at:
            self._sample_at = now + self._interval_s
            self._take(snapshot)
        if self._observer.due_at is not None and now >= self._observer.due_at:
            self._observer.on_snapshot(snapshot)
        others = self._observer.due_at
        self.due_at = self._sample_at if others is None else min(self._sample_at, others)

    def _take(self, snapshot: Snapshot) -> None:
        held = [target.bytes_done for target in snapshot.targets if target.state in ("present", "done")] or [0]
        self.samples.append(
            Sample(snapshot.seconds, snapshot.bytes_sent, snapshot.bytes_repaired, min(held), max(held))
        )
        if len(self.samples) > SAMPLES_MAX:
            del self.samples[1::2]
            self._interval_s *= 2
