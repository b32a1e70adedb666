"""Report: log piece and needs share the room, and cannot contradict themselves."""

from __future__ import annotations

import pytest

from mrsync.wire.formats.codec import encode_message
from mrsync.wire.formats.report import REPORT_ROOM_BYTES, decode_report, encode_report
from mrsync.wire.limits import CONTROL_BODY_MAX, LOG_BYTES_MAX
from mrsync.wire.messages import ObjectKind, Report

REPORT = Report(
    target=3,
    instance=99,
    counter=7,
    active=ObjectKind.CONTENTS,
    tx_seen=100,
    tx_done=90,
    hold_us=333,
    frontier=1000,
    ready=10,
    committed=5,
    activity=123456,
    buffer_bytes=1 << 20,
    kernel_drops=0,
    queue_pages=3,
    packets_seen=10**10,
    packets_lost=100,
    packets_rejected=4,
    unverified=0,
    pages_rejected=0,
    coded_useless=0,
    log_end=500,
    log_offset=480,
    log_bytes=b"x" * 20,
    needs_first=1000,
    needs_end=9000,
    needs=tuple((1000 + 4 * index, 1, 1 << index % 44) for index in range(1500)),
)


def test_as_many_needs_as_fit() -> None:
    clear, body = encode_report(REPORT)
    assert CONTROL_BODY_MAX - 1 <= len(body) <= CONTROL_BODY_MAX
    decoded = decode_report(clear, body)
    count = len(decoded.needs)
    assert decoded == REPORT._replace(needs=REPORT.needs[:count], needs_end=REPORT.needs[count][0])


def test_a_log_piece_may_take_all_the_room() -> None:
    piece = bytes(REPORT_ROOM_BYTES)
    decoded = decode_report(*encode_report(REPORT._replace(log_bytes=piece, log_end=5000)))
    assert decoded.log_bytes == piece
    assert (decoded.needs, decoded.needs_end) == ((), REPORT.needs_first)
    with pytest.raises(ValueError, match="Report of"):
        encode_message(REPORT._replace(log_bytes=piece + b"x"))


def test_a_long_hold_is_cut() -> None:
    assert decode_report(*encode_report(REPORT._replace(hold_us=2**40))).hold_us == 2**32 - 1


@pytest.mark.parametrize(
    "changes",
    [
        {"log_end": 499},
        {"log_end": LOG_BYTES_MAX + 1},
        {"needs": (), "needs_end": 999},
        {"active": 5},
    ],
    ids=str,
)
def test_messages_that_no_catcher_sends_are_refused(changes: dict[str, int]) -> None:
    clear, body = encode_report(REPORT._replace(**changes))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\w"):
        decode_report(clear, body)


def test_a_log_piece_must_be_there() -> None:
    clear, body = encode_report(REPORT._replace(needs=()))
    with pytest.raises(ValueError, match="limits"):
        decode_report(clear, body[:-1])
