"""Islands: who casts, who listens, and what becomes of those that hear nothing."""

from __future__ import annotations

from typing import Any

import pytest

from mrsync.protocol.targets.chains.link_watch import DOUBT_S, ISLAND_TRIAL_S, STALL_S
from mrsync.protocol.targets.path import Via
from mrsync.wire.messages import Feeding, Peer
from tests.unit.protocol.builders import found, report
from tests.unit.protocol.targets.chains.test_relays import NOW, SLACK_S, Chains

GROUP = (b"\xff" + bytes(15), 8888)


def islands(count: int = 4, **details: Any) -> Chains:
    chains = Chains(count, island=GROUP, **details)
    chains.relays.is_settled(NOW)
    return chains


def parents(chains: Chains) -> dict[int, int | None]:
    return {target: told.parent.target if told.parent else None for target, told in chains.told.items()}


def test_the_first_of_a_network_casts_and_the_others_listen() -> None:
    chains = islands()
    assert parents(chains) == {0: None, 1: 0, 2: 0, 3: 0}
    assert {told.child for told in chains.told.values()} == {None}
    (island,) = {told.island for told in chains.told.values()}
    assert island is not None
    assert (island.target, island.address, island.port) == (0, *GROUP)
    assert {told.parent.link for told in chains.told.values() if told.parent} == {island.link}


def test_a_listener_feeds_the_next_network() -> None:
    chains = islands(7, networks=dict.fromkeys((4, 5, 6), 1))
    assert parents(chains) == {0: None, 1: 0, 2: 0, 3: 0, 4: 3, 5: 4, 6: 4}
    assert chains.told[3].child == Peer(4, chains.told[4].parent.link, *_place(4, 1))  # type: ignore[union-attr]
    assert [
        [target.id for target in group] for group in chains.relays.chains.groups(next(iter(chains.relays.chains)))
    ] == [
        [0],
        [1, 2, 3],
        [4],
        [5, 6],
    ]


@pytest.mark.parametrize(
    "details",
    [
        {"count": 2},
        {"count": 4, "near": frozenset({1})},
        {"count": 4, "island": None},
        {"count": 5, "hearers": 1},
    ],
    ids=["two are too few", "the caster is there, too", "none is wanted", "one hears the group"],
)
def test_no_island_where_it_gains_nothing(details: dict[str, Any]) -> None:
    chains = Chains(**{"island": GROUP, **details})
    chains.relays.is_settled(NOW)
    for target in range(details.get("hearers", 0)):
        chains.hop(target, Feeding.UNFED)
    chains.relays.is_settled(NOW)
    assert {told.island for told in chains.told.values()} == {None}


def test_a_network_where_nobody_hears_the_relay_is_a_chain() -> None:
    chains = islands()
    confirm(chains)
    late(chains, NOW)
    assert parents(chains) == {0: None, 1: 0, 2: 1, 3: 2}
    assert {told.island for told in chains.told.values()} == {None}


def test_and_several_chains_where_they_are_asked_for() -> None:
    chains = islands(chains=2)
    assert chains.chain_ids() == [[0, 1, 2, 3]]
    confirm(chains)
    late(chains, NOW)
    assert chains.chain_ids() == [[0, 1], [2, 3]]


def test_a_target_that_does_not_hear_the_relay_is_fed_by_the_last_one() -> None:
    chains = islands()
    confirm(chains)
    for target in (2, 3):
        chains.hop(target, Feeding.FED)
    late(chains, NOW)
    assert parents(chains) == {0: None, 2: 0, 3: 0, 1: 3}
    assert chains.told[1].island is None


def test_a_dead_relay_is_replaced_by_the_next_one() -> None:
    chains = islands().fed()
    assert chains.ways() == [Via.CASTER, Via.RELAY, Via.RELAY, Via.RELAY]
    now = NOW + 5
    for target in (1, 2, 3):
        chains.hop(target, Feeding.STARVED, now)
    chains.answer(1, 2, 3, now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[1, 2, 3]]
    assert parents(chains) | {0: None} == {0: None, 1: None, 2: 1, 3: 1}
    chains.answer(0, now=now + 1)
    chains.relays.tend(None, now + 1)  # it is back
    assert parents(chains) == {0: 1, 1: None, 2: 1, 3: 1}


def test_a_listener_that_does_not_answer_is_left_out() -> None:
    chains = islands(5).fed()
    now = NOW + 5
    chains.hop(3, Feeding.STARVED, now)
    chains.answer(0, 1, 2, 4, now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[0, 1, 2, 4]]
    assert chains.told[1].parent == chains.told[2].parent


def test_a_listener_that_cannot_write_is_nobodys_child() -> None:
    """The last of an island, which would feed it as a stranger, would wait for it as the island did."""
    chains = islands(5).fed()
    found(chains.roster, 3).report = report(3, queue_pages=3, activity=7)
    chains.relays.tend(None, NOW + 1)
    now = NOW + 5
    chains.hop(3, Feeding.STARVED, now)
    chains.answer(*range(5), now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[0, 1, 2, 4]]
    assert chains.ways()[3] is Via.NOBODY


def test_a_relay_that_does_not_reach_most_of_its_island_is_replaced() -> None:
    chains = islands(6).fed()
    now = NOW + 5
    for target in (1, 2, 3):
        chains.hop(target, Feeding.STARVED, now)
    chains.answer(*range(6), now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[1, 2, 3, 4, 5, 0]]
    assert parents(chains) == {1: None, 2: 1, 3: 1, 4: 1, 5: 1, 0: 5}


def test_an_island_that_has_become_too_small_is_a_chain() -> None:
    chains = islands(3).fed()
    chains.relays.forget(found(chains.roster, 1), NOW)
    chains.relays.tend(None, NOW + STALL_S)
    assert parents(chains)[2] == 0
    assert chains.told[2].island is None
    assert chains.told[0].child is not None


def confirm(chains: Chains) -> None:
    for target in list(chains.told):
        chains.hop(target, Feeding.UNFED)
    chains.relays.tend(None, NOW)


def late(chains: Chains, now: float) -> None:
    """A trial is over."""
    chains.relays.tend(None, now + ISLAND_TRIAL_S + SLACK_S)


def _place(number: int, network: int) -> tuple[bytes, int]:
    return (network << 64 | number).to_bytes(16, "big"), 7
