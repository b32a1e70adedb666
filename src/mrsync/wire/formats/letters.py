"""Encode and decode HELLO, WELCOME, ACK, FAREWELL, PROBE and KNOCK."""

from __future__ import annotations

from mrsync.wire.fields import encode_text, read_text, require
from mrsync.wire.formats.clear import Clear
from mrsync.wire.layout import Layout
from mrsync.wire.limits import (
    CASTER_ID,
    HEADER_BYTES,
    HELLO_BYTES_MIN,
    INSTANCE_BYTES,
    LOG_BYTES_MAX,
    TAG_BYTES,
    TARGETS_MAX,
)
from mrsync.wire.messages import Ack, Compression, Ending, Farewell, Hello, Kind, Knock, Probe, Welcome

_HELLO = Layout(
    ("seals", "B", "hello-seals"),
    ("buffer_bytes", "I", "hello-buffer-bytes"),
    ("retained_pages", "I", "hello-retained-pages"),
    ("group_bytes", "H", "hello-group-bytes"),
    ("unicast_bytes", "H", "hello-unicast-bytes"),
    ("token", "I", "hello-token"),
    ("compressions", "B", "hello-compressions"),
)
_WELCOME = Layout(
    ("target", "H", "welcome-target"),
    ("turn", "H", "welcome-turn"),
    ("hello", "I", "welcome-hello"),
    ("token", "I", "welcome-token"),
)
_ACK = Layout(
    ("target", "H", "ack-target"),
    ("log_offset", "I", "ack-log-offset"),
)
_FAREWELL = Layout(
    ("target", "H", "farewell-target"),
    ("ending", "B", "farewell-ending"),
)
_PROBE = Layout(("size_bytes", "H", "probe-bytes"))
_KNOCK = Layout(("size_bytes", "H", "knock-bytes"))
_CONTROL_FRAME_BYTES = HEADER_BYTES + INSTANCE_BYTES + TAG_BYTES
_HELLO_BODY_MIN = HELLO_BYTES_MIN - _CONTROL_FRAME_BYTES

# Decoders raise struct.error or ValueError for what no honest sender sends.


def encode_hello(message: Hello) -> tuple[Clear, bytes]:
    """Return the clear part and the body, padded so that no answer is longer than the message."""
    texts = encode_text(message.host) + encode_text(message.version)  # [hello-host] [hello-version]
    padded = (_HELLO.pack(message) + texts).ljust(_HELLO_BODY_MIN, b"\0")  # [hello-padding]
    return Clear(Kind.HELLO, message.target, message.counter, 0, message.instance), padded


def decode_hello(clear: Clear, body: bytes) -> Hello:
    """Return the message."""
    fields = _HELLO.unpack_from(body)
    host, offset = read_text(body, _HELLO.size)  # [hello-host]
    version, offset = read_text(body, offset)  # [hello-version]
    require(len(body) == max(offset, _HELLO_BODY_MIN) and not any(body[offset:]))  # [hello-padding]
    require(fields["compressions"] & 1 << Compression.DEFLATE)
    return Hello(clear.sender, clear.instance, clear.counter, **fields, host=host, version=version)


def encode_welcome(message: Welcome) -> tuple[Clear, bytes]:
    """Return the clear part and the body."""
    return Clear(Kind.WELCOME, CASTER_ID, message.counter, 0, message.instance), _WELCOME.pack(message)


def decode_welcome(clear: Clear, body: bytes) -> Welcome:
    """Return the message."""
    welcome = Welcome(clear.instance, clear.counter, **_WELCOME.unpack(body))
    require(welcome.target < TARGETS_MAX)
    return welcome


def encode_ack(message: Ack) -> tuple[Clear, bytes]:
    """Return the clear part and the body."""
    return Clear(Kind.ACK, CASTER_ID, message.counter, 0, message.instance), _ACK.pack(message)


def decode_ack(clear: Clear, body: bytes) -> Ack:
    """Return the message."""
    ack = Ack(clear.instance, clear.counter, **_ACK.unpack(body))
    require(ack.target < TARGETS_MAX and ack.log_offset <= LOG_BYTES_MAX)
    return ack


def encode_farewell(message: Farewell) -> tuple[Clear, bytes]:
    """Return the clear part and the body."""
    clear = Clear(Kind.FAREWELL, CASTER_ID, message.counter, 0, message.instance)
    return clear, _FAREWELL.pack(message) + encode_text(message.reason)  # [farewell-reason]


def decode_farewell(clear: Clear, body: bytes) -> Farewell:
    """Return the message."""
    fields = _FAREWELL.unpack_from(body)
    reason, offset = read_text(body, _FAREWELL.size)  # [farewell-reason]
    require(fields["target"] < TARGETS_MAX and offset == len(body))
    return Farewell(clear.instance, clear.counter, fields["target"], Ending(fields["ending"]), reason)


def encode_probe(message: Probe) -> tuple[Clear, bytes]:
    """Return the clear part and the body. Raise ValueError for a size that is too small for a datagram."""
    return Clear(Kind.PROBE, CASTER_ID, message.counter, 0, 0), _padded(_PROBE, message)  # [probe-padding]


def decode_probe(clear: Clear, body: bytes) -> Probe:
    """Return the message."""
    return Probe(clear.counter, _read_padded(_PROBE, body))  # [probe-padding]


def encode_knock(message: Knock) -> tuple[Clear, bytes]:
    """Return the clear part and the body. Raise ValueError for a size that is too small for a datagram."""
    clear = Clear(Kind.KNOCK, message.target, message.counter, 0, message.instance)
    return clear, _padded(_KNOCK, message)  # [knock-padding]


def decode_knock(clear: Clear, body: bytes) -> Knock:
    """Return the message."""
    return Knock(clear.sender, clear.instance, clear.counter, _read_padded(_KNOCK, body))  # [knock-padding]


def _padded(layout: Layout, message: Probe | Knock) -> bytes:
    """Return the size of the whole datagram, and zeros up to it."""
    padding = message.size_bytes - _CONTROL_FRAME_BYTES - layout.size
    require(padding >= 0)
    return layout.pack(message) + bytes(padding)


def _read_padded(layout: Layout, body: bytes) -> int:
    """Return the size of the whole datagram. Raise ValueError if it has another one, or the padding is not zeros."""
    size_bytes: int = layout.unpack_from(body)["size_bytes"]
    require(size_bytes == len(body) + _CONTROL_FRAME_BYTES and not any(body[layout.size :]))
    return size_bytes
