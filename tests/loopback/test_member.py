"""A hostile member: it has the group's secret and one of its own, and sends with the master's own address."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mrsync.protocol.events import SessionEnded
from mrsync.transport.multicast import open_data_socket
from mrsync.wire.header import unpack_header
from mrsync.wire.keys import SessionKeys, TargetKeys
from mrsync.wire.messages import (
    Ack,
    CommitSpan,
    Ending,
    Farewell,
    Hello,
    Message,
    ObjectState,
    Phase,
    Report,
    Status,
    Welcome,
)
from mrsync.wire.session import ControlCodec
from tests.loopback.session import OWN_SECRETS, SECRET, SIGNER, Place, Session, prepare_session
from tests.unit.protocol.builders import hello, report

pytestmark = pytest.mark.skipif(SIGNER is None, reason="needs the package cryptography")

CONTENTS = b"".join(number.to_bytes(8, "big") for number in range(1_000_000))
TURN_S = 0.001
OTHER = 0  # the target that the member would harm; it is target 1 itself


class Member:
    """What target 1 can make of all that it knows."""

    def __init__(self, session: Session, place: Place) -> None:
        self.chance = random.Random(1)
        self.sent = 0
        self._instance = session.catching[OTHER].instance
        self._place = place
        self._group = (place.group, place.port)
        self._master = (place.interface.address, place.port - 1)
        self._ports = [application.reply.getsockname()[1] for application in session.catching]
        self._as_if = session.casting.socket.dup()  # what it sends comes from the master's own address
        self._ear = open_data_socket([place.interface], place.group, place.port)
        self._mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._mouth.bind((place.interface.address, 0))
        keys = SessionKeys.derive(SECRET, session.casting.session)
        self._codecs = [
            ControlCodec(keys),
            ControlCodec(keys, TargetKeys(dict.fromkeys(range(8), OWN_SECRETS[1]), keys.session)),
        ]
        self._last: Status | None = None

    def close(self) -> None:
        for opened in (self._ear, self._mouth, self._as_if):
            opened.close()

    def act(self) -> None:
        """Hear what there is, and lie about everything."""
        self._hear()
        if self._last is None:
            return
        for message in (*self._as_master(self._last), *self._as_target()):
            for codec in self._codecs:
                self._send(message, codec.encode(message))
                self.sent += 1

    def _send(self, message: Message, datagram: bytes) -> None:
        if isinstance(message, (Hello, Report)):
            self._mouth.sendto(datagram, self._master)
        elif isinstance(message, Status):
            self._as_if.sendto(datagram, self._group)
        else:
            for port in self._ports:
                self._as_if.sendto(datagram, (self._place.interface.address, port))

    def _hear(self) -> None:
        """The last status of all; the group's secret opens it."""
        while True:
            try:
                datagram = self._ear.recv(65536)
            except BlockingIOError:
                return
            header = unpack_header(datagram)
            message = self._codecs[0].decode(datagram) if header is not None and header.kind == 2 else None
            if isinstance(message, Status) and message.phase is not Phase.ABORTED:
                self._last = message

    def _as_master(self, last: Status) -> Iterator[Message]:
        instance = self._instance
        later = replace(last, counter=last.counter + 1000, tx=last.tx + 50)
        yield replace(later, phase=self.chance.choice((Phase.ABORTED, Phase.DONE, Phase.WITHDRAWING, Phase.FINISHING)))
        yield replace(later, commit=CommitSpan(0, 1 << 20))
        yield replace(later, objects=(ObjectState(1, 1),) * len(last.objects))
        yield Farewell(instance, 10**6, OTHER, self.chance.choice(list(Ending)), "a lie")
        yield Ack(instance, 10**6, OTHER, 1 << 20)
        yield Welcome(instance, 10**6, OTHER, 0, 1, 1)

    def _as_target(self) -> Iterator[Message]:
        instance = self._instance
        yield hello(OTHER, instance=self.chance.choice((instance, 5)), counter=10**6)
        yield report(OTHER, 10**6, instance=instance, frontier=10**6, ready=10**6, committed=10**6, needs_end=10**6)


@contextmanager
def hostile(session: Session, place: Place) -> Iterator[Member]:
    member, is_over = Member(session, place), threading.Event()

    def run() -> None:
        while not is_over.wait(TURN_S):
            member.act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield member
    finally:
        is_over.set()
        thread.join()
        member.close()


def test_a_member_ends_nothing_and_speaks_for_nobody() -> None:
    place = Place()
    session = prepare_session(CONTENTS, 3, place, rate_bytes_s=4e6)
    with hostile(session, place) as member:
        session.hold()
    assert member.sent > 1000
    assert session.casting.caster.phase is Phase.DONE
    for application in session.catching:
        assert application.contents() == CONTENTS
        assert application.ended == SessionEnded(Ending.DONE, "")
