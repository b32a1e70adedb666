"""The log of a catcher: records that must reach the caster in order, such as needs, sit-outs, errors and the result.

A report contains the current state, which may be lost. Lists go into the log instead. Each report carries the next
piece of the log, until the caster has acknowledged it (decision 0001).
"""

from __future__ import annotations

from collections import deque

from mrsync.wire.formats.record_codec import RecordDecoder, encode_record
from mrsync.wire.records import LogRecord


class LogWriter:
    """The catcher's end: records that were appended, kept until the caster has acknowledged them."""

    def __init__(self) -> None:
        self._unacked = bytearray()
        self._acked = self._sent_end = 0  # _sent_end: of what was sent at least once
        self._ends: deque[int] = deque([0])  # of records: the last one that was acknowledged, and all behind it

    @property
    def end(self) -> int:
        """Number of bytes appended so far."""
        return self._acked + len(self._unacked)

    @property
    def is_acked(self) -> bool:
        return not self._unacked

    def append(self, record: LogRecord) -> None:
        """Append a record. Raise the errors of encode_record."""
        self._unacked += encode_record(record)
        self._ends.append(self.end)

    def drop_unsent(self) -> None:
        """Remove the records of which nothing was sent yet, so that the next record leaves soon."""
        while len(self._ends) > 1 and self._ends[-2] >= self._sent_end:
            self._ends.pop()
        del self._unacked[self._ends[-1] - self._acked :]

    def piece(self, room: int) -> tuple[int, bytes]:
        """Return the offset and the bytes, at most `room`, of the next piece to send."""
        piece = bytes(self._unacked[:room])
        self._sent_end = max(self._sent_end, self._acked + len(piece))
        return self._acked, piece

    def receive_ack(self, offset: int) -> bool:
        """Drop what the caster has. Return False for an old offset, or one that was never reached."""
        news = offset - self._acked
        if news <= 0 or offset > self._sent_end:
            return False
        del self._unacked[:news]
        self._acked = offset
        while len(self._ends) > 1 and self._ends[1] <= offset:
            self._ends.popleft()
        return True


class LogReader:
    """The caster's end for one target: turn pieces into records, in order."""

    def __init__(self) -> None:
        self.offset = 0
        self._decoder = RecordDecoder()

    def feed(self, offset: int, piece: bytes) -> list[LogRecord]:
        """Return the records that this piece completes. A piece that is repeated or too early completes none.

        A malformed log ends with a FailedRecord.
        """
        fresh = offset + len(piece) - self.offset
        if offset > self.offset or fresh <= 0:
            return []
        self.offset += fresh
        return self._decoder.feed(piece[-fresh:])
