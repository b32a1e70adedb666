"""Control messages <-> their clear part and their body, without seals; layouts as in docs/protocol.md."""

from __future__ import annotations

import struct
from typing import Callable, NamedTuple

from mrsync.wire.fields import encode_text, read_text
from mrsync.wire.limits import (
    BURST_BYTES_MAX,
    CASTER_ID,
    CONTROL_BODY_MAX,
    EXCEPTIONS_MAX,
    LOG_BYTES_MAX,
    MONITORS_MAX,
    PACKETS_PER_PAGE_MAX,
    REPORT_ROOM_BYTES,
    TAG_BYTES,
    TARGETS_MAX,
)
from mrsync.wire.messages import (
    Ack,
    CommitSpan,
    Ending,
    Farewell,
    Hello,
    Kind,
    Message,
    ObjectKind,
    ObjectState,
    Phase,
    Report,
    SealKind,
    Status,
    Welcome,
)
from mrsync.wire.needs import decode_needs, encode_needs


class Clear(NamedTuple):
    """What a control message says outside its body: header fields and the prefix behind the header."""

    kind: int
    sender: int  # CASTER_ID, or the target that speaks
    counter: int
    tx: int  # STATUS only, else 0
    instance: int  # HELLO and REPORT: whose; WELCOME: to whom; else 0


def encode_message(message: Message) -> tuple[Clear, bytes]:
    """The clear part and the body, at most CONTROL_BODY_MAX bytes.

    The needs of a Report are cut, with its needs_end, to what fits behind its log_bytes.
    struct.error for a number that is negative or out of its width, ValueError for a list that is too long.
    """
    clear, body = _ENCODERS[type(message)](message)
    if len(body) > CONTROL_BODY_MAX:
        raise ValueError(f"a {type(message).__name__} of {len(body)} bytes does not fit a packet")
    return clear, body


def decode_message(clear: Clear, body: bytes) -> Message | None:
    """The message; None if any part of it is missing, superfluous, out of its limits or a contradiction."""
    decoder = _DECODERS.get(clear.kind)
    if decoder is None:
        return None
    try:
        return decoder(clear, body)
    except (struct.error, ValueError):
        return None


def _require(is_true: bool) -> None:
    if not is_true:
        raise ValueError("a message out of its limits")


# ---- STATUS

_STATUS = struct.Struct(
    ">Q"  # [status-session]
    "B"  # [status-phase]
    "B"  # [status-seal]
    "B"  # [status-active]
    "B"  # [status-poll]
    "H"  # [status-slice-bytes]
    "B"  # [status-packets]
    "QI"  # [status-manifest]
    "QI"  # [status-plan]
    "QI"  # [status-contents]
    "H"  # [status-target-count]
    "I"  # [status-plan-files]
    "I"  # [status-report-pages]
    "I"  # [status-report-interval]
    "I"  # [status-ack-wait]
    "B"  # [status-monitor-count]
    "3H"  # [status-monitors]
    "I"  # [status-commit-first]
    "I"  # [status-commit-end]
    "H"  # [status-exception-count]
)
_RANGE = struct.Struct(">II")  # [status-exception]
assert _STATUS.size + EXCEPTIONS_MAX * _RANGE.size <= CONTROL_BODY_MAX


def _encode_status(message: Status) -> tuple[Clear, bytes]:
    manifest, plan, contents = message.objects
    monitors, commit = message.monitors, message.commit
    if len(monitors) > MONITORS_MAX or len(commit.exceptions) > EXCEPTIONS_MAX:
        raise ValueError("more monitors or commit exceptions than a status holds")
    fixed = _STATUS.pack(
        message.session,
        message.phase,
        message.seal,
        message.active,
        message.is_poll,
        message.slice_bytes,
        message.packets,
        manifest.size_bytes,
        manifest.pages_sent,
        plan.size_bytes,
        plan.pages_sent,
        contents.size_bytes,
        contents.pages_sent,
        message.target_count,
        message.plan_files,
        message.report_pages,
        message.report_interval_us,
        message.ack_wait_s,
        len(monitors),
        *(*monitors, 0, 0, 0)[:MONITORS_MAX],
        commit.first,
        commit.end,
        len(commit.exceptions),
    )
    ranges = b"".join(_RANGE.pack(*exception) for exception in commit.exceptions)
    return Clear(Kind.STATUS, CASTER_ID, message.counter, message.tx, 0), fixed + ranges


