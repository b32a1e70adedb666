"""Ping and Echo: their limits, and how a ping opens a session."""

from __future__ import annotations

import struct

import pytest

from mrsync.wire.formats.echoes import decode_echo, decode_ping, encode_echo, encode_ping
from mrsync.wire.formats.session import ControlCodec, Rejection, open_ping, open_status
from mrsync.wire.messages import Ack, Echo, Kind, Ping, Way
from tests.unit.wire.samples import KEYS, SECRET, SESSION

PING = Ping(SESSION, 7)
ECHO = Echo(2, 3, 4, Kind.PAGE, Way.DATA_PORT, 5, 6, 7, 8)


def test_pings_and_echoes_of_another_length_are_refused() -> None:
    for decode, (clear, body) in ((decode_ping, encode_ping(PING)), (decode_echo, encode_echo(ECHO))):
        for damaged in (body[:-1], body + b"x"):
            with pytest.raises(struct.error):
                decode(clear, damaged)


def test_only_pings_and_pages_are_echoed() -> None:
    clear, body = encode_echo(ECHO)
    for kind in set(range(256)) - {Kind.PING, Kind.PAGE}:
        with pytest.raises(ValueError, match="limits"):
            decode_echo(clear, bytes([kind]) + body[1:])


def test_an_echo_comes_on_a_way_there_is() -> None:
    clear, body = encode_echo(ECHO)
    with pytest.raises(ValueError, match="4 is not a valid Way"):
        decode_echo(clear, body[:1] + b"\x04" + body[2:])


def test_a_ping_opens_a_session_and_nothing_else_does() -> None:
    codec = ControlCodec(KEYS)
    assert open_ping(SECRET, codec.encode(PING)) == (KEYS, PING)
    assert open_ping(bytes(32), codec.encode(PING)) is Rejection.FORGED
    assert open_ping(SECRET, codec.encode(Ack(99, 1, 3, 50))) is Rejection.MALFORMED
    assert open_status(SECRET, codec.encode(PING)) is Rejection.MALFORMED


def test_a_ping_names_its_own_session() -> None:
    assert ControlCodec(KEYS).decode(ControlCodec(KEYS).encode(Ping(SESSION + 1, 7))) is Rejection.MALFORMED
