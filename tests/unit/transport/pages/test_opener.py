"""PageOpener: which packets make a page, when its seal says that some are wrong, and what coded packets repair."""

from __future__ import annotations

import random

import pytest

from mrsync.transport.pages.opener import PageOpener
from mrsync.transport.pages.slots import Slots
from mrsync.wire.header import Header, pack_header, session_tag
from mrsync.wire.limits import PACKETS_PER_PAGE_MAX
from mrsync.wire.messages import CONTENTS_KINDS, Kind, ObjectKind, SealKind
from mrsync.wire.seals.sealing import PageSealer
from tests.unit.transport.link import CONTENTS, GEOMETRY, KEYS, SESSION, AssemblySink, Link, sample

FULL = GEOMETRY.packets


def test_a_newer_generation_replaces_the_packets_of_the_older() -> None:
    with Link(sample(1)) as link:
        link.send_page(0, mask=0b1111)
        link.send_page(0, tx=2, generation=1, mask=((1 << FULL) - 1) & ~0b10)
        link.send_page(0, tx=3, generation=1, mask=0b10)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}
        assert link.sink.rejected == []


@pytest.mark.parametrize("object", ObjectKind)
def test_only_pages_of_contents_come_in_fewer_packets_than_they_have(object: ObjectKind) -> None:
    opener = PageOpener(GEOMETRY, PageSealer(KEYS, SealKind.HMAC_SHA256), AssemblySink(0), Slots(GEOMETRY, 1))
    opener.expect([2 * GEOMETRY.page_bytes] * len(ObjectKind))
    assert opener.sealed_length(object, 0, FULL) == GEOMETRY.sealed_bytes
    assert opener.sealed_length(object, 0, FULL + 1) == 0
    assert (opener.sealed_length(object, 0, FULL - 1) > 0) == (object in CONTENTS_KINDS)


def test_a_damaged_page_is_rejected_and_received_again() -> None:
    with Link(sample(1)) as link:
        packets = link.packets(0)
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


def test_partial_pages_never_take_all_slots() -> None:
    with Link(sample(10), slots=7) as link:
        for page in range(9):
            link.send_page(page, mask=0b1)
        link.send_page(9)
        link.receive()
        assert link.opened() == {9: link.plain(9)}
        assert link.opener.statistics.crowded == 7


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

        genuine = [packet for page in range(4) for packet in link.packets(page)]
        for packet in genuine:
            for _ in range(chance.randrange(8)):
                link.send_merged([forged()])
            if chance.random() > 0.1:
                link.send_merged([packet])
            while link.intake.drain(0.0):
                continue
        for page in range(4):
            assert link.opened().get(page, link.plain(page)) == link.plain(page)


@pytest.mark.parametrize("at", [0, 7, FULL - 1])
@pytest.mark.parametrize("is_first", [True, False])
def test_the_seal_chooses_between_two_packets_for_one_place(at: int, is_first: bool) -> None:
    with Link(sample(1), is_merging=False) as link:
        packets = link.packets(0)
        fake = link.forged(0, at)
        packets[at : at + 1] = [fake, packets[at]] if is_first else [packets[at], fake]
        for packet in packets:
            link.caster.sendto(packet, link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_several_forged_packets_in_one_page_are_found() -> None:
    with Link(sample(1), is_merging=False) as link:
        for index in (3, 5, 8, 13, 21):
            link.caster.sendto(link.forged(0, index), link.address)
        for packet in reversed(link.packets(0)):
            link.caster.sendto(packet, link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_a_page_that_was_complete_and_wrong_needs_one_packet_to_be_right() -> None:
    with Link(sample(1), is_merging=False) as link:
        packets = link.packets(0)
        for packet in (*packets[:7], *packets[8:]):
            link.caster.sendto(packet, link.address)
        link.caster.sendto(link.forged(0, 7), link.address)
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
            link.caster.sendto(link.forged(0, index), link.address)
        for _ in range(3):
            for packet in reversed(link.packets(0)):
                link.caster.sendto(packet, link.address)
            link.receive()
            link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}


def test_an_invented_generation_keeps_no_true_packet_out() -> None:
    with Link(sample(1), is_merging=False) as link:
        packets = link.packets(0)
        for at, packet in enumerate(packets):
            link.caster.sendto(packet, link.address)
            if at % 10 == 0:
                link.caster.sendto(link.forged(0, at, generation=at + 1), link.address)
        link.receive()
        link.intake.end_run(0.0)
        assert link.opened() == {0: link.plain(0)}
