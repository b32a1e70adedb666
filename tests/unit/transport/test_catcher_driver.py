from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import CatcherEvent, PeersChanged, SessionEnded, SessionOpened, SourceChanged
from mrsync.protocol.receiving.assembly import Verdict
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.transport.catcher_driver import VERSION_NOTICE_S, CatcherDriver, CatcherSockets
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import loopback_interface
from mrsync.transport.network.island import IslandSocket
from mrsync.transport.network.multicast import open_caster_socket, open_data_socket, open_reply_socket
from mrsync.transport.network.paths import Path
from mrsync.transport.pages.bursts import BurstSender
from mrsync.transport.pages.forwarding import endpoint
from mrsync.transport.sessions import CatcherSecrets
from mrsync.wire.formats.hops import FEED_BYTES
from mrsync.wire.formats.session import ControlCodec
from mrsync.wire.header import Header, page_headers, session_tag
from mrsync.wire.limits import HEADER_BYTES, MAGIC, VERSION
from mrsync.wire.messages import (
    Assign,
    Claim,
    CommitSpan,
    Feed,
    Hello,
    Kind,
    Message,
    NetworkShare,
    ObjectKind,
    ObjectState,
    Peer,
    Phase,
    Report,
    SealKind,
    Status,
    Welcome,
)
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer, seals_here
from tests.support.waiting import HANG_S
from tests.unit.transport.link import GEOMETRY, SESSION

GROUP = "239.255.67.92"
SECRET = bytes(range(32))
SIZE = 3 * GEOMETRY.page_bytes
LINK = 9
PROBE_BYTES = 1400
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
OPENING = STATUS._replace(
    counter=2,
    phase=Phase.COMPARING,
    seal=SealKind.HMAC_SHA256,
    objects=(ObjectState(SIZE, 0), *STATUS.objects[1:]),
)


