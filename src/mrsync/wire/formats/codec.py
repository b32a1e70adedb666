"""Encode control messages to their clear part and body, and decode them, without seals; see docs/protocol.md."""

from __future__ import annotations

import struct
from typing import Callable

from mrsync.wire.formats import digests, echoes, hops, letters, report, status
from mrsync.wire.formats.clear import Clear
from mrsync.wire.limits import CASTER_ID, CONTROL_BODY_MAX, TARGETS_MAX
from mrsync.wire.messages import (
    Ack,
    Assign,
    Claim,
    Digests,
    Echo,
    Farewell,
    Feed,
    Hello,
    Hop,
    Kind,
    Knock,
    Message,
    Ping,
    Probe,
    Report,
    Status,
    Welcome,
)

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
    Assign: hops.encode_assign,
    Feed: hops.encode_feed,
    Claim: hops.encode_claim,
    Hop: hops.encode_hop,
    Digests: digests.encode_digests,
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
    Kind.ASSIGN: hops.decode_assign,
    Kind.FEED: hops.decode_feed,
    Kind.CLAIM: hops.decode_claim,
    Kind.HOP: hops.decode_hop,
    Kind.DIGESTS: digests.decode_digests,
}
PADDED = (Kind.PROBE, Kind.FEED)  # to the size of datagram that is tested
_FROM_CATCHERS = (Kind.HELLO, Kind.REPORT, Kind.ECHO, Kind.KNOCK, Kind.FEED, Kind.CLAIM, Kind.HOP)
_WITH_TX = (Kind.STATUS, Kind.FEED)
_WITHOUT_INSTANCE = (Kind.STATUS, Kind.PING, Kind.PROBE, Kind.FEED, Kind.DIGESTS)


def encode_message(message: Message) -> tuple[Clear, bytes]:
    """Return the clear part and the body. The body has at most CONTROL_BODY_MAX bytes, except for Probe and Feed.

    The needs of a Report or a Claim, with its needs_end, are cut to what fits after its log_bytes. Texts are cut too.
    Raise struct.error for a number that is negative or does not fit its field, ValueError for a list that is too long.
    """
    clear, body = _ENCODERS[type(message)](message)
    if len(body) > CONTROL_BODY_MAX and clear.kind not in PADDED:
        raise ValueError(f"a {type(message).__name__} of {len(body)} bytes does not fit a packet")
    return clear, body


def decode_message(clear: Clear, body: bytes) -> Message | None:
    """Return the message, or None if a part of it is missing, superfluous, out of its limits or contradictory."""
    decoder = _DECODERS.get(clear.kind)
    if decoder is None or not _is_plausible(clear):
        return None
    try:
        return decoder(clear, body)
    except (struct.error, ValueError):
        return None


def _is_plausible(clear: Clear) -> bool:
    """Return whether such senders send this kind, and the clear fields that it does not use are zero."""
    is_catcher = clear.sender < TARGETS_MAX
    if is_catcher != (clear.kind in _FROM_CATCHERS) or not (is_catcher or clear.sender == CASTER_ID):
        return False
    if clear.tx and clear.kind not in _WITH_TX:
        return False
    return clear.instance == 0 or clear.kind not in _WITHOUT_INSTANCE
