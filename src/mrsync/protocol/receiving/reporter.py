"""Reporter: compose the reports of a catcher."""

from __future__ import annotations

from mrsync.protocol.core.log import LogWriter
from mrsync.protocol.receiving.reception import Receipt, Reception
from mrsync.wire.formats.needs import Need, encode_needs
from mrsync.wire.formats.report import REPORT_ROOM_BYTES
from mrsync.wire.messages import Report
from mrsync.wire.records import FailedRecord, LogRecord, ResultRecord

LOG_ROOM_BYTES = 600  # room for the log in a report that has needs, too
FITTING_NEEDS = 30  # fit into the rest, however large they are


class Reporter:
    """Keep the log and the progress of work on files.

    target, instance: identify this process. buffer_bytes: its receive buffer.
    """

    def __init__(self, target: int, instance: int, buffer_bytes: int, reception: Reception) -> None:
        self.ready = 0
        self.committed = 0
        self.has_result = False
        self._target = target
        self._instance = instance
        self._buffer_bytes = buffer_bytes
        self._reception = reception
        self._counters = reception.counters
        self._log = LogWriter()
        self._activity = 0
        self._is_news = True
        self._packets_reported = 0

    @property
    def has_news(self) -> bool:
        """Whether a report would contain something new."""
        return self._is_news or self._counters.packets_seen != self._packets_reported

    @property
    def is_result_acked(self) -> bool:
        """Whether the caster has acknowledged the result."""
        return self.has_result and self._log.is_acked

    def note(self) -> None:
        """Note that something changed that a report contains."""
        self._is_news = True

    def log(self, record: LogRecord) -> None:
        """Append a record to the log. Raise the errors of encode_record.

        A failure ends this target's part, so records that were not sent yet are dropped.
        """
        if isinstance(record, FailedRecord):
            self._log.drop_unsent()
        self._log.append(record)
        self.has_result |= isinstance(record, ResultRecord)

    def set_progress(self, *, ready: int | None, committed: int | None, activity: int) -> bool:
        """Set the progress of work on files. Return whether files became ready or were committed.

        ready, committed: number of plan files, from the first on; None: as before. activity: pages or entries done
        since.
        """
        before = self.ready, self.committed
        self.ready = self.ready if ready is None else ready
        self.committed = self.committed if committed is None else committed
        self._activity += activity
        self._is_news = True
        return before != (self.ready, self.committed)

    def receive_ack(self, log_offset: int) -> bool:
        """Note that the caster has the log up to log_offset. Return whether there is more to send."""
        return self._log.receive_ack(log_offset) and not self._log.is_acked

    def report(self, counter: int, now: float, fed_tx: int | None = None) -> Report:
        """Return a report with the current state.

        counter: its number. fed_tx: if pages come from a parent, the tx of the last status; the report then contains no
        needs and no acknowledgements of pages, because the parent gets these.
        """
        assembly = self._reception.assembly
        frontier = assembly.frontier if assembly is not None else 0
        first, end, needs = assembly.needs() if assembly is not None and fed_tx is None else (frontier, frontier, [])
        receipt = self._reception.receipt(now) if fed_tx is None else Receipt(fed_tx, fed_tx)
        log_offset, log_bytes = self._log.piece(LOG_ROOM_BYTES if needs else REPORT_ROOM_BYTES)
        end, needs = _fitting(first, end, needs, REPORT_ROOM_BYTES - len(log_bytes))
        report = Report(
            target=self._target,
            instance=self._instance,
            counter=counter,
            active=self._reception.active,
            frontier=frontier,
            ready=self.ready,
            committed=self.committed,
            activity=self._activity,
            buffer_bytes=self._buffer_bytes,
            packets_lost=assembly.missing_packets(needs) if assembly is not None else 0,
            log_end=self._log.end,
            log_offset=log_offset,
            log_bytes=log_bytes,
            needs_first=first,
            needs_end=end,
            needs=tuple(needs),
            **receipt._asdict(),
            **vars(self._counters),
        )
        self._packets_reported = self._counters.packets_seen
        self._is_news = bool(needs or log_bytes)
        return report

    def continuation(self, report: Report, counter: int) -> Report | None:
        """Return a report of the needs that did not fit into this one. None: all fitted.

        None as well while pages below the frontier are claimed for the children: a continuation would withdraw that.
        """
        assembly = self._reception.assembly
        if assembly is None or assembly.is_passing or not report.needs:
            return None
        first, end, needs = assembly.needs_behind(report.needs_end)
        if not needs:
            return None
        end, needs = _fitting(first, end, needs, REPORT_ROOM_BYTES)
        lost = report.packets_lost + assembly.missing_packets(needs)
        return report._replace(
            counter=counter, log_bytes=b"", packets_lost=lost, needs_first=first, needs_end=end, needs=tuple(needs)
        )


def _fitting(first: int, end: int, needs: list[Need], room: int) -> tuple[int, list[Need]]:
    """Return as many needs as fit into `room` bytes, and the page up to which they are complete."""
    if len(needs) <= FITTING_NEEDS:
        return end, needs
    _, end = encode_needs(needs, first=first, end=end, room=room)
    return end, [need for need in needs if need[0] < end]
