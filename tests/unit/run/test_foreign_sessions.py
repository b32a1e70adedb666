from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from mrsync.run.foreign_sessions import ForeignSessionWatch, is_quiet
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import loopback_interface
from mrsync.transport.network.multicast import open_caster_socket
from mrsync.wire.header import Header, pack_header
from mrsync.wire.limits import CASTER_ID
from mrsync.wire.messages import Kind
from tests.support.descriptors import only_high_descriptors

LOOPBACK = [loopback_interface()]
GROUP = "239.255.77.7"
OURS, THEIRS = 1, 2


@pytest.fixture
def port() -> int:
    return random.randrange(32000, 60000, 2)


@pytest.fixture
def caster(port: int) -> Iterator[socket.socket]:
    with open_caster_socket(LOOPBACK[0], GROUP, port, ttl=1, is_looped=True) as opened:
        opened.connect((GROUP, port))
        yield opened


def packet(session_tag: int) -> bytes:
    header = Header(Kind.STATUS, 0, 1, 0, 0, session_tag, 0, CASTER_ID, 1, 1)
    return pack_header(header) + b"what only its own session understands"


def test_a_group_that_somebody_casts_to_is_not_quiet(port: int, caster: socket.socket) -> None:
    assert is_quiet(LOOPBACK, GROUP, port, 0.05)
    with only_high_descriptors():  # mrsync.sync may be called where many files are open
        assert is_quiet(LOOPBACK, GROUP, port, 0.05)
    is_over = threading.Event()

    def repeat_status() -> None:
        while not is_over.wait(0.01):
            caster.send(packet(THEIRS))

    session = threading.Thread(target=repeat_status)
    session.start()
    try:
        assert not is_quiet(LOOPBACK, GROUP, port, 5.0)
    finally:
        is_over.set()
        session.join()


def test_another_session_is_reported_once_and_junk_never(port: int, caster: socket.socket) -> None:
    heard: list[str] = []
    with closing(Loop()) as loop:
        watch = ForeignSessionWatch(session_tag=OURS, on_foreign_session=heard.append, loop=loop)
        watch.listen(LOOPBACK, GROUP, port)
        for junk in (b"", b"x" * 50, packet(OURS)):
            caster.send(junk)
            loop.wait(1.0)
        assert heard == []
        caster.send(packet(THEIRS))
        caster.send(packet(THEIRS))
        loop.wait(1.0)
        assert heard == [LOOPBACK[0].address]
        watch.close()
        loop.wait(0.01)
        assert heard == [LOOPBACK[0].address]


def test_without_multicast_nothing_is_reported(port: int) -> None:
    with closing(Loop()) as loop, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((GROUP, port))  # and does not share
        watch = ForeignSessionWatch(session_tag=OURS, on_foreign_session=lambda source: None, loop=loop)
        watch.listen(LOOPBACK, GROUP, port)
        watch.close()
