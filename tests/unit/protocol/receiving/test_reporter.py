"""Reporter: what is told, how often, and until when."""

from __future__ import annotations

from mrsync.protocol.core.log import LogReader
from mrsync.protocol.receiving.assembly import Assembly
from mrsync.protocol.receiving.reception import Counters, Reception
from mrsync.protocol.receiving.reporter import LOG_ROOM_BYTES, Reporter
from mrsync.wire.formats.needs import encode_needs
from mrsync.wire.formats.report import REPORT_ROOM_BYTES
from mrsync.wire.messages import ObjectKind, ObjectState
from mrsync.wire.records import ErrorRecord, FailedRecord, ResultRecord, SatOutRecord
from tests.unit.protocol.builders import GEOMETRY, PAGE, page_header, status

RESULT = ResultRecord(1, 2, 3, 4, 5, 6)
LONG = ErrorRecord(13, b"x" * 4000, "write")


def reporting(pages_sent: int = 0) -> tuple[Reception, Reporter]:
    """Return the reporter of target 3, which has none of 10 pages, of which this many were sent."""
    reception = Reception(0.0)
    reception.expect(ObjectKind.CONTENTS, Assembly(10 * PAGE, GEOMETRY))
    reception.believe(status(tx=5, objects=(ObjectState(), ObjectState(), ObjectState(10 * PAGE, pages_sent))), 1.0)
    return reception, Reporter(3, 103, 1 << 20, reception)


def test_a_report_holds_its_target_and_counters() -> None:
    reception, reporter = reporting()
    numbers = {name: number for number, name in enumerate(vars(Counters()), start=1)}
    assert "packets_marked" in numbers
    vars(reception.counters).update(numbers)
    report = reporter.report(9, 1.0)
    assert (report.target, report.instance, report.counter, report.buffer_bytes) == (3, 103, 9, 1 << 20)
    assert {name: getattr(report, name) for name in numbers} == numbers


def test_a_report_holds_missing_packets() -> None:
    reception, reporter = reporting(pages_sent=4)
    reception.receive_packets(page_header(ObjectKind.CONTENTS, 1, 6), 1 << 2, 2.0)
    report = reporter.report(1, 2.5)
    assert (report.active, report.frontier) == (ObjectKind.CONTENTS, 0)
    assert (report.needs_first, report.needs_end) == (0, 4)
    assert report.needs == ((0, 1, 0), (1, 1, 0b1011), (2, 2, 0))
    assert report.packets_lost == 4 + 3 + 8
    assert (report.tx_seen, report.tx_done, report.hold_us) == (6, 6, 500_000)


def lossy(assembly: Assembly) -> Reception:
    """Return a reception that has half of the packets of each page."""
    pages = assembly.page_count
    reception = Reception(0.0)
    reception.expect(ObjectKind.CONTENTS, assembly)
    sizes = (ObjectState(), ObjectState(), ObjectState(assembly.size_bytes, pages))
    reception.believe(status(tx=pages + 1, objects=sizes), 1.0)
    for page in range(pages):
        reception.receive_packets(page_header(ObjectKind.CONTENTS, page, page + 1), 0b101, 1.0)
    return reception


def test_needs_that_do_not_fit_into_a_report_follow_in_its_continuations() -> None:
    pages = 1000
    reporter = Reporter(3, 103, 1 << 20, lossy(Assembly(pages * PAGE, GEOMETRY)))
    reporter.log(LONG)
    first = report = reporter.report(1, 1.0)
    assert len(report.log_bytes) == LOG_ROOM_BYTES
    told = list(report.needs)
    while (more := reporter.continuation(report, report.counter + 1)) is not None:
        data, end = encode_needs(more.needs, first=more.needs_first, end=more.needs_end, room=REPORT_ROOM_BYTES)
        assert (len(data) <= REPORT_ROOM_BYTES, end) == (True, more.needs_end), "nothing is cut on the wire"
        assert (more.needs_first, more.log_bytes, more.log_offset) == (report.needs_end, b"", first.log_offset)
        told += more.needs
        report = more
    assert report.counter > 2
    assert report.needs_end == pages
    assert told == [(page, 1, 0b1010) for page in range(pages)]
    assert report.packets_lost == 2 * pages


