from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from mrsync.protocol.core.sends import SendPage, SendToPeer
from mrsync.protocol.receiving.feeder import FEED_S, QUIET_FEEDS, WAITING_MAX, Feeder
from mrsync.protocol.sending.flow import Flow
from mrsync.wire.formats.hops import FEED_BYTES
from mrsync.wire.limits import ISLAND_ID
from mrsync.wire.messages import Claim, Feed, NetworkShare, ObjectKind, Peer
from tests.unit.protocol.builders import GEOMETRY, PAGE

CONTENTS = ObjectKind.CONTENTS
CHILD = Peer(4, 9, bytes(16), 7)
PROBE = 1472
SIZE = 1000 * PAGE
PAGE_APART_S = 0.02  # at 25 Mbit/s
QUIET_S = QUIET_FEEDS * FEED_S


ISLAND = Peer(3, 9, bytes(16), 8888)


class Hop:
    """A feeder, and children that claim what the test wants."""

    def __init__(self, horizon: int = 0, peer: Peer = CHILD, held: int = 1000) -> None:
        numbers = count(1)
        self.feeder = Feeder(
            3,
            peer,
            PROBE,
            0.0,
            retained_pages=512,
            horizon_of=lambda kind: horizon,
            next_held=lambda kind, first, end: first if first < min(end, held) else -1,
            next_counter=lambda: next(numbers),
        )
        self.feeder.open(GEOMETRY, NetworkShare.FAIR, 0.0)
        self._counter = 0

    def claim(self, now: float, **details: Any) -> None:
        self._counter += 1
        values: dict[str, Any] = dict.fromkeys(Claim._fields, 0)
        values |= {"child": 4, "counter": self._counter, "parent": 3, "link": 9, "heard_bytes": PROBE}
        values |= {"active": CONTENTS, "buffer_bytes": 8 << 20, "needs": ()}
        self.feeder.receive_claim(Claim(**{**values, **details}), now)

    def sends(self, now: float) -> tuple[list[Feed], list[int]]:
        """Feeds and pages."""
        self.feeder.handle_timeout(now)
        sends = self.feeder.sends(now)
        feeds = [send.message for send in sends if isinstance(send, SendToPeer) and isinstance(send.message, Feed)]
        return feeds, [send.page for send in sends if isinstance(send, SendPage)]


def heard(**details: Any) -> Hop:
    hop = Hop(**details)
    hop.claim(0.0)
    hop.feeder.begin(CONTENTS, SIZE)
    return hop


def test_feeds_are_padded_until_a_full_one_arrived() -> None:
    hop = Hop()
    assert [feed.size_bytes for feed in hop.sends(0.0)[0]] == [PROBE]
    hop.claim(0.01, heard_bytes=0)
    assert not hop.feeder.is_heard
    hop.claim(0.02)
    assert [feed.size_bytes for feed in hop.sends(0.1)[0]] == [FEED_BYTES]


def test_nothing_is_forwarded_before_the_child_has_answered() -> None:
    hop = Hop()
    hop.feeder.offer(CONTENTS, 5, SIZE)
    assert hop.sends(0.0)[1] == []
    hop.claim(0.01)
    hop.feeder.offer(CONTENTS, 6, SIZE)
    assert hop.sends(0.01)[1] == [6]


def test_child_is_not_polled_between_pages_that_come_slowly_but_soon_after_the_last_one() -> None:
    hop = heard()
    polls = []
    for turn, page in enumerate((0, 1, 999)):
        now = 0.01 + turn * PAGE_APART_S
        hop.feeder.offer(CONTENTS, page, SIZE)
        hop.sends(now)
        polls.append(any(feed.is_poll for feed in hop.sends(now + PAGE_APART_S - 0.001)[0]))
    assert polls == [False, False, True]


def test_a_feeder_is_idle_until_a_page_or_a_loss_or_a_timer_comes() -> None:
    """A driver need not ask it again then; that the last pages are polled for must not depend on that."""
    hop = heard()
    hop.sends(0.0)
    hop.feeder.offer(CONTENTS, 0, SIZE)
    assert not hop.feeder.is_idle
    assert hop.sends(0.01)[1] == [0]
    assert hop.feeder.is_idle
    hop.feeder.offer(CONTENTS, 999, SIZE)
    assert hop.sends(0.02)[1] == [999]
    assert hop.feeder.is_idle
    assert hop.feeder.next_timeout() is not None
    polls = [any(feed.is_poll for feed in hop.sends(0.02 + tick / 100)[0]) for tick in range(1, 20)]
    assert sum(polls) > 1, "again and again"
    hop.claim(0.25)
    assert not hop.feeder.is_idle, "what the child has may change when to poll"
    hop.sends(0.25)
    hop.claim(0.3, tx_seen=99, needs_end=1000, needs=((999, 1, 0),))
    assert not hop.feeder.is_idle
    assert [999] in [hop.sends(0.3 + tick / 100)[1] for tick in range(30)]


