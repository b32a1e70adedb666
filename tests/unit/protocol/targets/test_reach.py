"""Reach: who counts as deaf and when, which packets all can have, and whose address is believed."""

from __future__ import annotations

from typing import Any

from mrsync.protocol.core.states import TargetTrigger
from mrsync.protocol.core.timers import KEEPALIVE_MAX_S
from mrsync.protocol.targets.reach import (
    AS_ASKED,
    COPY_KEEPALIVES,
    DEAF_S,
    LADDER_S,
    NEVER_HEARD,
    NO_LONGER_HEARD,
    PROBE_S,
    RETURN_KEEPALIVES,
    Reach,
)
from mrsync.protocol.targets.roster import Roster, Target
from tests.unit.protocol.builders import SMALL, STEPS, found, hello

FULL = STEPS[0].datagram_bytes


class Town:
    """A reach, and targets that say hello as the test wants; `rerouted` lists (target, why by unicast)."""

    def __init__(self, *, is_unicast_only: bool = False) -> None:
        self.rerouted: list[tuple[int, str]] = []
        self.roster = Roster({0: "a", 1: "b", 2: "c"})
        self.reach = Reach(self.roster, STEPS, 60.0, is_unicast_only=is_unicast_only, on_rerouted=self._on_rerouted)
        self._counters = dict.fromkeys(range(3), 0)

    def _on_rerouted(self, target: Target) -> None:
        self.rerouted.append((target.id, target.path.why_unicast))

    def hello(self, target: int, now: float, source: str = "home", **details: Any) -> int:
        """The token that it is answered with."""
        self._counters[target] += 1
        said = hello(target, **{"counter": self._counters[target], "group_bytes": 0, **details})
        known = found(self.roster, target)
        if not known.is_live:
            self.roster.admit(known, said, source, now)
        return self.reach.receive_hello(known, said, source, now)

    def deaf(self, target: int, now: float) -> None:
        """Somebody who hears nothing on the group, and answers at its address."""
        token = self.hello(target, now, unicast_bytes=1)
        self.hello(target, now, unicast_bytes=1, token=token)


def test_receivers_of_the_largest_probe_are_known_at_once() -> None:
    town = Town()
    town.hello(0, 0.0, group_bytes=1)
    assert not town.reach.is_settled
    town.hello(0, 0.01, group_bytes=FULL)
    assert town.reach.is_settled
    assert town.rerouted == []


def test_deaf_target_is_served_once_its_address_is_verified() -> None:
    town = Town()
    town.deaf(0, 0.0)
    town.reach.look(DEAF_S)
    assert town.rerouted == []
    town.reach.look(DEAF_S + 0.01)
    assert town.rerouted == [(0, NEVER_HEARD)]
    assert found(town.roster, 0).path.verified == "home"
    assert not town.reach.is_settled, "nobody knows yet what reaches it by unicast"
    town.hello(0, DEAF_S + 0.1, unicast_bytes=FULL, token=1)
    assert town.reach.is_settled


def test_unicast_needs_a_verified_address() -> None:
    town = Town()
    town.hello(0, 0.0)
    town.hello(0, 0.1, source="stolen from home", token=1)
    town.reach.look(2 * DEAF_S)
    assert town.rerouted == []
    assert found(town.roster, 0).path.verified is None


def test_an_old_hello_from_elsewhere_changes_nothing() -> None:
    town = Town()
    token = town.hello(0, 0.0)
    target = found(town.roster, 0)
    assert town.reach.receive_hello(target, hello(0, counter=1), "elsewhere", 0.1) == 0
    assert town.reach.receive_hello(target, hello(0, counter=1), "home", 0.1) == token
    town.hello(0, 0.2, token=token)
    assert target.path.verified == "home"


def test_late_multicast_is_used_while_gathering() -> None:
    town = Town()
    town.deaf(0, 0.0)
    town.reach.look(DEAF_S + 0.1)
    town.hello(0, DEAF_S + 0.2, group_bytes=FULL)
    assert town.rerouted == [(0, NEVER_HEARD), (0, "")]
    town.deaf(1, 2.0)
    town.reach.look(4.0)
    town.reach.fix()
    town.hello(1, 5.0, group_bytes=FULL)
    assert town.rerouted[2:] == [(1, NEVER_HEARD)], "and then it stays so"


def test_target_that_loses_multicast_is_served_at_once() -> None:
    town = Town()
    token = town.hello(0, 0.0, group_bytes=FULL)
    town.reach.fix()
    town.hello(0, 9.0, token=token)
    assert town.rerouted == [(0, NO_LONGER_HEARD)]
    town.hello(0, 9.1, source="new home", token=token)
    assert len(town.rerouted) == 1
    town.hello(0, 9.2, source="new home", token=token + 1)
    assert town.rerouted == [(0, NO_LONGER_HEARD)] * 2
    assert found(town.roster, 0).path.verified == "new home"


def test_all_are_served_by_unicast_as_asked_for() -> None:
    town = Town(is_unicast_only=True)
    token = town.hello(0, 0.0)
    assert town.rerouted == []
    town.hello(0, 0.01, token=token, unicast_bytes=FULL)
    assert town.rerouted == [(0, AS_ASKED)]
    assert town.reach.is_settled


