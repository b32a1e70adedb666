"""Ping, Echo <-> bytes: what the tools that measure networks say instead of a session."""

from __future__ import annotations

import struct

from mrsync.wire.clear import Clear
from mrsync.wire.fields import require
from mrsync.wire.limits import CASTER_ID
from mrsync.wire.messages import Echo, Kind, Ping, Way

_PING = struct.Struct(
    ">Q"  # [ping-session]
)
_ECHO = struct.Struct(
    ">B"  # [echo-kind]
    "B"  # [echo-way]
    "I"  # [echo-number]
    "H"  # [echo-generation]
    "I"  # [echo-hold]
    "Q"  # [echo-clock]
)


def encode_ping(message: Ping) -> tuple[Clear, bytes]:
    """Clear part and body."""
    return Clear(Kind.PING, CASTER_ID, message.counter, 0, 0), _PING.pack(message.session)


def decode_ping(clear: Clear, body: bytes) -> Ping:
    """The message; struct.error or ValueError for what no honest sender says."""
    (session,) = _PING.unpack(body)
    return Ping(session, clear.counter)


def encode_echo(message: Echo) -> tuple[Clear, bytes]:
    """Clear part and body."""
    body = _ECHO.pack(message.kind, message.way, message.number, message.generation, message.hold_us, message.clock_us)
    return Clear(Kind.ECHO, message.target, message.counter, 0, message.instance), body


def decode_echo(clear: Clear, body: bytes) -> Echo:
    """The message; struct.error or ValueError for what no honest sender says."""
    kind, way, number, generation, hold_us, clock_us = _ECHO.unpack(body)
    require(kind in (Kind.PING, Kind.PAGE))
    return Echo(
        clear.sender, clear.instance, clear.counter, Kind(kind), Way(way), number, generation, hold_us, clock_us
    )
