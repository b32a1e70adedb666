from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import pytest

from mrsync.protocol.core.events import CasterEvent, CastFinished
from mrsync.protocol.core.sends import Send, SendCoded, SendMessage, SendPage
from mrsync.protocol.targets.participation.compressions import Compressions
from mrsync.transport.caster_driver import CasterDriver, CasterSecrets
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import loopback_interface
from mrsync.transport.network.multicast import open_caster_socket
from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.pages import page_sender
from mrsync.transport.pages.sealed_pages import SealedPages
from mrsync.wire.formats.session import ControlCodec
from mrsync.wire.header import Header, unpack_header
from mrsync.wire.limits import HEADER_BYTES
from mrsync.wire.messages import Ack, Ending, Farewell, Kind, Message, ObjectKind, Phase, SealKind
from mrsync.wire.terms import decode_terms
from tests.unit.protocol.builders import found, roster
from tests.unit.protocol.builders import report as make_report
from tests.unit.transport.link import GEOMETRY, KEYS, SECRET, SESSION, sample

DATA = sample(6)
ANY_PORT = 1  # reports come to the port below: the kernel chooses
CONTENTS = ObjectKind.CONTENTS


class ScriptedCaster:
    """A core that plans what the test wrote down and then has finished."""

    def __init__(self, sends: list[list[Send]], gap_s: float = 0.0) -> None:
        self.script = deque(sends)
        self.announced: list[int] = []
        self.heard: list[tuple[Message, object]] = []
        self.seal = SealKind.HMAC_SHA256
        self.geometry = GEOMETRY
        self.gap_s = gap_s
        self.late_s = 0.0
        self.left: list[int] = []
        self.clock = self
        self.digests_together = 1
        self.compressions = Compressions(0)

    def on_left(self, tx: int, now: float) -> None:
        self.left.append(tx)

    def statistics(self) -> ScriptedCaster:
        return self

    def receive_message(self, message: Message, source: object, now: float) -> None:
        self.heard.append((message, source))

    def announce_reading(self, generation: int, tx: int) -> list[Send]:
        self.announced.append(generation)
        return []

    def sends(self, now: float) -> list[Send]:
        return self.script.popleft() if self.script else []

    def next_event(self) -> CasterEvent | None:
        return None if self.script else CastFinished(Phase.DONE)

    def next_timeout(self) -> float | None:
        return None

    def handle_timeout(self, now: float, *, is_drained: bool) -> None:
        raise AssertionError("there is no timer")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        opened.bind(("127.0.0.1", 0))
        yield opened


def cast(
    listener: socket.socket, *sends: list[Send], gap_s: float = 0.0, repaired: int | None = None
) -> list[tuple[Header, bytes]]:
    """What the driver makes of these plans, in a cache of four pages: header and payload of each packet.

    repaired: packets of repairs that it must have counted. Messages are planned with an address as destination.
    """
    caster = ScriptedCaster([*sends, []], gap_s)
    finished: list[CasterEvent] = []

    def on_event(event: CasterEvent) -> None:
        finished.append(event)
        caster.next_event = lambda: None  # type: ignore[method-assign]

    address = listener.getsockname()
    with (
        open_caster_socket(loopback_interface(), "239.255.67.92", ANY_PORT, ttl=1, is_looped=True) as opened,
        closing(Loop()) as loop,
    ):
        for planned in caster.script:
            planned[:] = [towards(opened, send) for send in planned]
        driver = CasterDriver(
            caster,  # type: ignore[arg-type]
            [opened],
            [Path(opened, address)],
            secrets=CasterSecrets(SESSION, SECRET),
            read=lambda object, page: DATA[page * GEOMETRY.page_bytes : (page + 1) * GEOMETRY.page_bytes],
            on_event=on_event,
            loop=loop,
        )
        driver.run()
        assert repaired in (None, driver.statistics.packets_repaired)
    packets = []
    while select.select([listener], [], [], 0.05)[0]:
        packet = listener.recv(65536)
        header = unpack_header(packet)
        assert header is not None
        packets.append((header, packet[HEADER_BYTES:]))
    return packets


def towards(opened: socket.socket, send: Send) -> Send:
    if not isinstance(send, SendMessage) or send.destination is None:
        return send
    return send._replace(destination=Path(opened, send.destination, PathKind.ANSWER))


@pytest.fixture(autouse=True)
def _small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_sender, "SealedPages", lambda *given, **named: SealedPages(*given, **named, pages_kept=4))


def pages(*numbers: int) -> list[Send]:
    return [SendPage(CONTENTS, page, 0, page + 1) for page in numbers]


def summary(packets: list[tuple[Header, bytes]]) -> list[tuple[int, int, int]]:
    """(page, generation, packets) of each burst of pages."""
    bursts: dict[tuple[int, int, int], int] = {}
    for header, _ in packets:
        if header.kind == Kind.PAGE:
            key = (header.tx, header.page, header.generation)
            bursts[key] = bursts.get(key, 0) + 1
    return [(page, generation, count) for (_, page, generation), count in bursts.items()]


