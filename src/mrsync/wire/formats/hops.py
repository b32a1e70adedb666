"""Encode and decode ASSIGN, FEED, CLAIM and HOP, the messages between relays, their children and the caster."""

from __future__ import annotations

from mrsync.wire.fields import require
from mrsync.wire.formats.clear import Clear
from mrsync.wire.formats.needs import decode_needs, encode_needs
from mrsync.wire.layout import Layout
from mrsync.wire.limits import (
    CASTER_ID,
    CONTROL_BODY_MAX,
    HEADER_BYTES,
    INSTANCE_BYTES,
    ISLAND_ID,
    PEER_ADDRESS_BYTES,
    SECRET_BYTES,
    TAG_BYTES,
    TARGETS_MAX,
)
from mrsync.wire.messages import Assign, Claim, Feed, Feeding, Hop, Kind, ObjectKind, Peer

_ASSIGN = Layout(
    ("target", "H", "assign-target"),
    ("number", "I", "assign-number"),
    ("probe_bytes", "H", "assign-probe-bytes"),
)
_PEER = Layout(
    ("target", "H", "assign-peer"),
    ("link", "I", "assign-link"),
    ("address", f"{PEER_ADDRESS_BYTES}s", "assign-address"),
    ("port", "H", "assign-port"),
    ("key", f"{SECRET_BYTES}s", "assign-key"),
)
_FEED = Layout(
    ("child", "H", "feed-child"),
    ("link", "I", "feed-link"),
    ("object", "B", "feed-object"),
    ("pages_sent", "I", "feed-pages"),
    ("report_pages", "I", "feed-report-pages"),
    ("is_poll", "B", "feed-poll"),
    ("size_bytes", "H", "feed-bytes"),
)
_CLAIM = Layout(
    ("parent", "H", "claim-parent"),
    ("link", "I", "claim-link"),
    ("heard_bytes", "H", "claim-heard-bytes"),
    ("active", "B", "claim-active"),
    ("tx_seen", "I", "claim-tx-seen"),
    ("tx_done", "I", "claim-tx-done"),
    ("hold_us", "I", "claim-hold"),
    ("frontier", "I", "claim-frontier"),
    ("buffer_bytes", "I", "claim-buffer-bytes"),
    ("kernel_drops", "Q", "claim-kernel-drops"),
    ("needs_first", "I", "claim-needs-first"),
    ("needs_end", "I", "claim-needs-end"),
    ("ended_tx", "I", "claim-ended-tx"),
    ("ended_hold_us", "I", "claim-ended-hold"),
    ("packets_marked", "I", "claim-packets-marked"),
    is_saturating=True,
)
_HOP = Layout(
    ("number", "I", "hop-number"),
    ("feeding", "B", "hop-feeding"),
    ("pages_forwarded", "I", "hop-pages"),
    ("packets_repaired", "I", "hop-repaired"),
    ("pages_waiting", "I", "hop-waiting"),
    ("window_bursts", "I", "hop-window"),
)
FEED_BYTES = HEADER_BYTES + INSTANCE_BYTES + _FEED.size + TAG_BYTES  # of one without padding
_IPV4_MAPPED = bytes(10) + b"\xff\xff"
_NOBODY = Peer(CASTER_ID, 0, bytes(PEER_ADDRESS_BYTES), 0, bytes(SECRET_BYTES))

# Decoders raise struct.error or ValueError for what no honest sender sends.


def encode_assign(message: Assign) -> tuple[Clear, bytes]:
    """Return the clear part and the body."""
    named = (message.parent, message.child, *([message.island] if message.island is not None else ()))
    peers = b"".join(_PEER.pack(peer or _NOBODY) for peer in named)
    return Clear(Kind.ASSIGN, CASTER_ID, message.counter, 0, message.instance), _ASSIGN.pack(message) + peers