class Stand:
    """A catcher's driver in a thread of its own, and the sockets that a caster would have."""

    def __init__(self, caster: socket.socket, port: int) -> None:
        self.caster = caster
        self.events: list[CatcherEvent] = []
        self.port = port
        self.counters = itertools.count(1)  # of a peer's messages
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
            CatcherSockets(self._data, self._reply, IslandSocket([loopback_interface()])),
            self._loop,
            CatcherSecrets(SECRET, target=3),
            write=lambda object, pages: None,
            on_event=self.events.append,
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

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Keep the driver from reading meanwhile."""
        is_there, go_on = threading.Event(), threading.Event()

        def block() -> None:
            is_there.set()
            assert go_on.wait(HANG_S)

        self._loop.post(block)
        assert is_there.wait(HANG_S)
        yield
        go_on.set()

    def has_told(self, kind: type[CatcherEvent]) -> bool:
        return any(isinstance(event, kind) for event in self.events)

    def join(self) -> None:
        """Have it welcomed to the session."""
        self.codec = self.cast(STATUS)
        assert isinstance(self.codec.decode(self.caster.recv(2000)), Hello)
        self.tell(Welcome(instance=7, counter=9, target=3, turn=0, hello=1, token=1))

    def next_report(self) -> Report:
        """Return the next report that arrives."""
        while not isinstance(message := self.codec.decode(self.caster.recv(2000)), Report):
            pass
        return message

    def tell(self, message: Welcome | Assign) -> None:
        """Send a message of the caster to it alone."""
        self.caster.sendto(self.codec.encode(message), self.reply_address)

    def cast(self, status: Status, secret: bytes = SECRET) -> ControlCodec:
        codec = ControlCodec(SessionKeys.derive(secret, status.session))
        self.caster.sendto(codec.encode(status), (GROUP, self.port))
        return codec


def _bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(HANG_S)
    return made


def send_page(path: Path, page: int, tx: int, mask: int, sender: int = 0) -> None:
    """Send the packets in mask (0: all) of a page of zeros."""
    sealer = PageSealer(SessionKeys.derive(SECRET, SESSION), SealKind.HMAC_SHA256)
    count = GEOMETRY.packet_count(SIZE, page)
    sealed = sealer.seal(bytes(GEOMETRY.page_bytes), object=0, page=page, generation=0, count=count)
    slices = [sealed[at : at + GEOMETRY.slice_bytes] for at in range(0, len(sealed), GEOMETRY.slice_bytes)]
    bursts = BurstSender([path.socket], [path], session_tag(SESSION), slice_bytes=GEOMETRY.slice_bytes, sender=sender)
    bursts.send_page(slices, object=0, page=page, generation=0, tx=tx, mask=mask)


class Parent:
    """Target 5, which feeds the target of a stand."""

    def __init__(self, child: Stand) -> None:
        self.socket = _bound()
        self.peer = Peer(5, LINK, *endpoint(self.socket.getsockname()))
        self.codec = ControlCodec(SessionKeys.derive(SECRET, SESSION), target=5)
        self.codec.set_peers(None, Peer(3, LINK, *endpoint(child.reply_address)))
        self._child = child

    def feed(self, counter: int, tx: int, size_bytes: int = FEED_BYTES) -> None:
        feed = Feed(5, counter, tx, 3, LINK, ObjectKind.MANIFEST, 0, 1, True, size_bytes)
        self.socket.sendto(self.codec.encode(feed), self._child.reply_address)

    def send_page(self, page: int, tx: int, mask: int = 0) -> None:
        send_page(Path(self.socket, self._child.reply_address), page, tx, mask, sender=5)

    def begin(self) -> None:
        """Feed the child, in a session that opens only then."""
        child = self._child
        child.tell(Assign(7, 10, 3, 1, PROBE_BYTES, self.peer, None))
        while not child.has_told(SourceChanged):
            self.feed(next(child.counters), 1, PROBE_BYTES)
            self.feed(next(child.counters), 1)
            self.claim()
        assert not child.has_told(SessionOpened)
        child.cast(OPENING)
        while not child.has_told(SessionOpened):
            self.feed(next(child.counters), 2)
            self.claim()

    def close(self) -> None:
        self.socket.close()

    def claim(self) -> Claim:
        """Return the next claim that arrives."""
        while not isinstance(message := self.codec.decode(self.socket.recv(2000)), Claim):
            pass
        return message


def test_masters_of_another_version_are_answered_with_less_and_seldom(stand: Stand) -> None:
    """Their address may be forged, and a session that is heard needs no such answer."""
    began = time.monotonic()
    strange = bytes([MAGIC, VERSION + 1]) + bytes(HEADER_BYTES)
    for _ in range(40):
        stand.caster.sendto(strange, (GROUP, stand.port))
    answers = [stand.caster.recv(2000)]
    stand.cast(STATUS)
    while len(answer := stand.caster.recv(2000)) == HEADER_BYTES:
        answers.append(answer)
    assert set(answers) == {bytes([MAGIC, VERSION, Kind.KNOCK]) + bytes(HEADER_BYTES - 3)}
    assert len(answers) <= 1 + (time.monotonic() - began) / VERSION_NOTICE_S
    for _ in range(3):
        stand.caster.sendto(strange, (GROUP, stand.port))
        time.sleep(VERSION_NOTICE_S / 2)
    stand.caster.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            assert len(stand.caster.recv(2000)) > HEADER_BYTES


def test_what_is_not_longer_than_an_answer_is_not_answered(stand: Stand) -> None:
    """Otherwise two catchers of different versions would answer each other, and a forged address would get more."""
    for size in (2, HEADER_BYTES):
        stand.caster.sendto(bytes([MAGIC, VERSION + 1]).ljust(size, b"\0"), (GROUP, stand.port))
    codec = stand.cast(STATUS)
    assert isinstance(codec.decode(stand.caster.recv(2000)), Hello)


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
        answer = codec.encode(Welcome(instance=7, counter=9, target=3, turn=0, hello=1, token=1))
        stand.caster.sendto(answer, stand.reply_address)
        for _ in range(2):
            assert isinstance(codec.decode(stand.caster.recv(2000)), (Hello, Report))
        with pytest.raises(BlockingIOError):
            thief.recv(2000)


def test_pages_of_a_parent_from_before_the_session_count_with_its_tx(stand: Stand) -> None:
    """Links are fed while the caster gathers, which is before the seal is known and the session can be opened."""
    stand.join()
    with closing(Parent(stand)) as parent:
        parent.begin()
        parent.send_page(0, tx=20)
        while not (claim := parent.claim()).frontier:
            pass
        assert (claim.tx_seen, claim.tx_done, claim.ended_tx) == (20, 20, 20)


@pytest.fixture
def parts(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The masks of pages that the state machine got in parts, because a message ended a run of packets."""
    monkeypatch.setattr("mrsync.transport.page_receiver.QUIET_S", HANG_S)
    parts: list[int] = []
    receive_packets = stand.catcher.reception.receive_packets

    def note_packets(header: Header, mask: int, now: float) -> Verdict:
        parts.append(mask)
        return receive_packets(header, mask, now)

    monkeypatch.setattr(stand.catcher.reception, "receive_packets", note_packets)
    return parts


def test_only_messages_of_the_sender_of_pages_end_a_run(stand: Stand, parts: list[int]) -> None:
    """A page goes to the core as a whole although the master says something in the middle of it."""
    stand.join()
    with closing(Parent(stand)) as parent:
        parent.begin()
        parent.send_page(0, tx=20, mask=(1 << 20) - 1)
        stand.caster.sendto(stand.codec.encode(OPENING._replace(counter=3, tx=30)), stand.reply_address)
        parent.send_page(0, tx=20, mask=(1 << GEOMETRY.packets) - (1 << 20))
        while parent.claim().frontier < 1:
            pass
        assert not parts
        parent.send_page(1, tx=21, mask=(1 << 20) - 1)
        parent.feed(next(stand.counters), 22)
        while not parent.claim().needs:
            pass
        assert parts == [(1 << 20) - 1]


