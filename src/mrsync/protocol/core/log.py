"""The log: lists a catcher must get across in order: needs, sit-outs, errors, result.

A report shows the state of now; whatever is a list goes into the log, whose next piece rides in every report until the
caster has acknowledged it.
"""

from __future__ import annotations

from mrsync.wire.messages import Record
from mrsync.wire.records import RecordDecoder, encode_record


class LogWriter:
    """The catcher's end: appended records, kept until the caster has them."""

    def __init__(self) -> None:
        self._unacked = bytearray()
        self._acked = 0

    @property
    def end(self) -> int:
        """Bytes ever appended."""
        return self._acked + len(self._unacked)

    @property
    def is_acked(self) -> bool:
        return not self._unacked

    def append(self, record: Record) -> None:
        """Add a record; errors as of encode_record."""
        self._unacked += encode_record(record)

    def piece(self, room: int) -> tuple[int, bytes]:
        """(offset, bytes) of what to send next, at most `room` bytes."""
        return self._acked, bytes(self._unacked[:room])

    def receive_ack(self, offset: int) -> bool:
        """Forget what the caster has; True when this was news. An offset we never reached is ignored."""
        news = offset - self._acked
        if news <= 0 or news > len(self._unacked):
            return False
        del self._unacked[:news]
        self._acked = offset
        return True


class LogReader:
    """The caster's end for one target: pieces in, whole records out, in order."""

    def __init__(self) -> None:
        self.offset = 0
        self._decoder = RecordDecoder()

    def feed(self, offset: int, piece: bytes) -> list[Record]:
        """Records completed by this piece; a repeated or early piece gives none.

        A log that makes no sense ends with a FailedRecord.
        """
        fresh = offset + len(piece) - self.offset
        if offset > self.offset or fresh <= 0:
            return []
        self.offset += fresh
        return self._decoder.feed(piece[-fresh:])