def test_a_report_that_asks_for_held_pages_is_not_continued() -> None:
    pages = 1000
    assembly = Assembly(pages * PAGE, GEOMETRY)
    reporter = Reporter(3, 103, 1 << 20, lossy(assembly))
    assembly.written([0])
    assembly.let_pass(0)
    report = reporter.report(1, 1.0)
    assert report.needs[0][0] == 0
    assert report.needs_end < pages
    assert reporter.continuation(report, 2) is None


def test_a_clock_that_stands_does_not_show_a_negative_hold() -> None:
    assert reporting()[1].report(1, 0.5).hold_us == 0


def test_without_an_object_nothing_is_needed() -> None:
    report = Reporter(3, 103, 0, Reception(0.0)).report(1, 0.0)
    assert (report.active, report.needs_end, report.needs, report.packets_lost) == (ObjectKind.MANIFEST, 0, (), 0)


def test_progress_is_kept_and_activity_added_up() -> None:
    _, reporter = reporting()
    assert reporter.set_progress(ready=5, committed=None, activity=2)
    assert reporter.set_progress(ready=None, committed=4, activity=3)
    assert not reporter.set_progress(ready=5, committed=None, activity=1)
    report = reporter.report(1, 1.0)
    assert (report.ready, report.committed, report.activity) == (5, 4, 6)


def test_the_log_leaves_room_for_needs() -> None:
    for pages_sent, room in ((0, REPORT_ROOM_BYTES), (1, LOG_ROOM_BYTES)):
        _, reporter = reporting(pages_sent)
        reporter.log(LONG)
        report = reporter.report(1, 1.0)
        assert (report.log_offset, len(report.log_bytes)) == (0, room)
        assert report.log_end > 4000


def test_the_log_is_sent_piece_by_piece() -> None:
    _, reporter = reporting()
    reader = LogReader()
    reporter.log(LONG)
    reporter.log(SatOutRecord(7, 28))
    heard, is_more = [], True
    while is_more:
        report = reporter.report(1, 1.0)
        heard += reader.feed(report.log_offset, report.log_bytes)
        is_more = reporter.receive_ack(reader.offset)
    assert heard == [LONG, SatOutRecord(7, 28)]
    assert reader.offset == report.log_end
    assert reporter.report(2, 1.0).log_bytes == b""


def test_an_ack_without_news_asks_for_nothing() -> None:
    _, reporter = reporting()
    reporter.log(LONG)
    end = reporter.report(1, 1.0).log_end
    assert reporter.receive_ack(10)
    assert not reporter.receive_ack(10)
    assert not reporter.receive_ack(end + 1)
    assert not reporter.receive_ack(end)  # there is no rest


def test_the_result_is_reported_once_the_caster_has_the_whole_log() -> None:
    _, reporter = reporting()
    reporter.log(SatOutRecord(7, 28))
    reporter.receive_ack(reporter.report(1, 1.0).log_end)
    assert not reporter.is_result_acked
    reporter.log(RESULT)
    assert reporter.has_result
    assert not reporter.is_result_acked
    reporter.receive_ack(reporter.report(2, 1.0).log_end)
    assert reporter.is_result_acked


def test_news_ends_with_a_report() -> None:
    reception, reporter = reporting()
    reporter.report(1, 1.0)
    assert not reporter.has_news
    reception.counters.packets_seen += 1
    assert reporter.has_news
    reporter.report(2, 1.0)
    assert not reporter.has_news
    reporter.note()
    assert reporter.has_news
    reporter.report(3, 1.0)
    reporter.set_progress(ready=None, committed=None, activity=1)
    assert reporter.has_news


def test_unacknowledged_changes_are_reported_again() -> None:
    _, needy = reporting(pages_sent=1)
    needy.report(1, 1.0)
    assert needy.has_news
    _, talkative = reporting()
    talkative.log(RESULT)
    end = talkative.report(1, 1.0).log_end
    assert talkative.has_news
    talkative.receive_ack(end)
    talkative.report(2, 1.0)
    assert not talkative.has_news


def test_a_failure_is_told_ahead_of_a_long_log() -> None:
    _, reporter = reporting()
    reader = LogReader()
    for _ in range(100):
        reporter.log(LONG)
    heard = []
    for counter in range(6):
        if counter == 1:
            reporter.log(FailedRecord("the disk is gone"))
        report = reporter.report(counter, 1.0)
        heard += reader.feed(report.log_offset, report.log_bytes)
        reporter.receive_ack(reader.offset)
    assert heard == [LONG, FailedRecord("the disk is gone")]