def _decode_status(clear: Clear, body: bytes) -> Status:
    (session, phase, seal, active, poll, slice_bytes, packets, *numbers) = _STATUS.unpack_from(body)
    (target_count, plan_files, report_pages, report_interval_us, ack_wait_s) = numbers[6:11]
    (monitor_count, *monitors) = numbers[11:15]
    (commit_first, commit_end, exception_count) = numbers[15:]
    ranges = body[_STATUS.size :]
    _require(clear.sender == CASTER_ID and clear.instance == 0 and poll <= 1)
    _require(1 <= packets <= PACKETS_PER_PAGE_MAX and TAG_BYTES < slice_bytes * packets <= BURST_BYTES_MAX)
    _require(monitor_count <= MONITORS_MAX and not any(monitors[monitor_count:]))
    _require(all(target < TARGETS_MAX for target in monitors) and target_count <= TARGETS_MAX)
    _require(exception_count <= EXCEPTIONS_MAX and len(ranges) == exception_count * _RANGE.size)
    exceptions = tuple(_RANGE.iter_unpack(ranges))
    _require_ranges(exceptions, commit_first, commit_end)
    return Status(
        session=session,
        counter=clear.counter,
        tx=clear.tx,
        phase=Phase(phase),
        seal=SealKind(seal),
        slice_bytes=slice_bytes,
        packets=packets,
        objects=(ObjectState(*numbers[0:2]), ObjectState(*numbers[2:4]), ObjectState(*numbers[4:6])),
        active=ObjectKind(active),
        target_count=target_count,
        plan_files=plan_files,
        monitors=tuple(monitors[:monitor_count]),
        report_pages=report_pages,
        report_interval_us=report_interval_us,
        is_poll=poll == 1,
        commit=CommitSpan(commit_first, commit_end, exceptions),
        ack_wait_s=ack_wait_s,
    )


def _require_ranges(ranges: tuple[tuple[int, int], ...], first: int, end: int) -> None:
    """Ranges [a, b) must be sorted, not empty, and inside [first, end)."""
    bounds = [first, *(bound for pair in ranges for bound in pair), end]
    _require(all(low <= high for low, high in zip(bounds, bounds[1:])))
    _require(all(low < high for low, high in ranges))


# ---- HELLO and WELCOME

_HELLO = struct.Struct(
    ">B"  # [hello-seals]
    "I"  # [hello-buffer-bytes]
    "I"  # [hello-retained-pages]
)
_WELCOME = struct.Struct(
    ">H"  # [welcome-target]
    "H"  # [welcome-slot]
)


def _encode_hello(message: Hello) -> tuple[Clear, bytes]:
    fixed = _HELLO.pack(message.seals, message.buffer_bytes, message.retained_pages)
    texts = encode_text(message.host) + encode_text(message.version)  # [hello-host] [hello-version]
    return Clear(Kind.HELLO, message.target, message.counter, 0, message.instance), fixed + texts


def _decode_hello(clear: Clear, body: bytes) -> Hello:
    seals, buffer_bytes, retained_pages = _HELLO.unpack_from(body)
    host, offset = read_text(body, _HELLO.size)  # [hello-host]
    version, offset = read_text(body, offset)  # [hello-version]
    _require(clear.sender < TARGETS_MAX and offset == len(body))
    return Hello(clear.sender, clear.instance, clear.counter, seals, buffer_bytes, retained_pages, host, version)


def _encode_welcome(message: Welcome) -> tuple[Clear, bytes]:
    clear = Clear(Kind.WELCOME, CASTER_ID, message.counter, 0, message.instance)
    return clear, _WELCOME.pack(message.target, message.slot)


def _decode_welcome(clear: Clear, body: bytes) -> Welcome:
    target, slot = _WELCOME.unpack(body)
    _require(clear.sender == CASTER_ID and target < TARGETS_MAX)
    return Welcome(clear.instance, clear.counter, target, slot)


# ---- REPORT

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
    "Q"  # [report-pages-rejected]
    "Q"  # [report-coded-useless]
    "I"  # [report-log-end]
    "I"  # [report-log-offset]
    "H"  # [report-log-length]
    "I"  # [report-needs-first]
    "I"  # [report-needs-end]
)
assert CONTROL_BODY_MAX - _REPORT.size == REPORT_ROOM_BYTES
_HOLD_MAX_US = 0xFFFFFFFF  # 71 minutes; a longer hold, as in a long comparison, says as little


