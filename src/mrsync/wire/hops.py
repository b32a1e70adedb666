"""Assign, Feed, Claim, Hop <-> bytes: what relays, their children and the caster say to each other."""

from __future__ import annotations

import struct

from mrsync.wire.clear import Clear
from mrsync.wire.fields import require
from mrsync.wire.limits import (
    CASTER_ID,
    CONTROL_BODY_MAX,
    HEADER_BYTES,
    INSTANCE_BYTES,
    PEER_ADDRESS_BYTES,
    SECRET_BYTES,
    TAG_BYTES,
    TARGETS_MAX,
)
from mrsync.wire.messages import Assign, Claim, Feed, Feeding, Hop, Kind, ObjectKind, Peer
from mrsync.wire.needs import decode_needs, encode_needs

_ASSIGN = struct.Struct(
    ">H"  # [assign-target]
    "I"  # [assign-number]
    "H"  # [assign-probe-bytes]
)
_PEER = struct.Struct(
    ">H"  # [assign-peer]
    "I"  # [assign-link]
    f"{PEER_ADDRESS_BYTES}s"  # [assign-address]
    "H"  # [assign-port]
    f"{SECRET_BYTES}s"  # [assign-key]
)
_FEED = struct.Struct(
    ">H"  # [feed-child]
    "I"  # [feed-link]
    "B"  # [feed-object]
    "I"  # [feed-pages]
    "I"  # [feed-report-pages]
    "B"  # [feed-poll]
    "H"  # [feed-bytes]
)
_CLAIM = struct.Struct(
    ">H"  # [claim-parent]
    "I"  # [claim-link]
    "H"  # [claim-heard-bytes]
    "B"  # [claim-active]
    "I"  # [claim-tx-seen]
    "I"  # [claim-tx-done]
    "I"  # [claim-hold]
    "I"  # [claim-frontier]
    "I"  # [claim-buffer-bytes]
    "Q"  # [claim-kernel-drops]
    "I"  # [claim-needs-first]
    "I"  # [claim-needs-end]
)
_HOP = struct.Struct(
    ">I"  # [hop-number]
    "B"  # [hop-feeding]
    "I"  # [hop-pages]
    "I"  # [hop-repaired]
    "I"  # [hop-waiting]
    "I"  # [hop-window]
)
FEED_BYTES = HEADER_BYTES + INSTANCE_BYTES + _FEED.size + TAG_BYTES  # of one without padding
_NOBODY = Peer(CASTER_ID, 0, bytes(PEER_ADDRESS_BYTES), 0, bytes(SECRET_BYTES))
_HOLD_MAX_US = 0xFFFFFFFF


def encode_assign(message: Assign) -> tuple[Clear, bytes]:
    """Clear part and body."""
    fixed = _ASSIGN.pack(message.target, message.number, message.probe_bytes)
    clear = Clear(Kind.ASSIGN, CASTER_ID, message.counter, 0, message.instance)
    return clear, fixed + _encode_peer(message.parent) + _encode_peer(message.child)


def decode_assign(clear: Clear, body: bytes) -> Assign:
    """The message; struct.error or ValueError for what no honest sender says."""
    target, number, probe_bytes = _ASSIGN.unpack_from(body)
    require(len(body) == _ASSIGN.size + 2 * _PEER.size)
    parent, child = (_decode_peer(body, _ASSIGN.size + at * _PEER.size) for at in range(2))
    require(target < TARGETS_MAX)
    require(all(peer is None or peer.target != target for peer in (parent, child)))
    return Assign(clear.instance, clear.counter, target, number, probe_bytes, parent, child)


def _encode_peer(peer: Peer | None) -> bytes:
    peer = peer or _NOBODY
    return _PEER.pack(peer.target, peer.link, peer.address, peer.port, peer.key)


def _decode_peer(body: bytes, at: int) -> Peer | None:
    peer = Peer(*_PEER.unpack_from(body, at))
    require(peer.target < TARGETS_MAX or peer == _NOBODY)
    return peer if peer != _NOBODY else None


def encode_feed(message: Feed) -> tuple[Clear, bytes]:
    """Clear part and body; ValueError for a size that nothing fits in."""
    padding = message.size_bytes - FEED_BYTES
    require(padding >= 0)
    fixed = _FEED.pack(
        message.child,
        message.link,
        message.object,
        message.pages_sent,
        message.report_pages,
        message.is_poll,
        message.size_bytes,
    )
    return Clear(Kind.FEED, message.parent, message.counter, message.tx, 0), fixed + bytes(padding)


def decode_feed(clear: Clear, body: bytes) -> Feed:
    """The message; struct.error or ValueError for what no honest sender says."""
    child, link, kind, pages_sent, report_pages, poll, size_bytes = _FEED.unpack_from(body)
    require(child < TARGETS_MAX and poll <= 1 and report_pages >= 1)
    require(size_bytes == FEED_BYTES - _FEED.size + len(body) and not any(body[_FEED.size :]))  # [feed-padding]
    numbers = (pages_sent, report_pages, poll == 1, size_bytes)
    return Feed(clear.sender, clear.counter, clear.tx, child, link, ObjectKind(kind), *numbers)


def encode_claim(message: Claim) -> tuple[Clear, bytes]:
    """Clear part and body; needs and needs_end are cut to what fits."""
    room = CONTROL_BODY_MAX - _CLAIM.size
    needs, needs_end = encode_needs(message.needs, first=message.needs_first, end=message.needs_end, room=room)
    fixed = _CLAIM.pack(
        message.parent,
        message.link,
        message.heard_bytes,
        message.active,
        message.tx_seen,
        message.tx_done,
        min(message.hold_us, _HOLD_MAX_US),
        message.frontier,
        message.buffer_bytes,
        message.kernel_drops,
        message.needs_first,
        needs_end,
    )
    return Clear(Kind.CLAIM, message.child, message.counter, 0, message.instance), fixed + needs  # [claim-needs]


def decode_claim(clear: Clear, body: bytes) -> Claim:
    """The message; struct.error or ValueError for what no honest sender says."""
    parent, link, heard_bytes, active, *numbers, needs_first, needs_end = _CLAIM.unpack_from(body)
    require(parent < TARGETS_MAX and parent != clear.sender)
    needs = decode_needs(body[_CLAIM.size :], first=needs_first, end=needs_end)
    speaker = (clear.sender, clear.instance, clear.counter)
    return Claim(*(*speaker, parent, link, heard_bytes, ObjectKind(active), *numbers, needs_first, needs_end, needs))


def encode_hop(message: Hop) -> tuple[Clear, bytes]:
    """Clear part and body."""
    body = _HOP.pack(
        message.number,
        message.feeding,
        message.pages_forwarded,
        message.packets_repaired,
        message.pages_waiting,
        message.window_pages,
    )
    return Clear(Kind.HOP, message.target, message.counter, 0, message.instance), body


def decode_hop(clear: Clear, body: bytes) -> Hop:
    """The message; struct.error or ValueError for what no honest sender says."""
    number, feeding, *numbers = _HOP.unpack(body)
    return Hop(*(clear.sender, clear.instance, clear.counter, number, Feeding(feeding), *numbers))
