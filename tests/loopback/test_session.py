from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mrsync.protocol.core.events import SessionEnded
from mrsync.transport.network.socket_options import UDP_GRO
from mrsync.transport.pages.zstd import has_zstd
from mrsync.wire.header import page_headers, session_tag
from mrsync.wire.messages import Compression, Ending, Phase
from tests.loopback.session import HMAC_ONLY, Place, Session, prepare_session

_SO_NO_CHECK = 11
DEFLATE = 1 << Compression.DEFLATE
CONTENTS = random.Random(1).randbytes(8_000_000)


def hold(session: Session, contents: bytes = CONTENTS) -> None:
    """Run the session; everyone must have everything."""
    session.hold()
    assert session.casting.caster.phase is Phase.DONE
    for application in session.catching:
        assert application.contents() == contents
        assert application.ended == SessionEnded(Ending.DONE, "")


@pytest.mark.parametrize("targets", [1, 4])
@pytest.mark.parametrize("seals", [None, HMAC_ONLY], ids=["best", "hmac"])
def test_every_catcher_gets_every_byte(targets: int, seals: int | None) -> None:
    hold(prepare_session(CONTENTS, targets, Place(), seals=seals))


@pytest.mark.skipif(not has_zstd(), reason="needs Python 3.14 or the package zstandard")
@pytest.mark.parametrize(
    ("poor", "chosen"), [((), Compression.ZSTD), ((None, DEFLATE), Compression.DEFLATE)], ids=["all", "all but one"]
)
def test_pages_are_compressed_so_that_every_catcher_can_expand_them(
    poor: tuple[int | None, ...], chosen: Compression
) -> None:
    text = b"".join(b"%d green bottles, hanging on the wall\n" % number for number in range(50_000))
    both = DEFLATE | 1 << Compression.ZSTD
    session = prepare_session(text, 3, Place(), expanding=poor, compressions=both, rate_bytes_s=1e6)
    hold(session, text)
    assert session.casting.caster.compressions.chosen is chosen
    assert session.casting.driver.bytes_saved > len(text) / 2


def test_without_merging_and_segmentation_it_is_only_slower() -> None:
    session = prepare_session(CONTENTS, 2, Place())
    session.casting.socket.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)  # the kernel segments only what has checksums
    for application in session.catching:
        application.data.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 0)
    hold(session)


def test_kernel_drops_are_repaired() -> None:
    """Two of three catchers claim a large buffer and have one of two pages."""
    session = prepare_session(CONTENTS, 3, Place(), real_buffers=(None, 150_000, 200_000))
    hold(session)
    assert sum(application.catcher.counters.kernel_drops for application in session.catching) > 0
    geometry = session.casting.geometry
    sent_once = sum(geometry.packet_count(len(CONTENTS), page) for page in range(geometry.page_count(len(CONTENTS))))
    assert session.casting.driver.statistics.packets > sent_once + geometry.packets


@contextmanager
def junk(place: Place) -> Iterator[None]:
    """Random bytes, strangers' headers and forged pages of the right form, as fast as one thread sends."""
    chance = random.Random(1)
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((place.interface.address, 0))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(place.interface.address))

        def send() -> None:
            while not stop.wait(0.0005):
                header = page_headers(
                    session_tag=session_tag(chance.getrandbits(64)),
                    object=chance.randrange(256),
                    page=chance.getrandbits(32),
                    generation=chance.getrandbits(16),
                    count=chance.randrange(256),
                    tx=chance.getrandbits(32),
                )
                for packet in (chance.randbytes(chance.randrange(1500)), bytes(header[:24]) + chance.randbytes(1446)):
                    sender.sendto(packet, (place.group, place.port))
                sender.sendto(os.urandom(200), (place.interface.address, place.port - 1))

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def test_strangers_do_no_harm() -> None:
    place = Place()
    with junk(place):
        session = prepare_session(CONTENTS, 2, place)
        hold(session)
    assert sum(session.casting.driver.codec.rejections.values()) > 0


def test_a_slow_disk_stalls_neither_the_socket_nor_the_session() -> None:
    def write(page: int, data: bytes) -> None:
        if page in (10, 60):
            time.sleep(0.2)

    session = prepare_session(CONTENTS, 2, Place(), write=write)
    session.hold()
    assert session.casting.caster.phase is Phase.DONE
    assert [application.catcher.counters.kernel_drops for application in session.catching] == [0, 0]


def test_two_sessions_side_by_side_keep_apart() -> None:
    first = Place()
    second = Place(port=first.port + 2)
    other = prepare_session(CONTENTS[::-1], 2, second)
    thread = threading.Thread(target=other.hold)
    thread.start()
    hold(prepare_session(CONTENTS, 2, first))
    thread.join()
    assert [application.contents() for application in other.catching] == [CONTENTS[::-1]] * 2
