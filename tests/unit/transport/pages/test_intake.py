from __future__ import annotations

import random
import socket
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
from mrsync.wire.header import Header, pack_header, page_headers, session_tag
from mrsync.wire.limits import HEADER_BYTES, MAGIC, PACKETS_PER_PAGE_MAX, TX_AHEAD_MAX, VERSION
from mrsync.wire.messages import Kind
from tests.unit.transport.link import CONTENTS, GEOMETRY, SESSION, Link, sample

FULL = GEOMETRY.packets


def packets_of(link: Link, page: int, tx: int = 1, generation: int = 0) -> list[bytes]:
    """The datagrams of a page."""
    sealed, size = link.sealed(page, generation), link.geometry.slice_bytes
    count = -(-len(sealed) // size)
    headers = page_headers(
        session_tag=session_tag(SESSION), object=CONTENTS, page=page, generation=generation, count=count, tx=tx
    )
    return [
        bytes(headers[HEADER_BYTES * index :][:HEADER_BYTES]) + sealed[index * size : (index + 1) * size]
        for index in range(count)
    ]


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
        packets = [packet for page in range(4) for packet in packets_of(link, page)]
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


def test_a_newer_generation_replaces_the_packets_of_the_older() -> None:
    with Link(sample(1)) as link:
        link.send_page(0, mask=0b1111)
        link.send_page(0, tx=2, generation=1, mask=((1 << FULL) - 1) & ~0b10)
        link.send_page(0, tx=3, generation=1, mask=0b10)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}
        assert link.sink.rejected == []


def test_a_damaged_page_is_rejected_and_received_again() -> None:
    with Link(sample(1)) as link:
        packets = packets_of(link, 0)
        packets[5] = packets[5][:-1] + bytes((packets[5][-1] ^ 1,))
        link.send_merged(packets)
        link.receive()
        assert link.opened() == {}
        assert link.sink.rejected == [0]
        assert link.opener.statistics.rejected == 1
        link.send_page(0, tx=2)
        link.receive()
        assert link.opened() == {0: link.plain(0)}


@pytest.mark.parametrize("is_whole", [True, False])
def test_coded_packets_are_decoded_with_pages_that_are_here(is_whole: bool) -> None:
    with Link(sample(2.02)) as link:
        everything = (1 << FULL) - 1
        link.send_page(0, mask=0 if is_whole else everything & ~(1 << 9))
        link.send_page(1, mask=everything & ~(1 << 3))
        link.send_page(2)
        link.receive()
        last = GEOMETRY.packet_count(len(link.data), 2) - 1
        terms = [(page, index, link.slice(page, index)) for page, index in ((1, 3), (0, 8), (2, last))]
        assert link.sender.send_coded([terms], object=CONTENTS, generation=0, tx=9)
        link.receive()
        assert link.opened()[1] == link.plain(1)
        assert link.opener.statistics.decoded == 1
        assert link.intake.senders.tx_seen == 9


def test_a_decoded_last_packet_has_its_own_length() -> None:
    with Link(sample(1.5)) as link:
        last = GEOMETRY.packet_count(len(link.data), 1) - 1
        link.send_page(0)
        link.send_page(1, mask=(1 << last) - 1)
        link.receive()
        terms = [(page, index, link.slice(page, index)) for page, index in ((0, 8), (1, last))]
        assert link.sender.send_coded([terms], object=CONTENTS, generation=0, tx=9)
        link.receive()
        assert link.opened()[1] == link.plain(1)


def test_a_coded_packet_whose_terms_were_evicted_is_useless() -> None:
    with Link(sample(8), slots=6) as link:
        for page in range(7):
            link.send_page(page)
        link.send_page(7, mask=((1 << FULL) - 1) & ~1)
        link.receive()
        terms = [(page, 0, link.slice(page, 0)) for page in (0, 7)]
        assert link.sender.send_coded([terms], object=CONTENTS, generation=0, tx=9)
        link.receive()
        assert link.sink.useless == 1
        assert set(link.opened()) == set(range(7))


