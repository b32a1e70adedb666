from __future__ import annotations

from typing import Any

from mrsync.protocol.core.lateness import Lateness
from mrsync.protocol.targets.chains.chains import RelayRules
from mrsync.protocol.targets.chains.link_failures import BARRED_S
from mrsync.protocol.targets.chains.link_watch import DOUBT_S, TRIAL_S
from mrsync.protocol.targets.chains.neighbourhood import Endpoint
from mrsync.protocol.targets.chains.relays import Relays
from mrsync.protocol.targets.path import Via
from mrsync.protocol.targets.reach import DEAF_S, Reach
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.messages import Assign, Feeding, Hop
from tests.unit.protocol.builders import STEPS, found, hello, report

NOW = DEAF_S + 0.1
SLACK_S = 0.1


class Chains:
    """Targets 0, 1, ... in the order of their addresses, the first `hearers` of which hear the group."""

    def __init__(
        self,
        count: int,
        hearers: int = 0,
        chains: int = 1,
        networks: dict[int, int] | None = None,
        island: Endpoint | None = None,
        near: frozenset[int] = frozenset(),
    ) -> None:
        networks = networks or {}
        self.told: dict[int, Assign] = {}
        self.rerouted: list[int] = []
        self.roster = Roster({number: f"n{number}" for number in range(count)})
        reach = Reach(self.roster, STEPS, 60.0, is_unicast_only=False, on_rerouted=lambda target: None)
        for number in range(count):
            target = found(self.roster, number)
            group_bytes = STEPS[0].datagram_bytes if number < hearers else 0
            self.roster.admit(target, hello(number, group_bytes=group_bytes), number, 0.0)
            for counter, token in ((1, 0), (2, 1)) if number >= hearers else ((1, 0),):
                reach.receive_hello(
                    target, hello(number, counter=counter, group_bytes=group_bytes, token=token), number, 0.0
                )
        reach.look(NOW)

        def locate(number: int) -> Endpoint:
            return (networks.get(number, 0) << 64 | number).to_bytes(16, "big"), 7

        rules = RelayRules(locate, chains, island, near)
        self.relays = Relays(
            self.roster, reach, rules, Lateness(), lambda target: self.rerouted.append(target.id), self._say
        )
        self._counters = dict.fromkeys(range(count), 0)

    def _say(self, assign: Assign, address: Any) -> None:
        assert address == assign.target
        self.told[assign.target] = assign

    def hop(self, target: int, feeding: Feeding, now: float = NOW, number: int | None = None) -> None:
        self._counters[target] += 1
        number = self.told[target].number if number is None else number
        said = Hop(target, 100 + target, self._counters[target], number, feeding, 0, 0, 0, 0)
        self.relays.receive_hop(said, target, now)

    def answer(self, *targets: int, now: float) -> None:
        """These have heard something new."""
        for target in targets:
            found(self.roster, target).flow.answered_at = now

    def ways(self) -> list[Via]:
        return [target.path.via for target in self.roster]

    def chain_ids(self) -> list[list[int]]:
        return [[target.id for target in chain] for chain in self.relays.chains]

    def fed(self) -> Chains:
        """All links work."""
        self.relays.is_settled(NOW)
        for target in list(self.told):
            self.hop(target, Feeding.UNFED)
        for target in list(self.told):
            if self.told[target].parent is not None:
                self.hop(target, Feeding.FED)
        return self


def test_without_multicast_targets_form_a_chain() -> None:
    chains = Chains(4)
    assert not chains.relays.is_settled(NOW)
    peers = {
        target: (told.parent and told.parent.target, told.child and told.child.target)
        for target, told in chains.told.items()
    }
    assert peers == {0: (None, 1), 1: (0, 2), 2: (1, 3), 3: (2, None)}
    assert chains.ways() == [Via.CASTER] * 4


def test_both_ends_of_a_link_know_its_number() -> None:
    chains = Chains(3)
    chains.relays.is_settled(NOW)
    first, second = chains.told[0].child, chains.told[1].parent
    assert first is not None
    assert second is not None
    assert first.link == second.link


def test_a_link_counts_once_its_child_reports_pages() -> None:
    chains = Chains(3).fed()
    assert chains.ways() == [Via.CASTER, Via.RELAY, Via.RELAY]
    assert chains.rerouted == [1, 2]
    assert chains.roster.audience.copies == 1
    assert chains.relays.is_settled(NOW)


def test_reports_about_an_older_assignment_do_not_count() -> None:
    chains = Chains(2)
    chains.relays.is_settled(NOW)
    chains.hop(1, Feeding.FED, number=chains.told[1].number - 1)
    assert chains.ways() == [Via.CASTER] * 2


