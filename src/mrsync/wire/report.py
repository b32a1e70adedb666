"""Report <-> bytes: numbers of fixed width, a piece of the log, and as many needs as fit behind it."""

from __future__ import annotations

import struct

from mrsync.wire.clear import Clear
from mrsync.wire.fields import require, saturating
from mrsync.wire.limits import CONTROL_BODY_MAX, LOG_BYTES_MAX, REPORT_ROOM_BYTES
from mrsync.wire.messages import Kind, ObjectKind, Report
from mrsync.wire.needs import decode_needs, encode_needs

_REPORT = struct.Struct(
    ">B"  # [report-active]
    "I"  # [report-tx-seen]
    "I"  # [report-tx-done]
    "I"  # [report-hold]
    "I"  # [report-frontier]
    "I"  # [report-ready]
    "I"  # [report-committed]
    "Q"  # [report-activity]
    "I"  # [report-buffer-bytes]
    "Q"  # [report-kernel-drops]
    "I"  # [report-queue-pages]
    "Q"  # [report-packets-seen]
    "Q"  # [report-packets-lost]
    "Q"  # [report-packets-rejected]
    "Q"  # [report-pages-rejected]
    "I"  # [report-unverified]
    "Q"  # [report-coded-useless]
    "I"  # [report-log-end]
    "I"  # [report-log-offset]
    "H"  # [report-log-length]
    "I"  # [report-needs-first]
    "I"  # [report-needs-end]
)
assert CONTROL_BODY_MAX - _REPORT.size == REPORT_ROOM_BYTES
_pack_report = saturating(_REPORT)


def encode_report(message: Report) -> tuple[Clear, bytes]:
    """Clear part and body; needs and needs_end are cut to what fits behind log_bytes."""
    room = REPORT_ROOM_BYTES - len(message.log_bytes)
    needs, needs_end = encode_needs(message.needs, first=message.needs_first, end=message.needs_end, room=room)
    fixed = _pack_report(
        message.active,
        message.tx_seen,
        message.tx_done,
        message.hold_us,
        message.frontier,
        message.ready,
        message.committed,
        message.activity,
        message.buffer_bytes,
        message.kernel_drops,
        message.queue_pages,
        message.packets_seen,
        message.packets_lost,
        message.packets_rejected,
        message.pages_rejected,
        message.unverified,
        message.coded_useless,
        message.log_end,
        message.log_offset,
        len(message.log_bytes),
        message.needs_first,
        needs_end,
    )
    clear = Clear(Kind.REPORT, message.target, message.counter, 0, message.instance)
    return clear, b"".join((fixed, message.log_bytes, needs))  # [report-log-bytes] [report-needs]


def decode_report(clear: Clear, body: bytes) -> Report:
    """The report; struct.error or ValueError for what no catcher says."""
    (active, *numbers, log_end, log_offset, log_length, needs_first, needs_end) = _REPORT.unpack_from(body)
    needs_at = _REPORT.size + log_length
    log_bytes = body[_REPORT.size : needs_at]  # [report-log-bytes]
    require(len(log_bytes) == log_length and log_offset + log_length <= log_end <= LOG_BYTES_MAX)
    needs = decode_needs(body[needs_at:], first=needs_first, end=needs_end)  # [report-needs]
    speaker = (clear.sender, clear.instance, clear.counter)
    log = (log_end, log_offset, log_bytes)
    return Report(*(*speaker, ObjectKind(active), *numbers, *log, needs_first, needs_end, needs))