def test_a_forged_coded_packet_of_packets_that_no_page_has_is_useless() -> None:
    with Link(sample(2)) as link:
        link.send_page(0)
        link.send_page(1, mask=((1 << FULL) - 1) & ~(1 << 3))
        link.receive()
        terms = [(page, index, link.slice(1, 3)) for page, index in ((0, FULL), (1, 3))]
        assert link.sender.send_coded([terms], object=CONTENTS, generation=0, tx=9)
        link.receive()
        assert link.sink.useless == 1
        assert set(link.opened()) == {0}


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_forged_raises_nothing_and_opens_nothing_false(seed: int) -> None:
    """The forger knows the session's tag and address, and draws everything else where it may do harm."""
    chance = random.Random(seed)
    with Link(sample(3.4)) as link:

        def forged() -> bytes:
            kind = chance.choice((Kind.PAGE, Kind.CODED))
            indices = (0, 1, 3, FULL - 1, FULL, PACKETS_PER_PAGE_MAX - 1, chance.randrange(256))
            counts = (2, 3, chance.randrange(256)) if kind is Kind.CODED else (FULL, FULL - 1, chance.randrange(256))
            header = Header(
                kind=kind,
                packet_index=chance.choice(indices),
                packet_count=chance.choice(counts),
                object=chance.choice((CONTENTS, CONTENTS, CONTENTS, chance.randrange(256))),
                segment=0,
                session_tag=session_tag(SESSION),
                generation=chance.choice((0, 0, 0, 1, 65535)),
                sender=0,
                page=chance.choice((0, 1, 2, 3, 4, 2**32 - 1)),
                tx=chance.randrange(4),
            )
            behind = header.packet_count - 1 if kind is Kind.CODED else 0
            terms = b"".join(bytes((0, chance.randrange(256))) for _ in range(behind))  # of pages close by
            return pack_header(header) + terms + bytes(chance.choice((0, GEOMETRY.slice_bytes, GEOMETRY.slice_bytes)))

        genuine = [packet for page in range(4) for packet in packets_of(link, page)]
        for packet in genuine:
            for _ in range(chance.randrange(8)):
                link.send_merged([forged()])
            if chance.random() > 0.1:
                link.send_merged([packet])
            while link.intake.drain(0.0):
                continue
        for page in range(4):
            assert link.opened().get(page, link.plain(page)) == link.plain(page)


def test_partial_pages_never_take_all_slots() -> None:
    with Link(sample(10), slots=7) as link:
        for page in range(9):
            link.send_page(page, mask=0b1)
        link.send_page(9)
        link.receive()
        assert link.opened() == {9: link.plain(9)}
        assert link.opener.statistics.crowded == 7


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
        for junk in (bytes(HEADER_BYTES + GEOMETRY.slice_bytes), packets_of(link, 0)[-1], b""):
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
            packets = [packet for page in range(pages) for packet in packets_of(link, page, tx)]
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


# what others send


def forged(link: Link, page: int, index: int, generation: int = 0) -> bytes:
    """A packet with the labels that it must have, and other bytes."""
    real = packets_of(link, page, generation=generation)[index]
    return real[:HEADER_BYTES] + bytes(byte ^ 0xFF for byte in real[HEADER_BYTES:])