def test_targets_with_multicast_relay_to_those_without() -> None:
    chains = Chains(5, hearers=2)
    assert not chains.relays.is_settled(NOW)
    assert {target: told.child for target, told in chains.told.items()} == {0: None, 1: None}
    for target in (0, 1):
        chains.hop(target, Feeding.UNFED)
    chains.relays.is_settled(NOW)
    assert sorted(map(len, chains.chain_ids())) == [2, 3]
    assert {chain[0] for chain in chains.chain_ids()} == {0, 1}


def test_a_border_between_networks_is_crossed_once() -> None:
    chains = Chains(5, hearers=2, networks={3: 1, 4: 1})
    chains.relays.is_settled(NOW)
    for target in (0, 1):
        chains.hop(target, Feeding.UNFED)
    chains.relays.is_settled(NOW)
    assert sorted(chains.chain_ids()) == [[0, 2], [1, 3, 4]]


def test_several_chains_where_they_are_asked_for() -> None:
    chains = Chains(5, chains=2)
    chains.relays.is_settled(NOW)
    assert chains.chain_ids() == [[0, 1], [2, 3, 4]]


def test_targets_that_do_not_reach_each_other_are_served_by_the_caster() -> None:
    chains = Chains(3)
    chains.relays.is_settled(NOW)
    now = NOW + TRIAL_S + SLACK_S
    chains.relays.tend(None, now)
    now += DOUBT_S + SLACK_S
    chains.answer(0, 1, 2, now=now)
    chains.relays.tend(None, now)
    assert chains.ways() == [Via.CASTER] * 3
    assert set(chains.relays.absentees.barred) == {1, 2}
    assert chains.relays.is_settled(now)