def _encode_report(message: Report) -> tuple[Clear, bytes]:
    room = REPORT_ROOM_BYTES - len(message.log_bytes)
    needs, needs_end = encode_needs(message.needs, first=message.needs_first, end=message.needs_end, room=room)
    fixed = _REPORT.pack(
        message.active,
        message.tx_seen,
        message.tx_done,
        min(message.hold_us, _HOLD_MAX_US),
        message.frontier,
        message.ready,
        message.committed,
        message.activity,
        message.buffer_bytes,
        message.kernel_drops,
        message.queue_pages,
        message.packets_seen,
        message.packets_lost,
        message.pages_rejected,
        message.coded_useless,
        message.log_end,
        message.log_offset,
        len(message.log_bytes),
        message.needs_first,
        needs_end,
    )
    clear = Clear(Kind.REPORT, message.target, message.counter, 0, message.instance)
    return clear, b"".join((fixed, message.log_bytes, needs))  # [report-log-bytes] [report-needs]


def _decode_report(clear: Clear, body: bytes) -> Report:
    (active, *numbers, log_end, log_offset, log_length, needs_first, needs_end) = _REPORT.unpack_from(body)
    needs_at = _REPORT.size + log_length
    log_bytes = body[_REPORT.size : needs_at]  # [report-log-bytes]
    if clear.sender >= TARGETS_MAX or len(log_bytes) < log_length:
        raise ValueError("a report of nobody, or cut off")
    if log_offset + log_length > log_end or log_end > LOG_BYTES_MAX:
        raise ValueError("a log piece behind the log's end")
    needs = decode_needs(body[needs_at:], first=needs_first, end=needs_end)  # [report-needs]
    speaker = (clear.sender, clear.instance, clear.counter)
    log = (log_end, log_offset, log_bytes)
    return Report(*(*speaker, ObjectKind(active), *numbers, *log, needs_first, needs_end, needs))


# ---- ACK and FAREWELL

_ACK = struct.Struct(
    ">H"  # [ack-target]
    "I"  # [ack-log-offset]
)
_FAREWELL = struct.Struct(
    ">H"  # [farewell-target]
    "B"  # [farewell-ending]
)


def _encode_ack(message: Ack) -> tuple[Clear, bytes]:
    clear = Clear(Kind.ACK, CASTER_ID, message.counter, 0, 0)
    return clear, _ACK.pack(message.target, message.log_offset)


def _decode_ack(clear: Clear, body: bytes) -> Ack:
    target, log_offset = _ACK.unpack(body)
    _require(clear.sender == CASTER_ID and clear.instance == 0 and target < TARGETS_MAX)
    _require(log_offset <= LOG_BYTES_MAX)
    return Ack(target, clear.counter, log_offset)


def _encode_farewell(message: Farewell) -> tuple[Clear, bytes]:
    clear = Clear(Kind.FAREWELL, CASTER_ID, message.counter, 0, 0)
    return clear, _FAREWELL.pack(message.target, message.ending) + encode_text(message.reason)  # [farewell-reason]


def _decode_farewell(clear: Clear, body: bytes) -> Farewell:
    target, ending = _FAREWELL.unpack_from(body)
    reason, offset = read_text(body, _FAREWELL.size)  # [farewell-reason]
    _require(clear.sender == CASTER_ID and clear.instance == 0 and target < TARGETS_MAX and offset == len(body))
    return Farewell(target, clear.counter, Ending(ending), reason)


_ENCODERS: dict[type, Callable[..., tuple[Clear, bytes]]] = {
    Status: _encode_status,
    Hello: _encode_hello,
    Welcome: _encode_welcome,
    Report: _encode_report,
    Ack: _encode_ack,
    Farewell: _encode_farewell,
}
_DECODERS: dict[int, Callable[[Clear, bytes], Message]] = {
    Kind.STATUS: _decode_status,
    Kind.HELLO: _decode_hello,
    Kind.WELCOME: _decode_welcome,
    Kind.REPORT: _decode_report,
    Kind.ACK: _decode_ack,
    Kind.FAREWELL: _decode_farewell,
}
