from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.pages.bursts import BurstSender
from mrsync.wire.header import session_tag, unpack_header
from tests.unit.transport.link import CONTENTS, GEOMETRY, SESSION, Link, sample

SLICES = [bytes([number]) * GEOMETRY.slice_bytes for number in range(GEOMETRY.packets)]


class Way:
    """A socket pair as a path: it blocks when nobody reads."""

    def __init__(self, kind: PathKind) -> None:
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.near.setblocking(False)
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        self.path = Path(self, (), kind)  # type: ignore[arg-type]

    def sendmsg(self, pieces: list[bytes], ancillary: object, flags: int, address: object) -> int:
        return self.near.sendmsg(pieces)

    def read(self) -> list[tuple[int, int]]:
        """(tx, index) of the packets that are here."""
        found = []
        while select.select([self.far], [], [], 0)[0]:
            header = unpack_header(self.far.recv(65536))
            assert header is not None
            found.append((header.tx, header.packet_index))
        return found


@pytest.fixture
def ways() -> Iterator[list[Way]]:
    with ExitStack() as stack:
        made = [Way(PathKind.MULTICAST), Way(PathKind.UNICAST)]
        for way in made:
            stack.enter_context(way.near)
            stack.enter_context(way.far)
        yield made


def sender_on(ways: list[Way]) -> BurstSender:
    sender = BurstSender([way.path.socket for way in ways], [way.path for way in ways], session_tag(SESSION))
    for outlet in sender.outlets.values():
        outlet.is_segmenting = False
    return sender


def cast(sender: BurstSender, tx: int) -> bool:
    return sender.send_page(SLICES, object=CONTENTS, page=tx, generation=0, tx=tx)


WHOLE = [(tx, index) for tx in (1, 2, 3) for index in range(GEOMETRY.packets)]


def test_every_path_gets_everything_once_and_in_order_however_slow_another_is(ways: list[Way]) -> None:
    sender = sender_on(ways)
    found: dict[Way, list[tuple[int, int]]] = {way: [] for way in ways}
    for tx in (1, 2, 3):
        is_sent = cast(sender, tx)
        assert not is_sent
        while not is_sent:
            assert sender.blocked
            slow = ways[tx % 2]  # each has its turn
            for way in ways:
                if way is not slow or sender.blocked == {slow.path.socket}:
                    found[way] += way.read()
            is_sent = sender.flush()
    for way in ways:
        found[way] += way.read()
    assert list(found.values()) == [WHOLE, WHOLE]


def test_statistics_are_kept_by_kind_of_path(ways: list[Way]) -> None:
    sender = sender_on(ways)
    assert not cast(sender, 1)
    first = len(ways[0].read())
    sender.flush()
    more = len(ways[0].read())
    assert sender.statistics_of(PathKind.MULTICAST).packets == first + more
    waiting = sender.statistics_of(PathKind.UNICAST)
    assert waiting.packets == len(ways[1].read()) < first + more
    assert sender.statistics.packets == first + more + waiting.packets
    assert sender.statistics.bytes > sender.statistics.packets * GEOMETRY.slice_bytes


def test_a_removed_path_gets_nothing_more_and_an_added_one_gets_the_next_burst(ways: list[Way]) -> None:
    sender = sender_on(ways)
    sender.remove_path(ways[1].path)
    seen: list[tuple[int, int]] = []

    def cast_to_first(tx: int) -> None:
        cast(sender, tx)
        while len(seen) < tx * GEOMETRY.packets:
            seen.extend(ways[0].read())
            sender.flush()

    cast_to_first(1)
    sender.add_path(ways[1].path)
    sender.add_path(ways[1].path)  # twice is once
    cast_to_first(2)
    assert sender.blocked == {ways[1].path.socket}  # nobody reads there
    sender.remove_path(ways[1].path)
    assert not sender.blocked
    cast_to_first(3)
    assert seen == WHOLE
    assert {tx for tx, _ in ways[1].read()} == {2}


def test_unheard_group_gets_messages_but_no_pages(ways: list[Way]) -> None:
    sender = sender_on(ways)
    sender.is_group_heard = False
    seen: list[tuple[int, int]] = []
    cast(sender, 1)
    while len(seen) < GEOMETRY.packets:
        seen += ways[1].read()
        sender.flush()
    assert sender.statistics_of(PathKind.MULTICAST).packets == 0
    sender.send_message(bytes(40))
    sender.flush()
    assert sender.statistics_of(PathKind.MULTICAST).packets == 1


def test_one_socket_serves_several_destinations() -> None:
    with Link(sample(2), is_merging=False) as link, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        link.sender.add_path(Path(link.caster, deaf.getsockname(), PathKind.UNICAST))
        link.send_page(0, tx=1)
        link.sender.send_message(b"m" * 40)
        link.sender.send_message(b"n" * 40, Path(link.caster, deaf.getsockname(), PathKind.ANSWER))
        heard: dict[socket.socket, list[bytes]] = {link.receiver: [], deaf: []}
        for ear in heard:
            while select.select([ear], [], [], 0.05)[0]:
                heard[ear].append(ear.recv(65536))
        assert len(heard[link.receiver]) == GEOMETRY.packets + 1
        assert heard[deaf] == [*heard[link.receiver], b"n" * 40]
        counts = [link.sender.statistics_of(kind).packets for kind in PathKind]
        assert counts == [GEOMETRY.packets + 1, GEOMETRY.packets + 1, 0, 0, 1]
