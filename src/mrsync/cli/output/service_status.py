"""Keep the status line of a systemd unit up to date."""

from __future__ import annotations

import time

from mrsync.cli.output.live_view import Rate
from mrsync.cli.output.progress import headline
from mrsync.run.observer import Notice, Observer, Snapshot
from mrsync.run.service import notify

STATUS_INTERVAL_S = 5.0


class ServiceStatus:
    """Observer that updates the status line of the unit and passes everything on to another observer."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._rate = Rate()
        self._status_at = time.monotonic()

    @property
    def due_at(self) -> float | None:
        others = self._observer.due_at
        return self._status_at if others is None else min(self._status_at, others)

    def on_notice(self, notice: Notice) -> None:
        self._observer.on_notice(notice)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        now = time.monotonic()
        if now >= self._status_at:
            self._status_at = now + STATUS_INTERVAL_S
            self._rate.update(snapshot)
            notify(f"STATUS={headline(snapshot, self._rate)}")
        if self._observer.due_at is not None and now >= self._observer.due_at:
            self._observer.on_snapshot(snapshot)
