"""Senders: whose datagrams count, and up to which tx."""

from __future__ import annotations

from mrsync.transport.pages.senders import Senders
from mrsync.wire.limits import TX_AHEAD_MAX
from mrsync.wire.messages import Kind

CASTER, PARENT, CHILD, NOBODY = (("192.0.2.1", port) for port in (1, 2, 3, 4))


def test_only_the_caster_s_tx_numbers_count_until_a_parent_feeds_us() -> None:
    senders = Senders()
    senders.believe(50, CASTER)
    senders.set_peers([PARENT, CHILD])
    assert [senders.is_stranger(source) for source in (CASTER, PARENT, CHILD, NOBODY)] == [False, False, False, True]
    senders.is_stranger(PARENT)
    assert senders.is_aside
    assert senders.tx_limit == 50 + TX_AHEAD_MAX

    senders.follow(PARENT)
    assert (senders.tx_seen, senders.tx_limit) == (0, TX_AHEAD_MAX)
    senders.believe(90, CASTER)
    senders.believe_parent(7)
    assert senders.tx_limit == 7 + TX_AHEAD_MAX
    assert not senders.is_stranger(CASTER)
    assert senders.is_aside, "the caster's numbers mean something else now"

    senders.follow(None)
    senders.believe_parent(1000)
    assert senders.tx_limit == TX_AHEAD_MAX
    assert not senders.is_stranger(CASTER)
    assert not senders.is_aside


def test_only_in_an_island_does_a_claim_of_an_unknown_child_count() -> None:
    senders = Senders()
    senders.set_peers([PARENT])
    assert senders.may_speak(Kind.STATUS)
    assert not senders.may_speak(Kind.CLAIM)
    senders.set_peers([PARENT], has_unknown_children=True)
    assert senders.may_speak(Kind.CLAIM)
    assert not senders.may_speak(Kind.FEED)
