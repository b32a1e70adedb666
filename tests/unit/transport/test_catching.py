from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import CatcherEvent, SessionEnded
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.transport.catching import CatcherDriver
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import loopback_interface
from mrsync.transport.network.multicast import open_caster_socket, open_data_socket, open_reply_socket
from mrsync.transport.sessions import CatcherSecrets
from mrsync.wire.keys import SessionKeys
from mrsync.wire.messages import CommitSpan, Hello, ObjectKind, ObjectState, Phase, Report, SealKind, Status, Welcome
from mrsync.wire.sealing import seals_here
from mrsync.wire.session import ControlCodec
from tests.support.waiting import HANG_S
from tests.unit.transport.link import GEOMETRY, SESSION

GROUP = "239.255.67.92"
SECRET = bytes(range(32))
STATUS = Status(
    session=SESSION,
    counter=1,
    tx=1,
    phase=Phase.GATHERING,
    seal=SealKind.NONE,
    slice_bytes=GEOMETRY.slice_bytes,
    packets=GEOMETRY.packets,
    objects=(ObjectState(),) * len(ObjectKind),
    active=ObjectKind.MANIFEST,
    target_count=1,
    plan_files=0,
    monitors=(),
    report_pages=16,
    report_interval_us=20_000,
    is_poll=False,
    commit=CommitSpan(),
    ack_wait_s=60,
)


class Stand:
    """A catcher's driver in a thread of its own, and the sockets that a caster would have."""

    def __init__(self, caster: socket.socket, port: int) -> None:
        self.caster = caster
        self.events: list[CatcherEvent] = []
        self.port = port
        self._loop = Loop()
        self._data = open_data_socket([loopback_interface()], GROUP, port)
        self._reply = open_reply_socket()
        self.catcher = Catcher(
            CatcherConfig(
                target=3, instance=7, host="here", version="1", seals=seals_here(), buffer_bytes=1, retained_pages=1
            ),
            self._loop.now(),
        )
        self.driver = CatcherDriver(
            self.catcher,
            self._data,
            self._reply,
            secrets=CatcherSecrets(SECRET),
            write=lambda object, pages: None,
            on_event=self.events.append,
            loop=self._loop,
        )
        self._thread = threading.Thread(target=self.driver.run)
        self._thread.start()

    def close(self) -> None:
        """Stop the driver; it must end by itself then."""
        self._loop.post(lambda: self.catcher.stop("enough", self._loop.now()))
        self._thread.join(5)
        assert not self._thread.is_alive()
        with closing(self._loop), closing(self._data), closing(self._reply):
            pass

    @property
    def reply_address(self) -> tuple[str, int]:
        """Where answers go."""
        return "127.0.0.1", self._reply.getsockname()[1]

    def cast(self, status: Status, secret: bytes = SECRET) -> ControlCodec:
        codec = ControlCodec(SessionKeys.derive(secret, status.session))
        self.caster.sendto(codec.encode(status), (GROUP, self.port))
        return codec


@pytest.fixture
def stand() -> Iterator[Stand]:
    port = random.randrange(20000, 60000, 2)
    with open_caster_socket(loopback_interface(), GROUP, port, ttl=1, is_looped=True) as caster:
        caster.settimeout(HANG_S)
        with closing(Stand(caster, port)) as made:
            yield made


def test_it_sends_hello_to_the_source_of_a_status(stand: Stand) -> None:
    codec = stand.cast(STATUS)
    hello = codec.decode(stand.caster.recv(2000))
    assert isinstance(hello, Hello)
    assert (hello.target, hello.instance, hello.host) == (3, 7, "here")


def test_it_passes_over_sessions_of_other_secrets(stand: Stand) -> None:
    stand.cast(STATUS._replace(session=SESSION ^ 1 << 60), secret=bytes(32))
    stand.caster.settimeout(0.2)
    with pytest.raises(TimeoutError):
        stand.caster.recv(2000)
    stand.caster.settimeout(HANG_S)
    codec = stand.cast(STATUS)
    assert isinstance(codec.decode(stand.caster.recv(2000)), Hello)


def test_a_status_that_is_sent_on_from_elsewhere_draws_nothing_there(stand: Stand) -> None:
    """Not even one that comes first: the address that is known stays while statuses come from it."""
    codec = stand.cast(STATUS)
    assert stand.caster.recv(2000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.bind(("127.0.0.1", 0))
        thief.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        thief.setblocking(False)
        for counter in range(2, 6):
            newer = STATUS._replace(counter=counter)
            thief.sendto(codec.encode(newer), (GROUP, stand.port))
            stand.cast(newer)
        answer = codec.encode(Welcome(instance=7, counter=9, target=3, slot=0, hello=1, token=1))
        stand.caster.sendto(answer, stand.reply_address)
        for _ in range(2):
            assert isinstance(codec.decode(stand.caster.recv(2000)), (Hello, Report))
        with pytest.raises(BlockingIOError):
            thief.recv(2000)


def test_it_ends_when_the_core_does() -> None:
    port = random.randrange(20000, 60000, 2)
    with open_caster_socket(loopback_interface(), GROUP, port, ttl=1, is_looped=True) as caster:
        stand = Stand(caster, port)
        stand.close()
        assert [type(event) for event in stand.events] == [SessionEnded]
