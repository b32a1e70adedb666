"""Control messages <-> their clear part and their body, without seals; layouts as in docs/protocol.md."""

from __future__ import annotations

import struct
from typing import Callable

from mrsync.wire import echoes, letters, report, status
from mrsync.wire.clear import Clear
from mrsync.wire.limits import CASTER_ID, CONTROL_BODY_MAX, TARGETS_MAX
from mrsync.wire.messages import Ack, Echo, Farewell, Hello, Kind, Knock, Message, Ping, Probe, Report, Status, Welcome

_ENCODERS: dict[type, Callable[..., tuple[Clear, bytes]]] = {
    Status: status.encode_status,
    Hello: letters.encode_hello,
    Welcome: letters.encode_welcome,
    Report: report.encode_report,
    Ack: letters.encode_ack,
    Farewell: letters.encode_farewell,
    Probe: letters.encode_probe,
    Ping: echoes.encode_ping,
    Echo: echoes.encode_echo,
    Knock: letters.encode_knock,
}
_DECODERS: dict[int, Callable[[Clear, bytes], Message]] = {
    Kind.STATUS: status.decode_status,
    Kind.HELLO: letters.decode_hello,
    Kind.WELCOME: letters.decode_welcome,
    Kind.REPORT: report.decode_report,
    Kind.ACK: letters.decode_ack,
    Kind.FAREWELL: letters.decode_farewell,
    Kind.PROBE: letters.decode_probe,
    Kind.PING: echoes.decode_ping,
    Kind.ECHO: echoes.decode_echo,
    Kind.KNOCK: letters.decode_knock,
}
_FROM_CATCHERS = (Kind.HELLO, Kind.REPORT, Kind.ECHO, Kind.KNOCK)
_WITHOUT_INSTANCE = (Kind.STATUS, Kind.PING, Kind.PROBE)


def encode_message(message: Message) -> tuple[Clear, bytes]:
    """The clear part and the body, at most CONTROL_BODY_MAX bytes but for a Probe.

    The needs of a Report are cut, with its needs_end, to what fits behind its log_bytes. Texts are cut too.
    struct.error for a number that is negative or out of its width, ValueError for a list that is too long.
    """
    clear, body = _ENCODERS[type(message)](message)
    if len(body) > CONTROL_BODY_MAX and clear.kind != Kind.PROBE:
        raise ValueError(f"a {type(message).__name__} of {len(body)} bytes does not fit a packet")
    return clear, body


def decode_message(clear: Clear, body: bytes) -> Message | None:
    """The message; None if any part of it is missing, superfluous, out of its limits or a contradiction."""
    decoder = _DECODERS.get(clear.kind)
    if decoder is None or not _is_plausible(clear):
        return None
    try:
        return decoder(clear, body)
    except (struct.error, ValueError):
        return None


def _is_plausible(clear: Clear) -> bool:
    """Whether this kind comes from this sender, and says nothing where it has nothing to say."""
    if clear.kind in _FROM_CATCHERS:
        return clear.sender < TARGETS_MAX and clear.tx == 0
    if clear.sender != CASTER_ID or (clear.tx and clear.kind != Kind.STATUS):
        return False
    return clear.instance == 0 or clear.kind not in _WITHOUT_INSTANCE
