"""Encode and decode REPORT: numbers of fixed width, a piece of the log, and as many needs as fit after it."""

from __future__ import annotations

from mrsync.wire.fields import require
from mrsync.wire.formats.clear import Clear
from mrsync.wire.formats.needs import decode_needs, encode_needs
from mrsync.wire.layout import Layout
from mrsync.wire.limits import CONTROL_BODY_MAX, LOG_BYTES_MAX
from mrsync.wire.messages import Kind, ObjectKind, Report

_REPORT = Layout(
    ("active", "B", "report-active"),
    ("tx_seen", "I", "report-tx-seen"),
    ("tx_done", "I", "report-tx-done"),
    ("hold_us", "I", "report-hold"),
    ("frontier", "I", "report-frontier"),
    ("ready", "I", "report-ready"),
    ("committed", "I", "report-committed"),
    ("activity", "Q", "report-activity"),
    ("buffer_bytes", "I", "report-buffer-bytes"),
    ("kernel_drops", "Q", "report-kernel-drops"),
    ("queue_pages", "I", "report-queue-pages"),
    ("packets_seen", "Q", "report-packets-seen"),
    ("packets_lost", "Q", "report-packets-lost"),
    ("packets_rejected", "Q", "report-packets-rejected"),
    ("pages_rejected", "Q", "report-pages-rejected"),
    ("unverified", "I", "report-unverified"),
    ("coded_useless", "Q", "report-coded-useless"),
    ("log_end", "I", "report-log-end"),
    ("log_offset", "I", "report-log-offset"),
    ("log_length", "H", "report-log-length"),
    ("needs_first", "I", "report-needs-first"),
    ("needs_end", "I", "report-needs-end"),
    ("ended_tx", "I", "report-ended-tx"),
    ("ended_hold_us", "I", "report-ended-hold"),
    ("packets_marked", "I", "report-packets-marked"),
    is_saturating=True,
)
REPORT_ROOM_BYTES = CONTROL_BODY_MAX - _REPORT.size  # for the piece of the log and the needs


def encode_report(message: Report) -> tuple[Clear, bytes]:
    """Return the clear part and the body. Cut needs and needs_end to what fits after log_bytes."""
    room = REPORT_ROOM_BYTES - len(message.log_bytes)
    needs, needs_end = encode_needs(message.needs, first=message.needs_first, end=message.needs_end, room=room)
    fixed = _REPORT.pack(message, log_length=len(message.log_bytes), needs_end=needs_end)
    clear = Clear(Kind.REPORT, message.target, message.counter, 0, message.instance)
    return clear, b"".join((fixed, message.log_bytes, needs))  # [report-log-bytes] [report-needs]


def decode_report(clear: Clear, body: bytes) -> Report:
    """Return the report. Raise struct.error or ValueError for what no catcher sends."""
    fields = _REPORT.unpack_from(body)
    needs_at = _REPORT.size + fields.pop("log_length")
    log_bytes = body[_REPORT.size : needs_at]  # [report-log-bytes]
    require(len(log_bytes) == needs_at - _REPORT.size)
    require(fields["log_offset"] + len(log_bytes) <= fields["log_end"] <= LOG_BYTES_MAX)
    fields["active"] = ObjectKind(fields["active"])
    needs = decode_needs(body[needs_at:], first=fields["needs_first"], end=fields["needs_end"])  # [report-needs]
    return Report(clear.sender, clear.instance, clear.counter, **fields, log_bytes=log_bytes, needs=needs)
