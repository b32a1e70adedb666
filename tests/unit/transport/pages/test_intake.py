"""Intake: packets from a socket are put in place and reported in rows, and others' packets are dropped."""

from __future__ import annotations

import random
import socket
import time
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrsync.transport.pages.bursts import BurstSender
from mrsync.transport.pages.intake import (
    BYTES_PER_DRAIN,
    DATAGRAM_COUNTS_AS,
    FOREIGN_MESSAGES_PER_DRAIN,
    SINGLES_MIN,
)
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import page_headers, session_tag
from mrsync.wire.limits import HEADER_BYTES, MAGIC, TX_AHEAD_MAX, VERSION
from mrsync.wire.messages import Kind
from tests.unit.transport.link import CONTENTS, GEOMETRY, SESSION, Link, sample

FULL = GEOMETRY.packets


@pytest.mark.parametrize("is_merging", [True, False], ids=["merged", "single"])
def test_each_whole_page_is_opened_and_reported_in_one_call(is_merging: bool) -> None:
    with Link(sample(3.4), is_merging=is_merging) as link:
        for page in range(4):
            link.send_page(page, tx=page + 1)
        link.receive()
        assert link.opened() == {page: link.plain(page) for page in range(4)}
        assert link.sink.pages_told == [0, 1, 2, 3]
        assert link.sink.packets_told == []
        assert link.intake.senders.tx_seen == 4


def test_merged_datagrams_that_cut_pages_anywhere_are_received_in_place() -> None:
    with Link(sample(4)) as link:
        packets = [packet for page in range(4) for packet in link.packets(page)]
        link.send_merged(packets[:20])
        link.send_merged(packets[20:60])
        link.send_merged(packets[60:100])
        link.send_merged(packets[100:140])
        link.send_merged(packets[140:])
        link.receive()
        assert link.opened() == {page: link.plain(page) for page in range(4)}
        assert link.sink.packets_told == []


def test_unmerged_packets_are_received_many_at_a_time_and_in_place() -> None:
    with Link(sample(4), is_merging=False) as link:
        for page in range(4):
            link.send_page(page, tx=page + 1)
            link.caster.sendto(b"control", link.address)
        link.receiver = calls = CountingSocket(link.receiver)  # type: ignore[assignment]
        link.intake._socket = calls  # type: ignore[assignment]
        link.receive()
        assert link.opened() == {page: link.plain(page) for page in range(4)}
        assert link.sink.packets_told == []
        assert calls.count < 2 * SINGLES_MIN


class CountingSocket:
    """Counts what Python receives itself."""

    def __init__(self, opened: socket.socket) -> None:
        self.count = 0
        self._opened = opened

    def recvmsg_into(self, *arguments: Any) -> Any:
        self.count += 1
        return self._opened.recvmsg_into(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)


def test_packets_around_a_gap_are_reported_in_rows_and_the_gap_is_repaired() -> None:
    with Link(sample(2)) as link:
        everything = (1 << FULL) - 1
        link.send_page(0, mask=everything & ~(1 << 7 | 1 << 8))
        link.receive()
        link.intake.end_run(0.0)
        assert link.sink.packets_told == [(0, index) for index in range(FULL) if index not in (7, 8)]
        assert link.sink.rows_told == 2
        assert link.opened() == {}
        link.send_page(0, tx=2, mask=1 << 7 | 1 << 8)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}
        link.send_page(1, tx=3)
        link.receive()
        assert link.opened()[1] == link.plain(1)


def test_an_unfinished_run_is_reported_when_another_packet_comes() -> None:
    with Link(sample(2)) as link:
        link.send_page(0, mask=0b111)
        link.receive()
        assert link.sink.packets_told == []
        link.sender.send_message(bytes([MAGIC, VERSION, Kind.STATUS]) + bytes(21) + b"status")
        link.receive()
        assert link.sink.packets_told == []
        assert link.controls == []
        assert link.intake.statistics.strange == 1, "another session's message ends nothing"
        link.send_page(1)
        link.receive()
        assert link.sink.packets_told == [(0, 0), (0, 1), (0, 2)]


def test_control_messages_are_handed_on_between_pages() -> None:
    message = bytes(page_headers(session_tag=session_tag(SESSION), object=0, page=7, generation=0, count=1, tx=9))
    message = message[:2] + b"\x02" + message[3:] + b"body"
    with Link(sample(1)) as link:
        link.send_page(0, mask=0b11)
        link.sender.send_message(message)
        link.receive()
        assert link.controls == [message]
        assert link.sink.packets_told == [(0, 0), (0, 1)], "what was heard before is told first"


@pytest.mark.parametrize("is_merging", [True, False])
def test_pages_of_another_session_disturb_nothing(is_merging: bool) -> None:
    with Link(sample(2), is_merging=is_merging) as link:
        stranger = BurstSender([link.caster], [link.path], session_tag(SESSION ^ 1 << 63))
        stranger.outlets[link.caster].is_segmenting = is_merging
        for page in range(2):
            stranger.send_page(link.slices(page), object=CONTENTS, page=page, generation=0, tx=page)
            link.send_page(page)
        link.receive()
        assert link.opened() == {page: link.plain(page) for page in range(2)}
        assert link.intake.statistics.strange == 2 * FULL


def test_a_tx_far_ahead_of_the_last_status_is_not_believed() -> None:
    with Link(sample(1)) as link:
        link.send_page(0, tx=TX_AHEAD_MAX + 1)
        link.receive()
        assert link.opened() == {}
        assert link.intake.statistics.strange == FULL
        link.intake.senders.believe(1, link.caster.getsockname())
        link.send_page(0, tx=TX_AHEAD_MAX + 1)
        link.receive()
        assert link.opened() == {0: link.plain(0)}


