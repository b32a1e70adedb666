"""Hello, Welcome, Ack, Farewell, Probe, Knock <-> bytes: the messages beside status and report."""

from __future__ import annotations

import struct

from mrsync.wire.clear import Clear
from mrsync.wire.fields import encode_text, read_text, require
from mrsync.wire.limits import (
    CASTER_ID,
    HEADER_BYTES,
    HELLO_BYTES_MIN,
    INSTANCE_BYTES,
    LOG_BYTES_MAX,
    TAG_BYTES,
    TARGETS_MAX,
)
from mrsync.wire.messages import Ack, Ending, Farewell, Hello, Kind, Knock, Probe, Welcome

_HELLO = struct.Struct(
    ">B"  # [hello-seals]
    "I"  # [hello-buffer-bytes]
    "I"  # [hello-retained-pages]
    "H"  # [hello-group-bytes]
    "H"  # [hello-unicast-bytes]
    "I"  # [hello-token]
)
_WELCOME = struct.Struct(
    ">H"  # [welcome-target]
    "H"  # [welcome-slot]
    "I"  # [welcome-hello]
    "I"  # [welcome-token]
)
_ACK = struct.Struct(
    ">H"  # [ack-target]
    "I"  # [ack-log-offset]
)
_FAREWELL = struct.Struct(
    ">H"  # [farewell-target]
    "B"  # [farewell-ending]
)
_PROBE = struct.Struct(">H")  # [probe-bytes]
_KNOCK = struct.Struct(">H")  # [knock-bytes]
_CONTROL_FRAME_BYTES = HEADER_BYTES + INSTANCE_BYTES + TAG_BYTES
_HELLO_BODY_MIN = HELLO_BYTES_MIN - _CONTROL_FRAME_BYTES


def encode_hello(message: Hello) -> tuple[Clear, bytes]:
    """Clear part and body."""
    hearing = (message.group_bytes, message.unicast_bytes, message.token)
    fixed = _HELLO.pack(message.seals, message.buffer_bytes, message.retained_pages, *hearing)
    texts = encode_text(message.host) + encode_text(message.version)  # [hello-host] [hello-version]
    padded = (fixed + texts).ljust(_HELLO_BODY_MIN, b"\0")  # [hello-padding]
    return Clear(Kind.HELLO, message.target, message.counter, 0, message.instance), padded


def decode_hello(clear: Clear, body: bytes) -> Hello:
    """The message; struct.error or ValueError for what no honest sender says."""
    fixed = _HELLO.unpack_from(body)
    host, offset = read_text(body, _HELLO.size)  # [hello-host]
    version, offset = read_text(body, offset)  # [hello-version]
    require(len(body) == max(offset, _HELLO_BODY_MIN) and not any(body[offset:]))  # [hello-padding]
    return Hello(*(clear.sender, clear.instance, clear.counter, *fixed, host, version))


def encode_welcome(message: Welcome) -> tuple[Clear, bytes]:
    """Clear part and body."""
    clear = Clear(Kind.WELCOME, CASTER_ID, message.counter, 0, message.instance)
    return clear, _WELCOME.pack(message.target, message.slot, message.hello, message.token)


def decode_welcome(clear: Clear, body: bytes) -> Welcome:
    """The message; struct.error or ValueError for what no honest sender says."""
    target, slot, hello, token = _WELCOME.unpack(body)
    require(target < TARGETS_MAX)
    return Welcome(clear.instance, clear.counter, target, slot, hello, token)


def encode_ack(message: Ack) -> tuple[Clear, bytes]:
    """Clear part and body."""
    clear = Clear(Kind.ACK, CASTER_ID, message.counter, 0, message.instance)
    return clear, _ACK.pack(message.target, message.log_offset)


def decode_ack(clear: Clear, body: bytes) -> Ack:
    """The message; struct.error or ValueError for what no honest sender says."""
    target, log_offset = _ACK.unpack(body)
    require(target < TARGETS_MAX and log_offset <= LOG_BYTES_MAX)
    return Ack(clear.instance, clear.counter, target, log_offset)


def encode_farewell(message: Farewell) -> tuple[Clear, bytes]:
    """Clear part and body."""
    clear = Clear(Kind.FAREWELL, CASTER_ID, message.counter, 0, message.instance)
    return clear, _FAREWELL.pack(message.target, message.ending) + encode_text(message.reason)  # [farewell-reason]


def decode_farewell(clear: Clear, body: bytes) -> Farewell:
    """The message; struct.error or ValueError for what no honest sender says."""
    target, ending = _FAREWELL.unpack_from(body)
    reason, offset = read_text(body, _FAREWELL.size)  # [farewell-reason]
    require(target < TARGETS_MAX and offset == len(body))
    return Farewell(clear.instance, clear.counter, target, Ending(ending), reason)


def encode_probe(message: Probe) -> tuple[Clear, bytes]:
    """Clear part and body; ValueError for a size that nothing fits in."""
    body = _padded(_PROBE, message.size_bytes)  # [probe-padding]
    return Clear(Kind.PROBE, CASTER_ID, message.counter, 0, 0), body


def decode_probe(clear: Clear, body: bytes) -> Probe:
    """The message; struct.error or ValueError for what no honest sender says."""
    return Probe(clear.counter, _read_padded(_PROBE, body))  # [probe-padding]


def encode_knock(message: Knock) -> tuple[Clear, bytes]:
    """Clear part and body; ValueError for a size that nothing fits in."""
    body = _padded(_KNOCK, message.size_bytes)  # [knock-padding]
    return Clear(Kind.KNOCK, message.target, message.counter, 0, message.instance), body


def decode_knock(clear: Clear, body: bytes) -> Knock:
    """The message; struct.error or ValueError for what no honest sender says."""
    return Knock(clear.sender, clear.instance, clear.counter, _read_padded(_KNOCK, body))  # [knock-padding]


def _padded(layout: struct.Struct, size_bytes: int) -> bytes:
    """The size of a whole datagram, and zeros up to it."""
    padding = size_bytes - _CONTROL_FRAME_BYTES - layout.size
    require(padding >= 0)
    return layout.pack(size_bytes) + bytes(padding)


def _read_padded(layout: struct.Struct, body: bytes) -> int:
    """The reverse of `_padded`; struct.error, or ValueError if it is not as long as it says, or not empty."""
    (size_bytes,) = layout.unpack_from(body)
    require(size_bytes == len(body) + _CONTROL_FRAME_BYTES and not any(body[layout.size :]))
    return int(size_bytes)
