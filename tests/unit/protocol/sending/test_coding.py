"""Combinations: each must help every target that misses one of its terms, and few must do."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from mrsync.protocol.sending.coding import OPEN_MAX, Loss, combine

LOSSES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 7), st.integers(1, 255)), unique_by=lambda loss: loss[:2]
).map(lambda losses: [Loss(*loss) for loss in sorted(losses)])


@given(LOSSES, st.integers(2, 16), st.integers(0, 50))
def test_each_loss_is_repaired_once_and_can_be_decoded(losses: list[Loss], terms_max: int, distance_max: int) -> None:
    missed_by = {(page, packet): targets for page, packet, targets in losses}
    combinations = combine(losses, terms_max=terms_max, distance_max=distance_max)
    assert sorted(term for terms in combinations for term in terms) == sorted(missed_by)
    for terms in combinations:
        assert len(terms) <= terms_max
        assert terms == tuple(sorted(terms))
        assert terms[-1][0] - terms[0][0] <= distance_max
        together = 0
        for term in terms:
            assert not together & missed_by[term]
            together |= missed_by[term]


def test_packets_that_all_targets_miss_are_sent_uncoded() -> None:
    losses = [Loss(0, packet, 0b111) for packet in range(5)]
    assert combine(losses, terms_max=16, distance_max=100) == [((0, packet),) for packet in range(5)]


def test_losses_of_different_targets_share_one_packet() -> None:
    losses = [Loss(page, 3, 1 << page) for page in range(6)]
    assert combine(losses, terms_max=16, distance_max=100) == [tuple((page, 3) for page in range(6))]


def independent_losses(rng: random.Random, *, targets: int, share: float, pages: int, packets: int) -> list[Loss]:
    losses = []
    for page in range(pages):
        for packet in range(packets):
            missing = sum(1 << target for target in range(targets) if rng.random() < share)
            if missing:
                losses.append(Loss(page, packet, missing))
    return losses


def test_eight_targets_at_one_percent_stay_near_the_bound() -> None:
    rng = random.Random(1)
    repairs = packets = bound = 0
    for _ in range(10):
        losses = independent_losses(rng, targets=8, share=0.01, pages=64, packets=44)
        repairs += len(combine(losses, terms_max=8, distance_max=256))
        packets += 64 * 44
        bound += max(sum(loss.targets >> target & 1 for loss in losses) for target in range(8))
    assert bound <= repairs <= 1.1 * bound
    assert repairs <= 0.02 * packets


def test_more_open_combinations_than_are_looked_at() -> None:
    losses = [Loss(0, 0, 1)] * (3 * OPEN_MAX)
    assert len(combine(losses, terms_max=16, distance_max=0)) == 3 * OPEN_MAX
