"""A hostile member: it has the group's secret and one of its own, and sends with the master's own address."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mrsync.protocol.core.events import SessionEnded
from mrsync.transport.network.multicast import open_data_socket
from mrsync.wire.formats.session import ControlCodec
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import page_headers, session_tag, unpack_header
from mrsync.wire.limits import HEADER_BYTES
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
    SealKind,
    Status,
    Welcome,
)
from mrsync.wire.seals.keys import SessionKeys, TargetKeys
from mrsync.wire.seals.sealing import PageSealer
from tests.loopback.session import OWN_SECRETS, SECRET, SIGNER, Place, Session, prepare_session
from tests.unit.protocol.builders import hello, report

pytestmark = pytest.mark.skipif(SIGNER is None, reason="needs the package cryptography")

CONTENTS = random.Random(1).randbytes(8_000_000)
TURN_S = 0.001
PAGES_FORGED = 120  # then it stops, for it can hold a session up
MESSAGES_FORGED = 6000  # likewise: targets without the package take half a millisecond for each signature
OTHER = 0  # the target that the member would harm; it is target 1 itself


class Member:
    """What target 1 can make of all that it knows."""

    def __init__(self, session: Session, place: Place) -> None:
        self.chance = random.Random(1)
        self.sent = self.pages_forged = 0
        self._instance = session.catching[OTHER].instance
        self._place = place
        self._group = (place.group, place.port)
        self._master = (place.interface.address, place.port - 1)
        self._ports = [application.reply.getsockname()[1] for application in session.catching]
        self._as_if = session.casting.socket.dup()  # what it sends comes from the master's own address
        self._ear = open_data_socket([place.interface], place.group, place.port)
        self._mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._mouth.bind((place.interface.address, 0))
        keys = self._keys = SessionKeys.derive(SECRET, session.casting.session)
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

    def cast_pages(self, number: int) -> None:
        """Whole pages with good seals and other bytes, of those that were just cast or come next."""
        last = self._last
        if (
            last is None
            or last.seal is SealKind.NONE
            or last.phase not in (Phase.COMPARING, Phase.PLANNING, Phase.CASTING)
        ):
            return
        geometry, state = Geometry(last.slice_bytes, last.packets), last.objects[last.active]
        sealer = PageSealer(self._keys, last.seal)
        for _ in range(number):
            page = self.chance.randrange(max(0, state.pages_sent - 2), state.pages_sent + 20)
            if page < geometry.page_count(state.size_bytes):
                data = self.chance.randbytes(geometry.page_length(state.size_bytes, page))
                count = geometry.packet_count(state.size_bytes, page)
                sealed = sealer.seal(data, object=last.active, page=page, generation=0, count=count)
                tag, tx = session_tag(self._keys.session), last.tx + 1
                headers = page_headers(session_tag=tag, object=last.active, page=page, generation=0, count=count, tx=tx)
                self._cast_packets(headers, sealed, last.slice_bytes)
                self.pages_forged += 1

    def _cast_packets(self, headers: bytes | bytearray, sealed: bytes, size: int) -> None:
        for index in range(-(-len(sealed) // size)):
            header = headers[index * HEADER_BYTES : (index + 1) * HEADER_BYTES]
            self._as_if.sendto(bytes(header) + sealed[index * size : (index + 1) * size], self._group)

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
        later = last._replace(counter=last.counter + 1000, tx=last.tx + 50)
        yield later._replace(phase=self.chance.choice((Phase.ABORTED, Phase.DONE, Phase.WITHDRAWING, Phase.FINISHING)))
        yield later._replace(commit=CommitSpan(0, 1 << 20))
        yield later._replace(objects=(ObjectState(1, 1),) * len(last.objects))
        yield Farewell(instance, 10**6, OTHER, self.chance.choice(list(Ending)), "a lie")
        yield Ack(instance, 10**6, OTHER, 1 << 20)
        yield Welcome(instance, 10**6, OTHER, 0, 1, 1)

    def _as_target(self) -> Iterator[Message]:
        instance = self._instance
        yield hello(OTHER, instance=self.chance.choice((instance, 5)), counter=10**6)
        yield report(OTHER, 10**6, instance=instance, frontier=10**6, ready=10**6, committed=10**6, needs_end=10**6)


@contextmanager
def hostile(session: Session, place: Place, pages_per_turn: int = 0) -> Iterator[Member]:
    member, is_over = Member(session, place), threading.Event()

    def run() -> None:
        while not is_over.wait(TURN_S) and member.pages_forged < PAGES_FORGED and member.sent < MESSAGES_FORGED:
            member.act()
            member.cast_pages(pages_per_turn)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield member
    finally:
        is_over.set()
        thread.join()
        member.close()


def test_group_member_cannot_end_or_impersonate_targets() -> None:
    place = Place()
    session = prepare_session(CONTENTS, 3, place, rate_bytes_s=4e6)
    with hostile(session, place) as member:
        session.hold()
    assert member.sent > 1000
    assert session.casting.caster.phase is Phase.DONE
    for application in session.catching:
        assert application.contents() == CONTENTS
        assert application.ended == SessionEnded(Ending.DONE, "")


@pytest.mark.parametrize("has_package", [True, False])
def test_no_byte_that_a_member_made_is_written_anywhere(has_package: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pages have good seals, and come from the master's address, before the true ones and after them."""
    place = Place()
    if not has_package:
        monkeypatch.setattr("mrsync.wire.seals.signing._working_library", lambda: None)  # the master signs
    session = prepare_session(CONTENTS, 3, place, rate_bytes_s=4e6)
    with hostile(session, place, pages_per_turn=2) as member:
        session.hold()
    assert member.pages_forged > 20
    assert session.casting.caster.phase is Phase.DONE
    for application in session.catching:
        assert application.contents() == CONTENTS
        assert application.ended == SessionEnded(Ending.DONE, "")
    assert sum(application.catcher.counters.pages_rejected for application in session.catching) > 0