def test_pages_from_another_address_are_dropped_unread() -> None:
    with Link(sample(2)) as link, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
        stranger.bind(("127.0.0.1", 0))
        link.send_page(0, mask=((1 << FULL) - 1) & ~(1 << 7))
        for packet in (forged(link, 0, 7), packets_of(link, 0)[7], forged(link, 1, 0, generation=3)):
            stranger.sendto(packet, link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {}
        assert link.intake.statistics.foreign == 3
        link.send_page(0, mask=1 << 7)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_of_another_address_a_few_statuses_are_handed_on_and_nothing_else() -> None:
    with Link(sample(1)) as link, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
        headers = {kind: packets_of(link, 0)[0][:2] + bytes((kind,)) + bytes(5) for kind in Kind}
        tag = packets_of(link, 0)[0][8:12]
        for _ in range(2 * FOREIGN_MESSAGES_PER_DRAIN):
            for kind in (Kind.STATUS, Kind.FAREWELL, Kind.PROBE):
                stranger.sendto(headers[kind] + tag + bytes(12) + b"body", link.address)
        link.receive()
        assert len(link.controls) == FOREIGN_MESSAGES_PER_DRAIN
        assert link.intake.statistics.foreign == 5 * FOREIGN_MESSAGES_PER_DRAIN


def test_a_flood_of_statuses_keeps_out_no_claim() -> None:
    with Link(sample(1)) as link, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
        link.intake.senders.set_peers([], has_unknown_children=True)
        start, tag = packets_of(link, 0)[0][:2], packets_of(link, 0)[0][8:12]
        for kind in [Kind.STATUS] * (2 * FOREIGN_MESSAGES_PER_DRAIN) + [Kind.CLAIM]:
            stranger.sendto(start + bytes((kind,)) + bytes(5) + tag + bytes(12) + b"body", link.address)
        link.receive()
        assert link.controls[-1][2] == Kind.CLAIM
        assert len(link.controls) == FOREIGN_MESSAGES_PER_DRAIN + 1


@pytest.mark.parametrize("at", [0, 7, FULL - 1])
@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_packets_for_one_place_the_seal_chooses(at: int, is_first: bool) -> None:
    with Link(sample(1), is_merging=False) as link:
        packets = packets_of(link, 0)
        fake = forged(link, 0, at)
        packets[at : at + 1] = [fake, packets[at]] if is_first else [packets[at], fake]
        for packet in packets:
            link.caster.sendto(packet, link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_several_forged_packets_in_one_page_are_found() -> None:
    with Link(sample(1), is_merging=False) as link:
        for index in (3, 5, 8, 13, 21):
            link.caster.sendto(forged(link, 0, index), link.address)
        for packet in reversed(packets_of(link, 0)):
            link.caster.sendto(packet, link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_a_page_that_was_complete_and_wrong_needs_one_packet_to_be_right() -> None:
    with Link(sample(1), is_merging=False) as link:
        packets = packets_of(link, 0)
        for packet in (*packets[:7], *packets[8:]):
            link.caster.sendto(packet, link.address)
        link.caster.sendto(forged(link, 0, 7), link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.sink.rejected == [0]
        assert link.sink.assembly.needs() == (0, 1, [(0, 1, 1 << 7)]), "the one that came by itself"
        link.caster.sendto(packets[7], link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_a_page_with_many_forged_packets_begins_anew() -> None:
    """More packets are wrong than choices are tried, and the true ones come one by one."""
    with Link(sample(1), is_merging=False) as link:
        for index in range(0, FULL, 2):
            link.caster.sendto(forged(link, 0, index), link.address)
        for _ in range(3):
            for packet in reversed(packets_of(link, 0)):
                link.caster.sendto(packet, link.address)
            link.receive()
            link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_an_invented_generation_keeps_no_true_packet_out() -> None:
    with Link(sample(1), is_merging=False) as link:
        packets = packets_of(link, 0)
        for at, packet in enumerate(packets):
            link.caster.sendto(packet, link.address)
            if at % 10 == 0:
                link.caster.sendto(forged(link, 0, at, generation=at + 1), link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_many_small_datagrams_end_a_turn() -> None:
    """A second of them must not keep the loop from all else."""
    with Link(sample(1)) as link:
        for _ in range(BYTES_PER_DRAIN // DATAGRAM_COUNTS_AS + 1):
            link.caster.sendto(b"x", link.address)
        assert link.intake.drain(0.0), "there is more"
        assert not link.intake.drain(0.0)