def test_a_repeated_status_ends_no_run(stand: Stand, parts: list[int]) -> None:
    """Any host may send old statuses again, as many as it likes."""
    stand.join()
    group = Path(stand.caster, (GROUP, stand.port))
    stand.cast(OPENING)
    while not stand.has_told(SessionOpened):
        time.sleep(0.01)
    send_page(group, 0, tx=20, mask=(1 << 20) - 1)
    stand.cast(OPENING)
    send_page(group, 0, tx=20, mask=(1 << GEOMETRY.packets) - (1 << 20))
    stand.cast(OPENING._replace(counter=3, tx=20, is_poll=True))
    while stand.next_report().frontier < 1:
        pass
    assert not parts


def test_a_claim_that_another_repeats_makes_no_known_sender_of_it(stand: Stand) -> None:
    island = Peer(3, LINK, *endpoint(("239.255.67.93", stand.port)))
    stand.join()
    stand.tell(Assign(7, 10, 3, 1, PROBE_BYTES, None, None, island))
    stand.cast(OPENING)
    while not stand.has_told(SessionOpened) or not stand.has_told(PeersChanged):
        stand.next_report()
    with closing(_bound()) as child, closing(_bound()) as thief:
        codec = ControlCodec(SessionKeys.derive(SECRET, SESSION), target=6)
        parent = Peer(3, LINK, *endpoint(stand.reply_address))
        told = codec.decode(stand.codec.encode(Assign(1, 1, 6, 1, PROBE_BYTES, parent, None, island)))
        assert isinstance(told, Assign)
        codec.set_peers(told.parent, None, told.island)
        claim = codec.encode(Claim(6, 1, 1, 3, LINK, PROBE_BYTES, ObjectKind.MANIFEST, 0, 0, 0, 0, 1, 0, 0, 0, ()))
        child.sendto(claim, stand.reply_address)
        thief.sendto(claim, stand.reply_address)
        headers = page_headers(session_tag=session_tag(SESSION), object=0, page=1, generation=0, count=9, tx=1)
        thief.sendto(headers[:HEADER_BYTES] + bytes(GEOMETRY.slice_bytes), stand.reply_address)
        stand.tell(Assign(7, 11, 3, 1, PROBE_BYTES, None, None, island))  # behind all that, and it is answered
        while not (report := stand.next_report()).packets_rejected + report.packets_seen:
            pass
        assert report.packets_seen == 0


@pytest.mark.usefixtures("stamping")
def test_the_time_that_a_claim_waits_in_the_socket_counts_as_held(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Message] = []
    receive_message = stand.catcher.receive_message

    def note_message(message: Message, *rest: Any, **more: Any) -> None:
        taken.append(message)
        receive_message(message, *rest, **more)

    monkeypatch.setattr(stand.catcher, "receive_message", note_message)
    stand.join()
    with closing(_bound()) as child:
        stand.tell(Assign(7, 10, 3, 1, PROBE_BYTES, None, Peer(6, LINK, *endpoint(child.getsockname()))))
        stand.cast(OPENING._replace(share=NetworkShare.FAIR))
        while not stand.has_told(SessionOpened) or not stand.has_told(PeersChanged):
            stand.next_report()
        codec = ControlCodec(SessionKeys.derive(SECRET, SESSION), target=6)
        parent = Peer(3, LINK, *endpoint(stand.reply_address))
        told = codec.decode(stand.codec.encode(Assign(1, 1, 6, 1, PROBE_BYTES, parent, None)))
        assert isinstance(told, Assign)
        codec.set_peers(told.parent, None)
        claim = Claim(6, 1, 1, 3, LINK, PROBE_BYTES, ObjectKind.MANIFEST, 0, 0, 7, 0, 1, 0, 0, 0, ())
        child.sendto(codec.encode(claim), stand.reply_address)  # from the first one on, the kernel notes times
        while not any(isinstance(message, Claim) for message in taken):
            codec.decode(child.recv(2000))
        with stand.blocked():
            child.sendto(codec.encode(claim._replace(counter=2)), stand.reply_address)
            time.sleep(0.05)
        while not any(isinstance(message, Claim) and message.counter == 2 for message in taken):
            codec.decode(child.recv(2000))
    held = [message for message in taken if isinstance(message, Claim)][-1]
    assert held.hold_us > 50_000
    assert held.ended_hold_us >= held.hold_us - 7


def test_an_unreachable_peer_is_treated_as_absent(stand: Stand) -> None:
    stand.join()
    link_local = Peer(5, LINK, b"\xfe\x80" + bytes(14), 7)
    stand.tell(Assign(7, 10, 3, 1, PROBE_BYTES, link_local, link_local._replace(target=6)))
    while not stand.has_told(PeersChanged):
        stand.next_report()
    stand.tell(Assign(7, 11, 3, 1, PROBE_BYTES, link_local, None))
    stand.next_report()


def test_it_ends_when_the_core_does() -> None:
    port = random.randrange(20000, 60000, 2)
    with open_caster_socket(loopback_interface(), GROUP, port, ttl=1, is_looped=True) as caster:
        stand = Stand(caster, port)
        stand.close()
        assert [type(event) for event in stand.events] == [SessionEnded]
