"""The log: lists a catcher must get across in order (needs, sit-outs, errors, result), carried piece by piece in its reports.

A report shows the state of now; whatever is a list goes into the log, whose next piece rides in every report until it is acknowledged.
"""

from __future__ import annotations

from mrsync.wire.limits import LOG_BYTES_MAX
from mrsync.wire.messages import Record
from mrsync.wire.records import RecordDecoder, encode_record


class LogWriter:
    """The catcher's end: appended records, kept until the caster has them."""

    def __init__(self) -> None:
        self._unacked = bytearray()
        self.acked = 0

    @property
    def end(self) -> int:
        """Bytes ever appended."""
        return self.acked + len(self._unacked)

    @property
    def is_acked(self) -> bool:
        return not self._unacked

    def append(self, record: Record) -> None:
        self._unacked += encode_record(record)

    def chunk(self, room: int) -> tuple[int, bytes]:
        """(offset, bytes) of the next piece to send, at most `room` bytes."""
        return self.acked, bytes(self._unacked[:room])

    def receive_ack(self, offset: int) -> bool:
        """Forget what the caster has; True when this was news. An offset we never reached is ignored."""
        news = offset - self.acked
        if news <= 0 or news > len(self._unacked):
            return False
        del self._unacked[:news]
        self.acked = offset
        return True


class LogReader:
    """The caster's end for one target: pieces in, whole records out, in order."""

    def __init__(self) -> None:
        self.offset = 0
        self._decoder = RecordDecoder()

    def feed(self, offset: int, data: bytes) -> list[Record] | None:
        """Records completed by this piece; a repeated or early piece gives none. None: the log makes no sense."""
        fresh = offset + len(data) - self.offset
        if offset > self.offset or fresh <= 0:
            return []
        if self.offset + fresh > LOG_BYTES_MAX:
            return None
        self.offset += fresh
        return self._decoder.feed(data[-fresh:])
