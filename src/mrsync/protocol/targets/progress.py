"""Progress: when a target was last heard, and when it last made progress."""

from __future__ import annotations

from mrsync.wire.messages import Report

RETURN_S = 2.0  # a target that was silent for longer was away, and its clocks start anew


class LifeSigns:
    """Signs of life of one target that joined at a time, in seconds of the caller's clock."""

    def __init__(self, joined_at: float = 0.0) -> None:
        self.heard_at = joined_at
        self.done_at = joined_at  # or when it last waited for others
        self.done_tx = 0  # last tx that the caster had sent by then
        self.packets_then = 0  # of pages, that it had seen when it made progress
        self._most: tuple[int, ...] = ()  # that it has shown of each kind of progress

    def receive(self, report: Report, tx: int, now: float) -> bool:
        """Take a report newer than the last one. Return whether it shows progress, or a return after silence.

        Progress is more than ever before: what an honest target counts never shrinks. tx: the last one sent.
        """
        shown = _shown(report)
        most = tuple(map(max, shown, self._most or shown))
        is_progress = most != self._most or now - self.heard_at > RETURN_S
        self._most = most
        self.heard_at = now
        if is_progress:
            self.done_at, self.done_tx, self.packets_then = now, tx, report.packets_seen
        return is_progress

    def note_done(self, tx_done: int, now: float) -> None:
        """Note up to which tx it has done all it needs. That it takes what comes is progress where it lacks nothing."""
        if tx_done > self.done_tx:
            self.done_at, self.done_tx = now, tx_done


def _shown(report: Report) -> tuple[int, ...]:
    return (
        report.active << 32 | report.frontier,
        report.activity,
        report.log_end,
        report.log_offset,
        report.ready,
        report.committed,
    )
