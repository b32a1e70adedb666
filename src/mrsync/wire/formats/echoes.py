"""Encode and decode PING and ECHO, the messages of the tools that measure networks."""

from __future__ import annotations

from mrsync.wire.fields import require
from mrsync.wire.formats.clear import Clear
from mrsync.wire.layout import Layout
from mrsync.wire.limits import CASTER_ID
from mrsync.wire.messages import Echo, Kind, Ping, Way

_PING = Layout(("session", "Q", "ping-session"))
_ECHO = Layout(
    ("kind", "B", "echo-kind"),
    ("way", "B", "echo-way"),
    ("number", "I", "echo-number"),
    ("generation", "H", "echo-generation"),
    ("hold_us", "I", "echo-hold"),
    ("clock_us", "Q", "echo-clock"),
)

# Decoders raise struct.error or ValueError for what no honest sender sends.


def encode_ping(message: Ping) -> tuple[Clear, bytes]:
    """Return the clear part and the body."""
    return Clear(Kind.PING, CASTER_ID, message.counter, 0, 0), _PING.pack(message)


def decode_ping(clear: Clear, body: bytes) -> Ping:
    """Return the message."""
    return Ping(**_PING.unpack(body), counter=clear.counter)


def encode_echo(message: Echo) -> tuple[Clear, bytes]:
    """Return the clear part and the body."""
    return Clear(Kind.ECHO, message.target, message.counter, 0, message.instance), _ECHO.pack(message)


def decode_echo(clear: Clear, body: bytes) -> Echo:
    """Return the message."""
    fields = _ECHO.unpack(body)
    require(fields["kind"] in (Kind.PING, Kind.PAGE))
    fields["kind"], fields["way"] = Kind(fields["kind"]), Way(fields["way"])
    return Echo(clear.sender, clear.instance, clear.counter, **fields)