def decode_assign(clear: Clear, body: bytes) -> Assign:
    """Return the message."""
    fields = _ASSIGN.unpack_from(body)
    count, rest = divmod(len(body) - _ASSIGN.size, _PEER.size)
    require(count in (2, 3) and rest == 0)
    parent, child, *islands = (_decode_peer(body, _ASSIGN.size + at * _PEER.size) for at in range(count))
    target, island = fields["target"], islands[0] if islands else None
    require(target < TARGETS_MAX and None not in islands)
    require(all(peer is None or (peer.target != target and not _is_group(peer)) for peer in (parent, child)))
    require(island is None or _is_group(island))
    if island is not None and island.target == target:
        require(child is None)
    elif island is not None:
        require(parent is not None and (parent.target, parent.link) == (island.target, island.link))
    return Assign(clear.instance, clear.counter, **fields, parent=parent, child=child, island=island)


def _decode_peer(body: bytes, at: int) -> Peer | None:
    peer = Peer(**_PEER.unpack_from(body, at))
    require(peer.target < TARGETS_MAX or peer == _NOBODY)
    return peer if peer != _NOBODY else None


def _is_group(peer: Peer) -> bool:
    """Return whether the address is one of multicast: no island is cast to a single host, and no child is a group."""
    is_ipv4 = peer.address.startswith(_IPV4_MAPPED)
    return peer.address[12] >> 4 == 0xE if is_ipv4 else peer.address[0] == 0xFF


def encode_feed(message: Feed) -> tuple[Clear, bytes]:
    """Return the clear part and the body. Raise ValueError for a size that is too small for a datagram."""
    padding = message.size_bytes - FEED_BYTES
    require(padding >= 0)
    clear = Clear(Kind.FEED, message.parent, message.counter, message.tx, 0)
    return clear, _FEED.pack(message) + bytes(padding)  # [feed-padding]


def decode_feed(clear: Clear, body: bytes) -> Feed:
    """Return the message."""
    fields = _FEED.unpack_from(body)
    require(fields["child"] < TARGETS_MAX or fields["child"] == ISLAND_ID)
    require(fields["is_poll"] <= 1 and fields["report_pages"] >= 1)
    padding = body[_FEED.size :]  # [feed-padding]
    require(fields["size_bytes"] == FEED_BYTES + len(padding) and not any(padding))
    fields["object"], fields["is_poll"] = ObjectKind(fields["object"]), fields["is_poll"] == 1
    return Feed(clear.sender, clear.counter, clear.tx, **fields)


def encode_claim(message: Claim) -> tuple[Clear, bytes]:
    """Return the clear part and the body. Cut needs and needs_end to what fits."""
    room = CONTROL_BODY_MAX - _CLAIM.size
    needs, needs_end = encode_needs(message.needs, first=message.needs_first, end=message.needs_end, room=room)
    clear = Clear(Kind.CLAIM, message.child, message.counter, 0, message.instance)
    return clear, _CLAIM.pack(message, needs_end=needs_end) + needs  # [claim-needs]


def decode_claim(clear: Clear, body: bytes) -> Claim:
    """Return the message."""
    fields = _CLAIM.unpack_from(body)
    require(fields["parent"] < TARGETS_MAX and fields["parent"] != clear.sender)
    fields["active"] = ObjectKind(fields["active"])
    needs = decode_needs(body[_CLAIM.size :], first=fields["needs_first"], end=fields["needs_end"])
    return Claim(clear.sender, clear.instance, clear.counter, **fields, needs=needs)


def encode_hop(message: Hop) -> tuple[Clear, bytes]:
    """Return the clear part and the body."""
    return Clear(Kind.HOP, message.target, message.counter, 0, message.instance), _HOP.pack(message)


def decode_hop(clear: Clear, body: bytes) -> Hop:
    """Return the message."""
    fields = _HOP.unpack(body)
    fields["feeding"] = Feeding(fields["feeding"])
    return Hop(clear.sender, clear.instance, clear.counter, **fields)