def test_kernel_drops_are_noticed() -> None:
    with Link(sample(4)) as link:
        link.receiver.setsockopt(1, 8, 4096)  # SO_RCVBUF
        for page in range(4):
            link.send_page(page)
        link.receive()
        link.send_page(0)
        link.receive()
        assert link.intake.statistics.kernel_drops > 0


def test_a_packet_that_repeats_the_last_one_or_is_nothing_goes_on_with_no_run() -> None:
    with Link(sample(2), is_merging=False) as link:
        for junk in (bytes(HEADER_BYTES + GEOMETRY.slice_bytes), link.packets(0)[-1], b""):
            link.send_page(0)
            link.send_merged([junk])
            link.receive()
            assert not link.intake.is_midway or link.intake._run.next == FULL
            link.intake.end_run(0.0)
        link.send_page(1)
        link.receive()
        assert link.opened() == {page: link.plain(page) for page in range(2)}
        assert len(link.opener.opened) == 2


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), is_merging=st.booleans(), size=st.floats(0.01, 6))
def test_every_page_comes_through_whatever_order_loss_duplication_and_junk(
    seed: int, is_merging: bool, size: float
) -> None:
    chance = random.Random(seed)
    geometry = Geometry(slice_bytes=100, packets=8)
    data = sample(size, geometry)
    with Link(data, geometry=geometry, slots=12, is_merging=is_merging) as link:
        pages = geometry.page_count(len(data))
        for tx in range(1, 1000):
            packets = [packet for page in range(pages) for packet in link.packets(page, tx)]
            packets = [packet for packet in packets if chance.random() > 0.2]
            if tx % 3 == 0:
                chance.shuffle(packets)
            packets += chance.choices(packets, k=3) if packets else []
            packets.insert(chance.randrange(len(packets) + 1), chance.randbytes(chance.randrange(200)))
            while packets:
                size_of_first = len(packets[0])
                number = chance.randrange(1, 20)
                alike = [packets.pop(0)]
                while packets and len(alike) < number and len(packets[0]) == size_of_first and size_of_first:
                    alike.append(packets.pop(0))
                link.send_merged(alike)
            link.receive()
            link.intake.end_run(0.0)
            if len(link.opened()) == pages:
                break
        assert link.opened() == {page: link.plain(page) for page in range(pages)}
        assert len(link.opener.opened) == pages, "each page once"
        assert link.sink.rejected == []


def test_pages_from_another_address_are_dropped_unread() -> None:
    with Link(sample(2)) as link, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
        stranger.bind(("127.0.0.1", 0))
        link.send_page(0, mask=((1 << FULL) - 1) & ~(1 << 7))
        for packet in (link.forged(0, 7), link.packets(0)[7], link.forged(1, 0, generation=3)):
            stranger.sendto(packet, link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {}
        assert link.intake.statistics.foreign == 3
        link.send_page(0, mask=1 << 7)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_only_a_few_statuses_of_another_address_are_handed_on() -> None:
    with Link(sample(1)) as link, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
        headers = {kind: link.packets(0)[0][:2] + bytes((kind,)) + bytes(5) for kind in Kind}
        tag = link.packets(0)[0][8:12]
        for _ in range(2 * FOREIGN_MESSAGES_PER_DRAIN):
            for kind in (Kind.STATUS, Kind.FAREWELL, Kind.PROBE):
                stranger.sendto(headers[kind] + tag + bytes(12) + b"body", link.address)
        link.receive()
        assert len(link.controls) == FOREIGN_MESSAGES_PER_DRAIN
        assert link.intake.statistics.foreign == 5 * FOREIGN_MESSAGES_PER_DRAIN


def test_a_flood_of_statuses_keeps_out_no_claim() -> None:
    with Link(sample(1)) as link, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
        link.intake.senders.set_peers([], has_unknown_children=True)
        start, tag = link.packets(0)[0][:2], link.packets(0)[0][8:12]
        for kind in [Kind.STATUS] * (2 * FOREIGN_MESSAGES_PER_DRAIN) + [Kind.CLAIM]:
            stranger.sendto(start + bytes((kind,)) + bytes(5) + tag + bytes(12) + b"body", link.address)
        link.receive()
        assert link.controls[-1][2] == Kind.CLAIM
        assert len(link.controls) == FOREIGN_MESSAGES_PER_DRAIN + 1


def test_many_small_datagrams_end_a_turn() -> None:
    """A second of them must not keep the loop from all else."""
    with Link(sample(1)) as link:
        for _ in range(BYTES_PER_DRAIN // DATAGRAM_COUNTS_AS + 1):
            link.caster.sendto(b"x", link.address)
        assert link.intake.drain(0.0), "there is more"
        assert not link.intake.drain(0.0)


@pytest.mark.parametrize("is_merging", [True, False])
def test_a_page_that_comes_while_the_socket_is_read_did_not_arrive_before(is_merging: bool) -> None:
    with Link(sample(3), is_merging=is_merging) as link:
        began_at = time.monotonic()
        link.send_page(0)
        link.receive()
        between = time.monotonic()
        link.send_page(1, tx=2)
        link.send_page(2, tx=3)
        while link.intake.drain(began_at):  # the reader was held up since it read the clock
            continue
        assert link.sink.pages_told == [0, 1, 2]
        assert between <= link.sink.told_at[1] <= link.sink.told_at[2] <= time.monotonic()