def test_failed_relay_is_tried_again_later() -> None:
    chains = Chains(2)
    chains.relays.is_settled(NOW)
    now = NOW + TRIAL_S + SLACK_S
    chains.relays.tend(None, now)
    chains.answer(0, 1, now=now + DOUBT_S + SLACK_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert 1 in chains.relays.absentees.barred
    chains.relays.tend(None, now + 2 * BARRED_S)
    assert chains.chain_ids() == [[0, 1]]


def test_a_relay_that_does_not_answer_is_left_out_and_its_child_gets_another_parent() -> None:
    chains = Chains(4).fed()
    now = NOW + 5
    chains.hop(2, Feeding.STARVED, now)
    assert chains.ways()[2] is Via.NOBODY
    chains.answer(0, 2, 3, now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[0, 2, 3]]
    parent = chains.told[2].parent
    assert parent is not None
    assert parent.target == 0
    assert chains.ways() == [Via.CASTER, Via.NOBODY, Via.NOBODY, Via.RELAY]


def test_those_before_a_relay_that_is_gone_are_asked_as_well() -> None:
    """A rack that loses its power takes neighbours in a chain with it."""
    chains = Chains(6).fed()
    now = NOW + 5
    chains.answer(0, 1, now=now)
    number = chains.told[4].number
    chains.told.clear()
    chains.hop(4, Feeding.STARVED, now, number)
    assert set(chains.told) == {2, 3, 4}
    chains.answer(0, 1, 4, 5, now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[0, 1, 4, 5]]


def test_a_target_that_was_asked_with_others_and_answers_stays() -> None:
    chains = Chains(5).fed()
    now = NOW + 5
    chains.hop(4, Feeding.STARVED, now)
    chains.answer(0, 1, 2, 4, now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[0, 1, 2, 4]]


def test_if_both_ends_are_silent_the_end_heard_last_stays() -> None:
    """Statuses to it may be late: it says that it is starved."""
    chains = Chains(4).fed()
    now = NOW + 5
    chains.hop(2, Feeding.STARVED, now)
    chains.answer(0, 3, now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[0, 2, 3]]


def test_a_target_that_was_left_out_comes_back_at_the_end() -> None:
    chains = Chains(3).fed()
    now = NOW + 5
    chains.hop(2, Feeding.STARVED, now)
    chains.answer(0, 2, now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    chains.answer(1, now=now + 2)
    chains.relays.tend(None, now + 2)
    assert chains.chain_ids() == [[0, 2, 1]]


def test_a_relay_that_answers_and_does_not_feed_is_put_to_the_end() -> None:
    chains = Chains(4).fed()
    now = NOW + 5
    chains.hop(2, Feeding.STARVED, now)
    chains.answer(0, 1, 2, 3, now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[0, 2, 3, 1]]


def test_two_that_do_not_feed_each_other_do_not_change_places_for_ever() -> None:
    chains = Chains(4).fed()
    now, orders = NOW, []
    for child in (2, 3, 2):
        now += 1
        chains.hop(child, Feeding.STARVED, now)
        chains.answer(0, 1, 2, 3, now=now + DOUBT_S)
        chains.relays.tend(None, now + DOUBT_S + SLACK_S)
        orders.append(chains.chain_ids())
        for target in (0, 1, 2, 3):
            chains.hop(target, Feeding.FED, now + DOUBT_S + SLACK_S)
    assert orders == [[[0, 2, 3, 1]], [[0, 3, 1, 2]], [[0, 3, 1]]]
    assert chains.ways()[2] is Via.CASTER


def one_cannot_write() -> tuple[Chains, Target, float]:
    """Return a chain of four that has left its third out, as it had pages to write and wrote none; it, and the time."""
    chains = Chains(4).fed()
    third = found(chains.roster, 2)
    third.report = report(2, queue_pages=3, activity=7)
    chains.relays.tend(None, NOW + 1)
    now = NOW + 5
    chains.hop(2, Feeding.STARVED, now)
    chains.answer(0, 1, 2, 3, now=now + DOUBT_S)
    chains.relays.tend(None, now + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[0, 1, 3]]
    return chains, third, now


def test_a_target_that_cannot_write_gets_nothing_until_it_does_and_its_parent_is_not_to_blame() -> None:
    chains, hung, now = one_cannot_write()
    assert chains.ways() == [Via.CASTER, Via.RELAY, Via.NOBODY, Via.NOBODY]
    chains.relays.tend(None, now + 1)
    assert chains.chain_ids() == [[0, 1, 3]]
    hung.report = report(2, counter=2, activity=8)
    chains.relays.tend(None, now + 2)
    assert chains.chain_ids() == [[0, 1, 3, 2]]


def test_a_target_that_rejects_all_that_it_had_to_write_is_fed_again() -> None:
    """Pages without a digest wait in its queue, and leave it without any activity: a relay may have forged them."""
    chains, deceived, now = one_cannot_write()
    deceived.report = report(2, counter=2, activity=7)
    chains.relays.tend(None, now + 1)
    assert chains.chain_ids() == [[0, 1, 3, 2]]


def test_a_relay_whose_children_one_after_the_other_cannot_write_is_put_to_the_end() -> None:
    """It sends them pages that get no digest. Once, the disk of a child may be to blame."""
    chains, deceived, now = one_cannot_write()
    deceived.report = report(2, counter=2, activity=7)
    chains.relays.tend(None, now + 1)
    for target in (0, 1, 3):
        chains.hop(target, Feeding.UNFED, now + 1)
    chains.hop(3, Feeding.FED, now + 1)
    found(chains.roster, 3).report = report(3, queue_pages=3)
    chains.relays.tend(None, now + 2)
    chains.hop(3, Feeding.STARVED, now + 4)
    chains.answer(0, 1, 2, 3, now=now + 4 + DOUBT_S)
    chains.relays.tend(None, now + 4 + DOUBT_S + SLACK_S)
    assert chains.chain_ids() == [[0, 2, 1]]


def test_a_target_that_writes_what_the_caster_sends_is_not_stuck_if_its_parent_cannot_feed_it() -> None:
    chains = Chains(2)
    chains.relays.is_settled(NOW)
    for target in (0, 1):
        chains.hop(target, Feeding.UNFED)
    for turn in range(1, 30):
        now = NOW + turn / 10
        found(chains.roster, 1).report = report(1, counter=turn, queue_pages=3, activity=turn)
        chains.answer(0, 1, now=now)
        chains.relays.tend(None, now)
        assert chains.ways()[1] is Via.CASTER
    assert set(chains.relays.absentees.barred) == {1}


def test_an_alarm_that_was_none_changes_nothing() -> None:
    chains = Chains(3).fed()
    chains.hop(2, Feeding.STARVED, NOW + 5)
    chains.hop(2, Feeding.FED, NOW + 5.1)
    chains.relays.tend(None, NOW + 6)
    assert chains.chain_ids() == [[0, 1, 2]]
    assert chains.ways() == [Via.CASTER, Via.RELAY, Via.RELAY]


def test_a_lost_target_leaves_its_chain_at_once() -> None:
    chains = Chains(3).fed()
    target = found(chains.roster, 1)
    chains.relays.forget(target, NOW)
    assert chains.chain_ids() == [[0, 2]]


def test_an_assignment_is_repeated_until_it_is_confirmed() -> None:
    chains = Chains(2)
    chains.relays.is_settled(NOW)
    chains.told.clear()
    chains.relays.tend(None, NOW + 0.2)
    assert set(chains.told) == {0, 1}
    chains.hop(0, Feeding.UNFED)
    chains.hop(1, Feeding.FED)
    chains.told.clear()
    chains.relays.tend(None, NOW + 0.4)
    assert chains.told == {}


def test_without_relay_rules_there_are_no_assignments() -> None:
    chains = Chains(2)
    relays = Relays(chains.roster, chains.relays._reach, None, Lateness(), lambda target: None, chains._say)
    assert relays.is_settled(NOW)
    relays.tend(None, NOW)
    assert chains.told == {}


def test_reports_of_fed_targets_claim_nothing() -> None:
    chains = Chains(2).fed()
    target = found(chains.roster, 1)
    target.receive_report(report(1, counter=9, tx_seen=5), 1, NOW)
    assert target.flow not in chains.roster.audience.flows