def test_pages_go_out_in_the_order_of_the_plan(listener: socket.socket) -> None:
    assert summary(cast(listener, pages(0, 1), pages(2))) == [(page, 0, GEOMETRY.packets) for page in range(3)]


def test_packets_that_are_spread_leave_in_order_and_in_their_time(listener: socket.socket) -> None:
    started = time.monotonic()
    plans: list[list[Send]] = [[SendPage(CONTENTS, page, 0, page + 1)] for page in range(3)]
    packets = cast(listener, *plans, gap_s=0.01)
    assert [header.tx for header, _ in packets] == [tx for tx in (1, 2, 3) for _ in range(GEOMETRY.packets)]
    assert time.monotonic() - started > 0.01 * (3 * GEOMETRY.packets - 3)


def test_some_packets_of_a_page_that_is_kept(listener: socket.socket) -> None:
    packets = cast(listener, pages(0), [SendPage(CONTENTS, 0, 0b1010, 9, is_repair=True)], repaired=2)
    assert summary(packets)[1:] == [(0, 0, 2)]


def test_a_page_that_left_the_cache_goes_whole_as_a_new_generation(listener: socket.socket) -> None:
    packets = cast(listener, pages(0, 1, 2, 3, 4), [SendPage(CONTENTS, 0, 0b1010, 9)])
    assert summary(packets)[-1] == (0, 1, GEOMETRY.packets)


def test_coded_packets_of_pages_that_are_kept(listener: socket.socket) -> None:
    combinations = (((0, 3), (1, 4)), ((0, 5), (1, 6), (2, 7)))
    packets = cast(listener, pages(0, 1, 2), [SendCoded(CONTENTS, combinations, 9)])
    coded = [(header, payload) for header, payload in packets if header.kind == Kind.CODED]
    assert [tuple(decode_terms(header, payload) or ()) for header, payload in coded] == list(combinations)


def test_combinations_with_a_page_that_left_go_plain(listener: socket.socket) -> None:
    combinations = (((0, 3), (4, 4)), ((3, 5), (4, 6)))
    packets = cast(
        listener, pages(0, 1, 2, 3, 4), [SendCoded(CONTENTS, combinations, 9)], repaired=GEOMETRY.packets + 2
    )
    behind = [(header, payload) for header, payload in packets if header.tx == 9]
    assert summary(behind) == [(0, 1, GEOMETRY.packets), (4, 0, 1)]
    assert [decode_terms(*packet) for packet in behind if packet[0].kind == Kind.CODED] == [[(3, 5), (4, 6)]]


def test_pages_of_two_generations_are_not_coded_together(listener: socket.socket) -> None:
    packets = cast(listener, pages(0, 1, 2, 3, 4, 0), [SendCoded(CONTENTS, (((0, 3), (4, 4)),), 9)])
    behind = [(header, payload) for header, payload in packets if header.tx == 9]
    assert summary(behind) == [(0, 1, 1), (4, 0, 1)]


def test_messages_go_to_their_destination(listener: socket.socket) -> None:
    codec = ControlCodec(KEYS)
    message = Farewell(99, 1, 3, Ending.DROPPED, "silent")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        packets = cast(listener, [SendMessage(Ack(99, 2, 3, 77), None), SendMessage(message, other.getsockname())])
        assert [header.kind for header, _ in packets] == [Kind.ACK]
        assert codec.decode(other.recv(2000)) == message


def test_copies_of_a_message_are_encoded_once(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature of a status costs more than all else of it, and anybody with the group's secret may ask for one."""
    encoded: list[Message] = []
    encode = ControlCodec.encode

    def count(codec: ControlCodec, message: Message) -> bytes:
        encoded.append(message)
        return encode(codec, message)

    monkeypatch.setattr(ControlCodec, "encode", count)
    first, second = (Farewell(1, counter, 3, Ending.DONE, "bye") for counter in (2, 3))
    heard = cast(
        listener, [SendMessage(message, listener.getsockname()) for message in (first, first, first, second, first)]
    )
    assert [header.page for header, _ in heard] == [2, 2, 2, 3, 2]
    assert encoded == [first, second, first]


def test_a_report_that_is_repeated_later_draws_no_digests() -> None:
    """Anybody who heard a report could have signatures made and checked by repeating it."""
    driver = object.__new__(CasterDriver)
    asked: list[int] = []
    known = roster(1)
    digester = SimpleNamespace(repeat=lambda kind, page, now: asked.append(page))
    vars(driver).update(
        _caster=SimpleNamespace(roster=known), _digester=digester, _loop=SimpleNamespace(now=lambda: 0.0)
    )
    for counter in (1, 2):
        said = make_report(0, counter, unverified=counter * 10)
        found(known, 0).receive_report(said, "address", 0.0)
        driver._repeat_digests(said)
    driver._repeat_digests(make_report(0, 1, unverified=10))
    assert asked == [9, 19]
