"""The log: whatever is lost, doubled or late, the records come through once and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mrsync.protocol.core.log import LogReader, LogWriter
from mrsync.wire.formats.record_codec import encode_record
from mrsync.wire.records import FailedRecord, LogRecord, SatOutRecord


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40), st.booleans(), st.booleans()), max_size=60))
def test_records_come_once_and_in_order(steps: list[tuple[int, int, bool, bool]]) -> None:
    writer, reader = LogWriter(), LogReader()
    appended: list[LogRecord] = []
    heard: list[LogRecord] = []
    late: list[tuple[int, bytes]] = []
    for records, room, is_lost, is_ack_lost in [*steps, *[(0, 1000, False, False)] * 2]:
        for _ in range(records):
            appended.append(SatOutRecord(len(appended), 28))
            writer.append(appended[-1])
        piece = writer.piece(room)
        late.append(piece)
        if not is_lost:
            heard += reader.feed(*piece)
            heard += reader.feed(*late[len(late) // 2])
        if not is_ack_lost:
            writer.receive_ack(reader.offset)
    assert heard == appended
    assert writer.is_acked
    assert writer.end == reader.offset


def test_only_acks_of_sent_bytes_count() -> None:
    writer = LogWriter()
    writer.append(SatOutRecord(1, 28))
    assert not writer.receive_ack(0)
    assert not writer.receive_ack(4), "nothing was sent"
    writer.piece(4)
    assert not writer.receive_ack(5)
    assert writer.receive_ack(4)
    assert not writer.receive_ack(4)
    assert writer.piece(2)[0] == 4
    assert not writer.is_acked


@given(st.integers(1, 60), st.integers(0, 400), st.integers(0, 400))
def test_a_failure_overtakes_unsent_records(count: int, told: int, acked: int) -> None:
    writer, reader = LogWriter(), LogReader()
    heard: list[LogRecord] = []
    for number in range(count):
        writer.append(SatOutRecord(number, 28))
    heard += reader.feed(*writer.piece(acked))
    writer.receive_ack(reader.offset)
    lost = writer.piece(told)
    writer.drop_unsent()
    writer.append(FailedRecord("the disk is gone"))
    assert writer.end <= lost[0] + len(lost[1]) + 2 * len(encode_record(FailedRecord("the disk is gone")))
    heard += reader.feed(*writer.piece(10_000))
    assert heard[-1] == FailedRecord("the disk is gone")
    assert heard[:-1] == [SatOutRecord(number, 28) for number in range(len(heard) - 1)]
    assert writer.end == reader.offset


def test_nonsense_ends_in_a_failure() -> None:
    reader = LogReader()
    assert reader.feed(5, b"early") == []
    (record,) = reader.feed(0, b"\xff" * 20)
    assert isinstance(record, FailedRecord)
    assert reader.feed(20, b"more") == []
