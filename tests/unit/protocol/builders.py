"""Messages and targets for the tests of the cores."""

from __future__ import annotations

from typing import Any

from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.geometry import Geometry, Step
from mrsync.wire.header import Header
from mrsync.wire.limits import CASTER_ID
from mrsync.wire.messages import (
    CommitSpan,
    Hello,
    Kind,
    ObjectKind,
    ObjectState,
    Phase,
    Report,
    SealKind,
    Status,
)

GEOMETRY = Geometry(1000, 4)
PAGE = GEOMETRY.page_bytes
SMALL = Step(1280, 1252, Geometry(800, 4))
STEPS = (Step(1500, 1472, GEOMETRY), SMALL)
HMAC = 1 << SealKind.HMAC_SHA256
GCM = 1 << SealKind.AES_256_GCM


def page_header(object: int, page: int, tx: int, *, generation: int = 0, count: int = GEOMETRY.packets) -> Header:
    """Return the header of a page's first packet, or of a coded packet with `count` terms."""
    return Header(Kind.PAGE, 0, count, object, 0, 0, generation, CASTER_ID, page, tx)


def hello(target: int = 0, **details: Any) -> Hello:
    values: dict[str, Any] = {
        "target": target,
        "instance": 100 + target,
        "counter": 1,
        "seals": HMAC,
        "buffer_bytes": 8 << 20,
        "retained_pages": 512,
        "group_bytes": 1472,
        "unicast_bytes": 0,
        "token": 0,
        "host": "host",
        "version": "1",
    }
    return Hello(**{**values, **details})


def report(target: int = 0, counter: int = 1, **details: Any) -> Report:
    values: dict[str, Any] = dict.fromkeys(Report._fields, 0)
    values |= {
        "target": target,
        "instance": 100 + target,
        "counter": counter,
        "active": ObjectKind.MANIFEST,
        "log_bytes": b"",
        "needs": (),
    }
    return Report(**{**values, **details})


def status(counter: int = 1, **details: Any) -> Status:
    """By default the session casts contents of 100 pages, 10 of them sent; objects behind those given are empty."""
    values: dict[str, Any] = {
        "session": 7,
        "counter": counter,
        "tx": counter,
        "phase": Phase.CASTING,
        "seal": SealKind.HMAC_SHA256,
        "slice_bytes": GEOMETRY.slice_bytes,
        "packets": GEOMETRY.packets,
        "objects": (ObjectState(PAGE, 1), ObjectState(PAGE, 1), ObjectState(100 * PAGE, 10)),
        "active": ObjectKind.CONTENTS,
        "target_count": 4,
        "plan_files": 10,
        "monitors": (),
        "report_pages": 4,
        "report_interval_us": 20000,
        "is_poll": False,
        "commit": CommitSpan(),
        "ack_wait_s": 8,
    }
    values |= details
    values["objects"] += (ObjectState(),) * (len(ObjectKind) - len(values["objects"]))
    return Status(**values)


def roster(count: int, now: float = 0.0) -> Roster:
    """So many targets, all present; target 1 is called "b", and so on."""
    made = Roster({target: chr(ord("a") + target % 26) for target in range(count)})
    for target in range(count):
        made.admit(found(made, target), hello(target), ("host", target), now)
    return made


def found(roster: Roster, target: int) -> Target:
    known = roster.find(target)
    assert known is not None
    return known


def are_files(first: int, end: int) -> bool:
    """Say that targets may need any entry of the manifest."""
    return first < end
