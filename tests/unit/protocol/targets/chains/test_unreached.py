from __future__ import annotations

from mrsync.protocol.targets.chains.unreached import UnreachedPairs


def test_a_pair_is_not_tried_again_before_its_time() -> None:
    pairs = UnreachedPairs()
    pairs.add(1, 2, until=10.0)
    assert pairs.until(2, 1) == 10.0
    assert not pairs.may_link(2, 1)
    assert pairs.may_link(1, 3)
    assert not pairs.expire(10.0)
    assert pairs.expire(10.1)
    assert pairs.may_link(1, 2)


def test_a_target_that_reached_two_others_not_is_linked_to_none() -> None:
    pairs = UnreachedPairs()
    pairs.add(1, 2, until=10.0)
    pairs.add(3, 1, until=20.0)
    assert not pairs.may_link(1, 4)
    assert pairs.may_link(2, 4)
    pairs.expire(15.0)
    assert pairs.may_link(1, 4)


def test_a_pair_that_fails_again_counts_once() -> None:
    pairs = UnreachedPairs()
    pairs.add(1, 2, until=10.0)
    pairs.add(2, 1, until=20.0)
    assert pairs.may_link(1, 3)
    pairs.expire(25.0)
    pairs.add(1, 3, until=30.0)
    assert pairs.may_link(1, 4)