def test_claims_of_another_link_and_older_ones_are_ignored() -> None:
    hop = Hop()
    hop.claim(0.0, link=8)
    assert not hop.feeder.is_heard
    hop.claim(0.0)
    hop.feeder.begin(CONTENTS, SIZE)
    hop.claim(0.0, counter=0, needs_end=9, needs=((1, 1, 0),))
    assert hop.feeder.next_asked() is None


def test_pages_that_did_not_come_through_this_relay_are_requested() -> None:
    hop = heard()
    hop.feeder.offer(CONTENTS, 1, SIZE)
    hop.claim(0.1, needs_end=3, needs=((0, 3, 0),))
    asked = [hop.feeder.next_asked() for _ in range(3)]
    assert asked == [(CONTENTS, 0), (CONTENTS, 2), None]


def test_pages_that_this_relay_still_lacks_itself_are_not_requested() -> None:
    """They are offered when they come. A child may claim hundreds of them, fifty times a second."""
    hop = heard(held=1)
    hop.claim(0.1, needs_end=1000, needs=((0, 1000, 0),))
    assert [hop.feeder.next_asked() for _ in range(2)] == [(CONTENTS, 0), None]


def test_packets_lost_on_the_hop_are_sent_again() -> None:
    hop = heard()
    hop.feeder.offer(CONTENTS, 1, SIZE)
    assert hop.sends(0.0)[1] == [1]
    feed = hop.sends(FEED_S)[0][0]
    hop.claim(FEED_S, tx_seen=feed.tx, tx_done=feed.tx, needs_end=2, needs=((1, 1, 0),))
    assert hop.sends(FEED_S)[1] == [1]
    assert hop.feeder.packets_repaired == GEOMETRY.packets
    assert hop.feeder.pages_forwarded == 1


def test_a_feed_holds_the_number_of_forwarded_pages() -> None:
    hop = heard()
    for page in range(100):
        hop.feeder.offer(CONTENTS, page, SIZE)
    hop.sends(0.0)
    (feed,) = hop.sends(FEED_S)[0]
    assert 0 < feed.pages_sent < 100


def test_an_idle_feed_holds_the_number_of_cast_pages() -> None:
    hop = heard(horizon=70)
    hop.feeder.offer(CONTENTS, 1, SIZE)
    hop.sends(0.0)
    (feed,) = hop.sends(FEED_S)[0]
    assert feed.pages_sent == 70


def test_child_far_behind_fills_the_queue() -> None:
    hop = heard()
    for page in range(WAITING_MAX + 100):
        hop.feeder.offer(CONTENTS, page, SIZE)
    assert hop.feeder.is_full


def test_a_silent_child_is_not_waited_for_until_it_claims_again() -> None:
    hop = heard()
    for page in range(WAITING_MAX + 100):
        hop.feeder.offer(CONTENTS, page, SIZE)
    hop.sends(QUIET_S + 0.1)
    assert not hop.feeder.is_full
    hop.feeder.offer(CONTENTS, 500, SIZE)
    assert hop.sends(QUIET_S + 0.2)[1] == []
    hop.claim(QUIET_S + 0.3)
    hop.feeder.offer(CONTENTS, 501, SIZE)
    assert hop.sends(QUIET_S + 0.3)[1] == [501]


def test_a_later_object_takes_the_place_of_an_earlier_one() -> None:
    hop = heard()
    assert not hop.feeder.wants(ObjectKind.PLAN, 0)
    assert hop.feeder.wants(ObjectKind.PLAN_AGAIN, 0)
    hop.feeder.offer(ObjectKind.PLAN_AGAIN, 0, PAGE)
    assert hop.sends(0.0)[1] == [0]
    assert not hop.feeder.wants(CONTENTS, 5)


