"""Repairs: batches of bursts planned from the loss map."""

from __future__ import annotations

from mrsync.protocol.core.sends import SendCoded, SendPage
from mrsync.protocol.sending.repairs import CODED_IN_VAIN_MAX, Repair, Repairs
from mrsync.protocol.sending.transfer import Transfer
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind

GEOMETRY = Geometry(100, 8)
KIND = ObjectKind.CONTENTS


def always(page: int, tx: int) -> bool:
    return True


def cast(pages: int, retained: int = 512) -> tuple[Transfer, Repairs]:
    transfer = Transfer(KIND, pages * GEOMETRY.page_bytes, GEOMETRY)
    for tx in range(1, pages + 1):
        transfer.first_send(tx)
    return transfer, Repairs(transfer, terms_max=4, retained_pages=retained)


def drained(repairs: Repairs, tx: int = 1000) -> list[tuple[Repair, int]]:
    sends: list[tuple[Repair, int]] = []
    while repairs.is_waiting:
        sends.append(repairs.next_repair(tx + len(sends)))
    return sends


def test_losses_of_one_target_go_plain_and_together() -> None:
    transfer, repairs = cast(10)
    transfer.receive_claim(1, 99, 10, [(3, 1, 0b101), (5, 1, 0b10)])
    repairs.plan([3, 5])
    assert drained(repairs) == [(SendPage(KIND, 3, 0b101, 1000, True), 2), (SendPage(KIND, 5, 0b10, 1001, True), 1)]
    assert repairs.packets_sent == 3


def test_losses_of_two_targets_are_coded() -> None:
    transfer, repairs = cast(10)
    transfer.receive_claim(1, 99, 10, [(3, 1, 0b101)])
    transfer.receive_claim(2, 99, 10, [(5, 1, 0b10)])
    repairs.plan([3, 5])
    assert drained(repairs) == [
        (SendPage(KIND, 3, 0b100, 1000, True), 1),
        (SendCoded(KIND, (((3, 0), (5, 1)),), 1001), 1),
    ]
    assert repairs.packets_sent == 2


def test_a_page_is_repaired_only_with_its_last_burst() -> None:
    transfer, repairs = cast(10)
    transfer.receive_claim(1, 99, 10, [(3, 1, 0b101)])
    transfer.receive_claim(2, 99, 10, [(5, 1, 0b10)])
    repairs.plan([3, 5])
    repairs.next_repair(100)
    for tx, is_missing in ((200, False), (101, False), (102, True)):
        if tx == 101:
            repairs.next_repair(101)
        transfer.receive_claim(1, tx, 10, [(3, 1, 0b1)])
        assert bool(transfer.choose_pages(9, always)) == is_missing


def test_a_page_mostly_lost_goes_wholly_or_plain() -> None:
    transfer, repairs = cast(10)
    transfer.receive_claim(1, 99, 10, [(3, 1, 0), (4, 1, 0b1111111)])
    transfer.receive_claim(2, 99, 10, [(4, 1, 0b1)])
    repairs.plan([3, 4])
    assert drained(repairs) == [(SendPage(KIND, 3, 0, 1000, True), 8), (SendPage(KIND, 4, 0b1111111, 1001, True), 7)]


def claim_two(transfer: Transfer, tx: int) -> None:
    transfer.receive_claim(1, tx, 10, [(3, 1, 0b1)])
    transfer.receive_claim(2, tx, 10, [(5, 1, 0b1)])


def test_losses_that_coding_did_not_repair_are_sent_uncoded() -> None:
    transfer, repairs = cast(10)
    for attempt in range(CODED_IN_VAIN_MAX):
        claim_two(transfer, 200 + attempt)
        repairs.plan([3, 5])
        ((send, _),) = drained(repairs, 100 + attempt)
        assert isinstance(send, SendCoded)
    claim_two(transfer, 300)
    repairs.plan([3, 5])
    assert [send for send, _ in drained(repairs)] == [
        SendPage(KIND, 3, 1, 1000, True),
        SendPage(KIND, 5, 1, 1001, True),
    ]


