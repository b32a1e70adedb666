"""Encode and decode STATUS: the whole state of the session, most of it of fixed width."""

from __future__ import annotations

import struct

from mrsync.wire.fields import require
from mrsync.wire.formats.clear import Clear
from mrsync.wire.layout import Layout
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
from mrsync.wire.messages import CommitSpan, Kind, NetworkShare, ObjectKind, ObjectState, Phase, SealKind, Status

_MONITORS = struct.Struct(f">{MONITORS_MAX}H")
_STATUS = Layout(
    ("session", "Q", "status-session"),
    ("phase", "B", "status-phase"),
    ("seal", "B", "status-seal"),
    ("active", "B", "status-active"),
    ("is_poll", "B", "status-poll"),
    ("slice_bytes", "H", "status-slice-bytes"),
    ("packets", "B", "status-packets"),
    ("manifest_bytes", "Q", "status-manifest-bytes"),
    ("manifest_pages", "I", "status-manifest-pages"),
    ("plan_bytes", "Q", "status-plan-bytes"),
    ("plan_pages", "I", "status-plan-pages"),
    ("contents_bytes", "Q", "status-contents-bytes"),
    ("contents_pages", "I", "status-contents-pages"),
    ("plan_again_bytes", "Q", "status-plan-again-bytes"),
    ("plan_again_pages", "I", "status-plan-again-pages"),
    ("contents_again_bytes", "Q", "status-contents-again-bytes"),
    ("contents_again_pages", "I", "status-contents-again-pages"),
    ("target_count", "H", "status-target-count"),
    ("plan_files", "I", "status-plan-files"),
    ("report_pages", "I", "status-report-pages"),
    ("report_interval_us", "I", "status-report-interval"),
    ("ack_wait_s", "I", "status-ack-wait"),
    ("generation", "H", "status-generation"),
    ("share", "B", "status-share"),
    ("monitor_count", "B", "status-monitor-count"),
    ("monitors", f"{_MONITORS.size}s", "status-monitors"),
    ("commit_first", "I", "status-commit-first"),
    ("commit_end", "I", "status-commit-end"),
    ("commit_ahead", "I", "status-commit-ahead"),
    ("exception_count", "H", "status-exception-count"),
)
_OBJECTS = tuple((f"{kind.name.lower()}_bytes", f"{kind.name.lower()}_pages") for kind in ObjectKind)
_RANGE = struct.Struct(">II")  # [status-exception]
assert _STATUS.size + EXCEPTIONS_MAX * _RANGE.size + SIGNATURE_BYTES <= CONTROL_BODY_MAX


def encode_status(message: Status) -> tuple[Clear, bytes]:
    """Return the clear part and the body. Raise ValueError for more monitors or commit exceptions than fit."""
    monitors, commit = message.monitors, message.commit
    if len(monitors) > MONITORS_MAX or len(commit.exceptions) > EXCEPTIONS_MAX:
        raise ValueError("more monitors or commit exceptions than a status holds")
    objects = {name: value for names, state in zip(_OBJECTS, message.objects) for name, value in zip(names, state)}
    fixed = _STATUS.pack(
        message,
        **objects,
        monitor_count=len(monitors),
        monitors=_MONITORS.pack(*(*monitors, 0, 0, 0)[:MONITORS_MAX]),
        commit_first=commit.first,
        commit_end=commit.end,
        commit_ahead=commit.ahead,
        exception_count=len(commit.exceptions),
    )
    ranges = b"".join(_RANGE.pack(*exception) for exception in commit.exceptions)
    return Clear(Kind.STATUS, CASTER_ID, message.counter, message.tx, 0), fixed + ranges


def decode_status(clear: Clear, body: bytes) -> Status:
    """Return the status. Raise struct.error or ValueError for what no caster sends."""
    fields = _STATUS.unpack_from(body)
    _require_geometry(fields["slice_bytes"], fields["packets"])
    require(fields["seal"] <= SealKind.AES_256_GCM and fields["is_poll"] <= 1 and fields["target_count"] <= TARGETS_MAX)
    fields["monitors"] = _decode_monitors(fields.pop("monitor_count"), fields["monitors"])
    first, end, ahead = (fields.pop(f"commit_{name}") for name in ("first", "end", "ahead"))
    exceptions = _decode_exceptions(body[_STATUS.size :], fields.pop("exception_count"), first, max(end, ahead))
    require(first <= end)
    objects = tuple(ObjectState(fields.pop(size), fields.pop(pages)) for size, pages in _OBJECTS)
    fields["phase"], fields["seal"] = Phase(fields["phase"]), SealKind(fields["seal"])
    fields["share"] = NetworkShare(fields["share"])
    fields["active"], fields["is_poll"] = ObjectKind(fields["active"]), fields["is_poll"] == 1
    commit = CommitSpan(first, end, exceptions, ahead)
    return Status(counter=clear.counter, tx=clear.tx, objects=objects, commit=commit, **fields)


def _require_geometry(slice_bytes: int, packets: int) -> None:
    require(1 <= packets <= PACKETS_PER_PAGE_MAX and TAG_BYTES < slice_bytes * packets <= BURST_BYTES_MAX)


def _decode_monitors(count: int, packed: bytes) -> tuple[int, ...]:
    monitors = _MONITORS.unpack(packed)
    require(count <= MONITORS_MAX and not any(monitors[count:]))
    require(all(target < TARGETS_MAX for target in monitors))
    return monitors[:count]


def _decode_exceptions(packed: bytes, count: int, first: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return the exceptions: ranges [a, b) that must be sorted, not empty, and inside [first, end)."""
    require(count <= EXCEPTIONS_MAX and len(packed) == count * _RANGE.size)
    ranges = tuple(_RANGE.iter_unpack(packed))
    bounds = [first, *(bound for pair in ranges for bound in pair), end]
    require(all(low <= high for low, high in zip(bounds, bounds[1:])))
    require(all(low < high for low, high in ranges))
    return ranges