def island() -> Hop:
    """An island that targets 4 and 5 listen to."""
    hop = Hop(peer=ISLAND)
    for child in (4, 5):
        hop.claim(0.0, child=child, tx_seen=1, tx_done=1)
    hop.feeder.begin(CONTENTS, SIZE)
    return hop


def test_an_island_needs_no_list_of_its_listeners() -> None:
    hop = island()
    assert hop.feeder.listeners == 2
    hop.claim(0.0, child=6, link=8)
    assert hop.feeder.listeners == 2
    hop.feeder.offer(CONTENTS, 1, SIZE)
    feeds, pages = hop.sends(0.0)
    assert ([feed.child for feed in feeds], pages) == ([ISLAND_ID], [1])


def test_one_repair_is_for_all_that_missed_a_packet() -> None:
    hop = island()
    hop.feeder.offer(CONTENTS, 1, SIZE)
    hop.sends(0.0)
    feed = hop.sends(FEED_S)[0][0]
    for child, mask in ((4, 1), (5, 2)):
        seen = {"tx_seen": feed.tx, "tx_done": feed.tx}
        hop.claim(FEED_S, child=child, **seen, needs_end=2, needs=((1, 1, mask),))
    assert hop.sends(FEED_S)[1] == [1]
    assert hop.feeder.packets_repaired == 2


def test_an_object_is_not_over_before_all_hold_it() -> None:
    hop = island()
    values: dict[str, Any] = dict.fromkeys(Claim._fields, 0)
    claim = Claim(**{**values, "child": 4, "active": ObjectKind.PLAN_AGAIN, "needs": ()})
    assert hop.feeder.needed_by(claim) is CONTENTS
    hop.claim(0.1, child=5, active=ObjectKind.PLAN_AGAIN)
    assert hop.feeder.needed_by(claim) is ObjectKind.PLAN_AGAIN


def test_a_silent_child_of_an_island_keeps_nobody_waiting() -> None:
    hop = island()
    for page in range(WAITING_MAX):
        hop.feeder.offer(CONTENTS, page, SIZE)
    hop.claim(QUIET_S, child=4, tx_seen=1, tx_done=1)
    hop.sends(QUIET_S + 0.1)
    assert hop.feeder.listeners == 1
    assert hop.feeder.pages_waiting > 0


def test_feeds_of_an_island_are_long_and_short_while_some_have_not_heard_a_long_one() -> None:
    hop = island()
    hop.claim(0.0, child=6, heard_bytes=0)
    sizes = [hop.sends(now)[0][0].size_bytes for now in (0.02, 0.04, 0.06, 0.08)]
    assert sorted(sizes) == [FEED_BYTES] * 2 + [PROBE] * 2


def test_pages_that_all_children_hold_are_not_forwarded() -> None:
    hop = heard()
    hop.claim(0.01, frontier=6)
    for page in (4, 5, 6):
        hop.feeder.offer(CONTENTS, page, SIZE)
    assert hop.sends(0.01)[1] == [6]
    assert not hop.feeder.wants(ObjectKind.PLAN, 10**6), "earlier objects are complete"
    assert [hop.feeder.held_behind(kind) for kind in (CONTENTS, CONTENTS + 1)] == [6, 0]


def test_the_holdings_of_an_island_are_unknown() -> None:
    hop = Hop(peer=ISLAND)
    hop.claim(0.0, frontier=6)
    assert hop.feeder.held_behind(CONTENTS) == 0


def test_a_child_that_is_ahead_of_those_behind_it_gets_repairs_at_once() -> None:
    hop = heard()
    for page in range(992, 1000):
        hop.feeder.offer(CONTENTS, page, SIZE)
        hop.sends(page / 1e5)
    hop.sends(0.02)
    hop.claim(0.021, frontier=2, needs_first=996, needs_end=1000, needs=((997, 1, 0),), tx_seen=99, tx_done=99)
    assert 997 in hop.sends(0.022)[1]


def test_the_cost_of_a_claim_does_not_grow_with_the_square_of_the_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows that are looked for in a list are compared with one another."""
    compared = count()
    monkeypatch.setattr(Flow, "__eq__", lambda one, other: bool(next(compared)) and one is other, raising=False)
    hop, children = Hop(peer=ISLAND), 100
    for child in range(children):
        hop.claim(0.0, child=child, tx_seen=1)
    before = next(compared)
    hop.claim(0.1, child=children - 1, tx_seen=1)
    assert next(compared) - before <= 2 * children