def test_losses_that_coding_repairs_in_parts_stay_coded() -> None:
    """Much is lost, so each repair brings only some of it."""
    transfer, repairs = cast(10)
    for attempt, mask in enumerate((0b111111, 0b11111, 0b1111, 0b111, 0b11, 0b1)):
        transfer.receive_claim(1, 200 + attempt, 10, [(3, 1, mask)])
        transfer.receive_claim(2, 200 + attempt, 10, [(5, 1, mask)])
        repairs.plan([3, 5])
        ((send, _),) = drained(repairs, 100 + attempt)
        assert isinstance(send, SendCoded)


def test_pages_that_are_no_longer_retained_go_plain() -> None:
    transfer, repairs = cast(100, retained=16)
    transfer.receive_claim(1, 999, 100, [(3, 1, 1), (95, 1, 1), (99, 1, 1)])
    transfer.receive_claim(2, 999, 100, [(5, 1, 1), (96, 1, 1)])
    repairs.plan([3, 5, 95, 96, 99])
    sends = [send for send, _ in drained(repairs)]
    assert sends[:2] == [SendPage(KIND, 3, 1, 1000, True), SendPage(KIND, 5, 1, 1001, True)]
    assert SendCoded(KIND, (((95, 0), (96, 0)),), 1003) in sends


def test_pages_that_different_targets_lost_whole_are_coded_as_wholes() -> None:
    transfer, repairs = cast(10)
    transfer.receive_claim(1, 99, 10, [(3, 1, 0), (4, 1, 0)])
    transfer.receive_claim(2, 99, 10, [(5, 1, 0b01111111)])
    repairs.plan([3, 4, 5])
    coded = (*(((3, index), (5, index)) for index in range(7)),)
    plain = [(SendPage(KIND, 3, 0b10000000, 1000, True), 1), (SendPage(KIND, 4, 0, 1001, True), 8)]
    assert drained(repairs) == [*plain, (SendCoded(KIND, coded, 1002), 7)]


def test_coded_packets_fill_bursts() -> None:
    transfer, repairs = cast(40)
    transfer.receive_claim(1, 999, 40, [(page, 1, 1) for page in range(0, 40, 2)])
    transfer.receive_claim(2, 999, 40, [(page, 1, 1) for page in range(1, 40, 2)])
    repairs.plan(list(range(40)))
    sends = drained(repairs)
    assert [packets for _, packets in sends] == [8, 8, 4]
    assert all(isinstance(send, SendCoded) and len(send.combinations) == packets for send, packets in sends)
    transfer.receive_claim(1, 1001, 40, [(0, 1, 1), (38, 1, 1)])
    assert transfer.choose_pages(9, always) == [0]  # page 38 came in the third burst


def test_pages_only_for_lost_targets_are_skipped() -> None:
    transfer, repairs = cast(10, retained=0)
    transfer.receive_claim(1, 99, 10, [(3, 1, 0)])
    transfer.receive_claim(2, 99, 10, [(5, 1, 0)])
    repairs.plan([3, 5])
    transfer.forget_target(1)
    repairs.drop_unwanted(50)
    assert drained(repairs) == [(SendPage(KIND, 5, 0, 1000, True), 8)]
    transfer.receive_claim(2, 99, 10, [(3, 1, 0)])
    assert transfer.choose_pages(9, always) == [3]


def test_repairs_for_others_than_the_slow_are_brought_forward() -> None:
    transfer, repairs = cast(10, retained=0)
    transfer.receive_claim(1, 99, 10, [(3, 1, 0)])
    transfer.receive_claim(2, 99, 10, [(5, 1, 0)])
    repairs.plan([3, 5])
    assert repairs.bring_forward({1})
    assert repairs.next_repair(100) == (SendPage(KIND, 5, 0, 100, True), 8)
    assert not repairs.bring_forward({1})
    transfer.receive_claim(2, 99, 10, [(7, 1, 0)])
    repairs.plan([7])
    assert repairs.bring_forward({1})