def test_the_largest_packets_that_reach_everyone_are_used() -> None:
    town = Town()
    town.hello(0, 0.0, group_bytes=FULL)
    town.hello(1, 0.0, group_bytes=SMALL.datagram_bytes)
    town.reach.look(PROBE_S)
    assert not town.reach.is_settled
    town.reach.look(PROBE_S + 0.01)
    assert town.reach.is_settled
    assert town.reach.fix() == []
    assert town.reach.step == SMALL
    assert [town.reach.reached_mtu(found(town.roster, target)) for target in (0, 1)] == [1500, 1280]


def test_a_target_that_even_the_smallest_probes_miss_cannot_take_part() -> None:
    town = Town()
    town.hello(0, 0.0, group_bytes=FULL)
    town.hello(1, 0.0, group_bytes=1)
    town.reach.look(9.0)
    assert not town.reach.is_settled, "its later hellos may be lost"
    town.hello(1, 9.0, group_bytes=1)
    town.reach.look(9.0)
    assert not town.reach.is_settled, "it may have been stopped, and not have read the probes yet"
    town.hello(1, 9.1, group_bytes=1)
    town.reach.look(9.1)
    assert [target.id for target in town.reach.fix()] == [1]
    assert town.reach.step == STEPS[0]


def test_losses_by_unicast_say_nothing_about_the_group() -> None:
    town = Town()
    town.deaf(0, 0.0)
    town.reach.look(DEAF_S + 0.01)
    for at in range(5):
        town.hello(0, DEAF_S + PROBE_S + 0.1 * (1 + at), unicast_bytes=1, token=1)
    town.hello(0, DEAF_S + PROBE_S + 1.0, unicast_bytes=1, group_bytes=FULL, token=1)
    assert town.rerouted == [(0, NEVER_HEARD), (0, "")]
    assert town.reach.fix() == []


def test_latecomer_must_receive_packets_of_the_session() -> None:
    town = Town()
    town.hello(0, 0.0, group_bytes=FULL)
    town.reach.fix()
    town.hello(1, 5.0, group_bytes=1)
    assert town.reach.look(9.0) == []
    town.hello(1, 9.0, group_bytes=1)
    town.hello(1, 9.1, group_bytes=1)
    assert [target.id for target in town.reach.look(9.1)] == [1]
    town.hello(1, 9.1, group_bytes=FULL)
    assert town.reach.look(9.1) == []


def test_one_probe_is_enough_unless_somebody_lacks_it() -> None:
    town = Town()
    assert town.reach.probes(0.0) == [FULL], "for those who are to come"
    for target in (1, 2):
        town.hello(target, 0.0, group_bytes=FULL)
    town.hello(0, 0.0, group_bytes=1)
    assert town.reach.probes(LADDER_S) == [FULL]
    assert town.reach.probes(LADDER_S + 0.01) == [FULL, SMALL.datagram_bytes]
    town.hello(0, 0.2, group_bytes=FULL)
    assert town.reach.probes(0.2) == []
    town.reach.fix()
    town.roster.end(found(town.roster, 2), TargetTrigger.ABORT, "", 0.3)
    town.hello(0, 0.3, group_bytes=0)
    assert town.reach.probes(1.0) == [FULL], "for nobody knows what reaches it by unicast"


def test_silent_target_gets_some_statuses_by_unicast() -> None:
    town = Town()
    town.hello(0, 0.0, group_bytes=FULL)
    town.hello(1, 0.0, group_bytes=FULL)
    found(town.roster, 1).flow.answered_at = 1.9
    silent = found(town.roster, 0)
    assert list(town.reach.unanswering(1.0)) == []
    assert list(town.reach.unanswering(2.0)) == [silent]
    assert list(town.reach.unanswering(2.0)) == []
    assert list(town.reach.unanswering(2.0 + COPY_KEEPALIVES * KEEPALIVE_MAX_S)) == [silent]


def gone_deaf(town: Town) -> None:
    town.hello(0, 0.0, group_bytes=FULL)
    town.hello(0, 0.0, group_bytes=FULL, token=1)
    town.reach.fix()
    town.hello(0, 5.0, group_bytes=0, unicast_bytes=FULL, token=1)
    assert town.rerouted == [(0, NO_LONGER_HEARD)]


BACK_S = RETURN_KEEPALIVES * KEEPALIVE_MAX_S


def test_copies_end_after_the_group_is_received_for_a_while() -> None:
    town = Town()
    gone_deaf(town)
    town.hello(0, 9.0, group_bytes=1, unicast_bytes=FULL, token=1)
    assert town.reach.probes(9.1) == [FULL], "do packets of this session's size get there?"
    town.reach.look(9.1 + BACK_S)
    assert len(town.rerouted) == 1, "nobody knows"
    town.hello(0, 9.2 + BACK_S, group_bytes=FULL, unicast_bytes=FULL, token=1)
    town.reach.look(9.3 + BACK_S)
    assert town.rerouted[1:] == [(0, "")]
    assert town.reach.probes(99.0) == []


def test_occasional_multicast_does_not_end_copies() -> None:
    town = Town()
    gone_deaf(town)
    for now in (9.0, 11.0, 13.0):
        town.hello(0, now, group_bytes=FULL, unicast_bytes=FULL, token=1)
        town.hello(0, now + 1.0, group_bytes=0, unicast_bytes=FULL, token=1)
        town.reach.look(now + 1.5)
    town.reach.look(13.0 + BACK_S)
    assert len(town.rerouted) == 1


def test_replaced_process_is_not_waited_for() -> None:
    town = Town()
    town.hello(0, 0.0)
    town.roster.renew(found(town.roster, 0))
    town.reach.look(0.1)
    assert town.reach.is_settled
