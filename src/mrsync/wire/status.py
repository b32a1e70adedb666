"""Status <-> bytes: the whole state of the session, most of it of fixed width."""

from __future__ import annotations

import struct
from itertools import chain

from mrsync.wire.clear import Clear
from mrsync.wire.fields import require
from mrsync.wire.limits import (
    BURST_BYTES_MAX,
    CASTER_ID,
    CONTROL_BODY_MAX,
    EXCEPTIONS_MAX,
    MONITORS_MAX,
    PACKETS_PER_PAGE_MAX,
    SIGNATURE_BYTES,
    TAG_BYTES,
    TARGETS_MAX,
)
from mrsync.wire.messages import CommitSpan, Kind, ObjectKind, ObjectState, Phase, SealKind, Status

_STATUS = struct.Struct(
    ">Q"  # [status-session]
    "B"  # [status-phase]
    "B"  # [status-seal]
    "B"  # [status-active]
    "B"  # [status-poll]
    "H"  # [status-slice-bytes]
    "B"  # [status-packets]
    "Q"  # [status-manifest-bytes]
    "I"  # [status-manifest-pages]
    "Q"  # [status-plan-bytes]
    "I"  # [status-plan-pages]
    "Q"  # [status-contents-bytes]
    "I"  # [status-contents-pages]
    "Q"  # [status-plan-again-bytes]
    "I"  # [status-plan-again-pages]
    "Q"  # [status-contents-again-bytes]
    "I"  # [status-contents-again-pages]
    "H"  # [status-target-count]
    "I"  # [status-plan-files]
    "I"  # [status-report-pages]
    "I"  # [status-report-interval]
    "I"  # [status-ack-wait]
    "H"  # [status-generation]
    "B"  # [status-monitor-count]
    "3H"  # [status-monitors]
    "I"  # [status-commit-first]
    "I"  # [status-commit-end]
    "I"  # [status-commit-ahead]
    "H"  # [status-exception-count]
)
_RANGE = struct.Struct(">II")  # [status-exception]
OBJECT_NUMBERS = 2 * len(ObjectKind)
assert _STATUS.size + EXCEPTIONS_MAX * _RANGE.size + SIGNATURE_BYTES <= CONTROL_BODY_MAX


def encode_status(message: Status) -> tuple[Clear, bytes]:
    """Clear part and body; ValueError for more monitors or commit exceptions than a status holds."""
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
        *chain.from_iterable((state.size_bytes, state.pages_sent) for state in message.objects),
        message.target_count,
        message.plan_files,
        message.report_pages,
        message.report_interval_us,
        message.ack_wait_s,
        message.generation,
        len(monitors),
        *(*monitors, 0, 0, 0)[:MONITORS_MAX],
        commit.first,
        commit.end,
        commit.ahead,
        len(commit.exceptions),
    )
    ranges = b"".join(_RANGE.pack(*exception) for exception in commit.exceptions)
    return Clear(Kind.STATUS, CASTER_ID, message.counter, message.tx, 0), fixed + ranges


def decode_status(clear: Clear, body: bytes) -> Status:
    """The status; struct.error or ValueError for what no caster says."""
    (session, phase, seal, active, poll, slice_bytes, packets, *numbers) = _STATUS.unpack_from(body)
    objects, numbers = numbers[:OBJECT_NUMBERS], numbers[OBJECT_NUMBERS:]
    (target_count, plan_files, report_pages, report_interval_us, ack_wait_s, generation) = numbers[:6]
    (monitor_count, *monitors) = numbers[6:10]
    (commit_first, commit_end, commit_ahead, exception_count) = numbers[10:]
    ranges = body[_STATUS.size :]
    require(seal <= SealKind.AES_256_GCM and poll <= 1 and 1 <= packets <= PACKETS_PER_PAGE_MAX)
    require(TAG_BYTES < slice_bytes * packets <= BURST_BYTES_MAX)
    require(monitor_count <= MONITORS_MAX and not any(monitors[monitor_count:]))
    require(all(target < TARGETS_MAX for target in monitors) and target_count <= TARGETS_MAX)
    require(exception_count <= EXCEPTIONS_MAX and len(ranges) == exception_count * _RANGE.size)
    exceptions = tuple(_RANGE.iter_unpack(ranges))
    require(commit_first <= commit_end)
    _require_ranges(exceptions, commit_first, max(commit_end, commit_ahead))
    return Status(
        session=session,
        counter=clear.counter,
        tx=clear.tx,
        phase=Phase(phase),
        seal=SealKind(seal),
        slice_bytes=slice_bytes,
        packets=packets,
        objects=tuple(ObjectState(*objects[at : at + 2]) for at in range(0, OBJECT_NUMBERS, 2)),
        active=ObjectKind(active),
        target_count=target_count,
        plan_files=plan_files,
        monitors=tuple(monitors[:monitor_count]),
        report_pages=report_pages,
        report_interval_us=report_interval_us,
        is_poll=poll == 1,
        commit=CommitSpan(commit_first, commit_end, exceptions, commit_ahead),
        ack_wait_s=ack_wait_s,
        generation=generation,
    )


def _require_ranges(ranges: tuple[tuple[int, int], ...], first: int, end: int) -> None:
    """Ranges [a, b) must be sorted, not empty, and inside [first, end)."""
    bounds = [first, *(bound for pair in ranges for bound in pair), end]
    require(all(low <= high for low, high in zip(bounds, bounds[1:])))
    require(all(low < high for low, high in ranges))
