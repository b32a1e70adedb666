"""Decoders of what comes from the network, with messages and records to begin with."""

from __future__ import annotations

import zlib

from mrsync.protocol.core.log import LogReader
from mrsync.transport.pages.compression import expand
from mrsync.wire.formats.changes import Change, pack_changes, pack_deletions, unpack_changes, unpack_deletions
from mrsync.wire.formats.clear import Clear
from mrsync.wire.formats.codec import decode_message, encode_message
from mrsync.wire.formats.needs import decode_needs, encode_needs
from mrsync.wire.formats.record_codec import encode_record
from mrsync.wire.formats.session import ControlCodec, open_status
from mrsync.wire.header import unpack_header
from mrsync.wire.limits import CASTER_ID, HEADER_BYTES
from mrsync.wire.messages import (
    Ack,
    Assign,
    Claim,
    Digests,
    Echo,
    Ending,
    Farewell,
    Feed,
    Feeding,
    Hop,
    Kind,
    Knock,
    Message,
    ObjectKind,
    Peer,
    Ping,
    Probe,
    Way,
    Welcome,
)
from mrsync.wire.records import ComparedRecord, ErrorRecord, FailedRecord, LogRecord, NeedsRecord
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.proofs import prover_of
from mrsync.wire.terms import decode_terms
from tests.fuzz.decoder import Decoder
from tests.unit.protocol.builders import hello, report, status

ZSTD_FRAMES = (  # of 1000 zeros, and of 1000 letters
    bytes.fromhex("28b52ffd60e8024d00001000000100e32b8005"),
    bytes.fromhex("28b52ffd60e802750000386d7273796e63200100de551523"),
)


def wire_decoders() -> dict[str, Decoder]:
    messages = _session_messages()
    keys = SessionKeys.derive(bytes(32), 1 << 63)
    codec = ControlCodec(keys)
    bodies = []
    for message in messages + _other_messages():
        clear, body = encode_message(message)
        bodies.append(bytes([clear.kind, clear.sender >> 8 == 255]) + body)
    records: list[LogRecord] = [
        NeedsRecord(0, 5, ((0, 1), (3, 4))),
        ComparedRecord(1, 2, 3),
        ErrorRecord(2, b"path", "read"),
        FailedRecord("no"),
    ]
    log = b"".join([encode_record(record) for record in records])
    changes = b"".join(pack_changes([Change(1, 3, 5, -1), Change(7, 8, 1 << 11, 3)]))
    deletions = b"".join(pack_deletions([(0, b"a/b"), (1, b"a/bc")]))
    return {
        "message": Decoder(_read_message, bodies),
        "datagram": Decoder(
            lambda data: (codec.decode(data), open_status(bytes(32), data)), [codec.encode(each) for each in messages]
        ),
        "compressed page": Decoder(
            lambda data: expand(data, 1000), [_deflated(bytes(1000)), _deflated(bytes(2000)), *ZSTD_FRAMES]
        ),
        "log": Decoder(lambda data: LogReader().feed(0, data), [log]),
        "changes": Decoder(lambda data: list(unpack_changes(data)), [changes], answers=(ValueError,)),
        "deletions": Decoder(lambda data: list(unpack_deletions(data)), [deletions], answers=(ValueError,)),
        "needs": Decoder(
            lambda data: decode_needs(data, first=3, end=90),
            [b"".join(encode_needs([(5, 1, 0), (7, 1, 6), (9, 1, 4)], first=3, end=90, room=50)[:1])],
            answers=(ValueError,),
        ),
        "terms": Decoder(_read_terms, [codec.encode(messages[0])]),
        "terms of proofs": Decoder(
            lambda data: prover_of(data.decode("latin-1")),
            [b"sha256", b"1 5 2 100 3 " + b"00" * 32],
            answers=(ValueError,),
        ),
    }


def _session_messages() -> list[Message]:
    """Return messages between caster and catchers, the first one a STATUS."""
    return [
        status(1),
        hello(),
        report(),
        Welcome(1, 2, 0, 0, 1, 1),
        Ack(1, 2, 0, 5),
        Farewell(1, 2, 0, Ending.DONE, "end"),
        Probe(1, 200),
        Knock(0, 1, 2, 200),
        Digests(1, ObjectKind.CONTENTS, 3, ((0, bytes(32)), (1, b"x" * 32))),
    ]


def _other_messages() -> list[Message]:
    """Return messages of the tools and between relays, which need other keys than those of a session."""
    peers = [Peer(number, number, bytes(16), 5) for number in (1, 2)]
    return [
        Ping(1 << 63, 1),
        Echo(3, 1, 2, Kind.PING, Way.GROUP, 1, 0, 5, 6),
        Assign(1, 2, 0, 1, 1472, *peers),
        Assign(1, 2, 0, 1, 1472, None, None),
        Feed(1, 2, 3, 0, 1, ObjectKind.CONTENTS, 5, 4, False, 200),
        Claim(1, 2, 3, 0, 1, 200, ObjectKind.CONTENTS, 4, 3, 2, 1, 9, 0, 5, 90, ((7, 1, 6), (9, 2, 0)), 1, 2, 3),
        Hop(1, 2, 3, 1, Feeding.FED, 5, 6, 7, 8),
    ]


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _read_message(data: bytes) -> None:
    kind, is_caster, body = data[0:1], data[1:2], data[2:]
    sender = CASTER_ID if is_caster != b"\0" else 3
    decode_message(Clear(kind[0] if kind else 0, sender, 1, 0, 0), body)


def _read_terms(data: bytes) -> None:
    header = unpack_header(data)
    if header is not None:
        decode_terms(header, data[HEADER_BYTES:])
