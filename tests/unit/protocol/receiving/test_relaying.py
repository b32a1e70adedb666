"""Relaying: how often children claim, and which feeds count."""

from __future__ import annotations

from itertools import count

import pytest

from mrsync.protocol.core.sends import SendMessage, SendToPeer
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.protocol.receiving.parent_link import CLAIM_FIRST_S, CLAIM_S, COUNTERS_AHEAD_MAX, STARVED_S
from mrsync.protocol.receiving.reception import Reception
from mrsync.protocol.receiving.relaying import Relaying
from mrsync.wire.formats.hops import FEED_BYTES
from mrsync.wire.limits import ISLAND_ID
from mrsync.wire.messages import Assign, Feed, Feeding, Hop, NetworkShare, ObjectKind, Peer, SealKind
from tests.unit.protocol.builders import GEOMETRY

PARENT = Peer(3, 9, bytes(16), 7)
TARGETS = 200


def relaying_child() -> Relaying:
    """Return target 4, before any assignment."""
    numbers = count(1)
    config = CatcherConfig(
        target=4,
        instance=1,
        host="h",
        version="1",
        seals=1 << SealKind.HMAC_SHA256,
        buffer_bytes=1 << 20,
        retained_pages=512,
        wait_s=60.0,
    )
    relaying = Relaying(config, Reception(0.0), lambda: next(numbers), lambda event: None)
    relaying.open(GEOMETRY, NetworkShare.ALL, TARGETS, 0.0)
    return relaying


def test_a_child_claims_until_it_hears_its_parent() -> None:
    """Its firewall may let in only answers."""
    relaying = relaying_child()
    relaying.receive(Assign(1, 1, 4, 1, 2 * FEED_BYTES, PARENT, None, None), 0.0)

    def claims(first: int, end: int) -> int:
        sends = []
        for at in range(first, end):
            relaying.handle_timeout(at / 100)
            sends += relaying.sends(1)
        return sum(isinstance(send, SendToPeer) and send.peer == PARENT for send in sends)

    assert claims(0, 1) == 1
    assert claims(1, 101) == pytest.approx(1 / CLAIM_FIRST_S, abs=1)
    relaying.receive(Feed(3, 1, 1, 4, 9, ObjectKind.CONTENTS, 0, 1, False, 2 * FEED_BYTES), 1.01)
    assert claims(101, 401) <= 1
    relaying.receive(Assign(1, 2, 4, 2, 2 * FEED_BYTES, None, None, None), 4.01)
    assert claims(401, 501) == 0


def test_pages_that_anybody_can_send_do_not_speak_for_a_parent() -> None:
    relaying = relaying_child()
    relaying.receive(Assign(1, 1, 4, 1, 2 * FEED_BYTES, PARENT, None, None), 0.0)
    for number, size_bytes in ((1, 2 * FEED_BYTES), (2, FEED_BYTES)):
        relaying.receive(Feed(3, number, number, 4, 9, ObjectKind.CONTENTS, 0, 1, False, size_bytes), number / 100)
    assert relaying.is_fed
    for at in range(3, 600):
        relaying.note_done(at / 100, is_written=False)
        relaying.handle_timeout(at / 100)
    assert relaying.feeding is Feeding.STARVED


def test_a_forged_feed_of_an_island_makes_no_true_one_look_old() -> None:
    relaying = relaying_child()
    relaying.receive(Assign(1, 1, 4, 1, 2 * FEED_BYTES, PARENT, None, PARENT), 0.0)

    def takes(counter: int, tx: int, now: float) -> bool:
        feed = Feed(3, counter, tx, ISLAND_ID, 9, ObjectKind.CONTENTS, 0, 1, False, FEED_BYTES)
        relaying.receive(feed, now)
        return relaying.has_taken(feed)

    assert takes(500, 900_000, 1.0)  # the first that we hear of an island that others are in already
    assert not takes(0xFFFFFFFF, 900_001, 1.1)
    assert not takes(502, 0xFFFFFFFF, 1.1)
    assert takes(501, 900_001, 1.1)
    assert not takes(501, 900_001, 1.1)
    assert takes(501 + 9 * COUNTERS_AHEAD_MAX, 1_300_000, 9.2), "it was away for a while"


def test_a_forged_first_feed_of_an_island_costs_that_link_and_no_later_one() -> None:
    """It may claim any counter, as a target may come late. Then its link looks dead, and the caster makes another."""
    relaying = relaying_child()

    def hear(link: int, counter: int, size_bytes: int, now: float) -> bool:
        feed = Feed(3, counter, 1, ISLAND_ID, link, ObjectKind.CONTENTS, 0, 1, False, size_bytes)
        relaying.receive(feed, now)
        return relaying.has_taken(feed)

    def assign(number: int, link: int, now: float) -> None:
        parent = PARENT._replace(link=link)
        relaying.receive(Assign(1, number, 4, number, 2 * FEED_BYTES, parent, None, parent), now)

    assign(1, 9, 0.0)
    hear(9, 0xFFFFFFFE, 2 * FEED_BYTES, 0.0)
    assert hear(9, 0xFFFFFFFF, FEED_BYTES, 0.0)
    assert relaying.is_fed
    assert not hear(9, 20, FEED_BYTES, 0.1), "the relay's own looks old"
    relaying.handle_timeout(STARVED_S)
    assert relaying.feeding is Feeding.STARVED, "which the caster hears"
    told = [each.message for each in relaying.sends(1) if isinstance(each, SendMessage)]
    assert [message.feeding for message in told if isinstance(message, Hop)] == [Feeding.STARVED]
    assign(2, 10, 1.0)
    assert hear(10, 30, 2 * FEED_BYTES, 1.0)
    assert hear(10, 31, FEED_BYTES, 1.1)
    assert relaying.is_fed


@pytest.mark.parametrize(("island", "claims_s"), [(None, 1 / CLAIM_S), (PARENT, 1000 / TARGETS)])
def test_many_children_of_a_relay_claim_less_often(island: Peer | None, claims_s: float) -> None:
    relaying = relaying_child()
    relaying.receive(Assign(1, 1, 4, 1, 2 * FEED_BYTES, PARENT, None, island), 0.0)
    child = ISLAND_ID if island else 4
    claims = 0
    for at in range(1, 1001):  # a feed every 2 ms, which asks for nothing
        now = at / 500
        feed = Feed(3, at, at, child, 9, ObjectKind.CONTENTS, 0, 1000, False, FEED_BYTES * (1 + (at == 1)))
        relaying.receive(feed, now)
        relaying.handle_timeout(now)
        claims += sum(isinstance(send, SendToPeer) for send in relaying.sends(1))
    assert claims == pytest.approx(2 * claims_s, rel=0.15, abs=1)
