"""ReportTurns: when a catcher reports.

Each target reports in its own turn of the cycle, so that their reports do not arrive together. While
something changes, a report is due after the interval that the caster asks for, and that of a monitor as soon as it has
done as many bursts. Needs are repeated at growing intervals as long as nothing is heard between two reports, because
more reports would not bring repairs sooner. Without news, a keepalive shows that the target is there.
"""

from __future__ import annotations

from mrsync.protocol.core.timers import TURN_S, keepalive_s
from mrsync.protocol.receiving.relaying import Relaying
from mrsync.wire.messages import Report, Status

INTERVAL_GROWTH, INTERVALS_MAX = 1.5, 50.0  # times longer, while nothing is heard between two reports
RETRY_S = 0.05  # added to the interval, because the acknowledgement of the log may be under way


def cycle_s(status: Status | None) -> float:
    """Return the seconds in which every target can report once."""
    return status.target_count * TURN_S if status else 0.0


class ReportTurns:
    """The times of one target's reports. turn: its place in the cycle. relaying: whether a parent gets its claims."""

    def __init__(self, target: int, relaying: Relaying, now: float) -> None:
        self.turn = 0
        self._target = target
        self._relaying = relaying
        self._reported_at = now
        self._tx_reported = 0
        self._done_reported = 0  # tx_done
        self._intervals = 1.0  # until a report is repeated

    def interval_s(self, status: Status | None) -> float:
        """Return the seconds between reports while something changes."""
        told_s = status.report_interval_us / 1e6 if status else 0.0
        return max(told_s, self._relaying.report_s, 2 * cycle_s(status)) if self._relaying.is_fed else told_s

    def in_turn(self, now: float, apart_s: float) -> float:
        """Return when to report what all targets report now: in our turn, and so long after the last report."""
        return max(now + self.turn * TURN_S, self._reported_at + apart_s)

    def is_due(self, status: Status | None, tx_done: int) -> bool:
        """Return whether this is a monitor that has done as many bursts as the caster has asked for."""
        done = tx_done - self._done_reported
        return status is not None and done >= status.report_pages and self._target in status.monitors

    def on_report(self, report: Report, status: Status, now: float) -> float:
        """Note a report that is sent now. Return when the next one is due."""
        self._reported_at, self._done_reported = now, report.tx_done
        is_news = report.tx_seen != self._tx_reported
        self._intervals = 1.0 if is_news else min(INTERVALS_MAX, INTERVAL_GROWTH * self._intervals)
        self._tx_reported = report.tx_seen
        keepalive_by = now + keepalive_s(status.ack_wait_s)
        if report.needs:
            return min(keepalive_by, now + self.interval_s(status) * self._intervals)
        if report.log_bytes:
            return min(keepalive_by, now + self.interval_s(status) * self._intervals + RETRY_S)
        return keepalive_by
