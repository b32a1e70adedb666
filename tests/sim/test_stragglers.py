"""One target that alone holds back all others, with and without --slow-target shed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mrsync.protocol.core.states import RosterState
from mrsync.protocol.targets.commit_decisions import CommitRule
from tests.sim.scenario import Scenario, TargetScenario
from tests.sim.simulation import Simulation
from tests.sim.test_crowds import GEOMETRY

PAGES = 700
SLOW_PAGES_S = 50.0


@pytest.mark.parametrize(("is_shedding", "soonest", "latest"), [(False, 9.0, 15.0), (True, 5.0, 8.0)])
def test_a_slow_disk_is_left_behind_if_that_is_asked_for(is_shedding: bool, soonest: float, latest: float) -> None:
    fast = TargetScenario(buffer_bytes=2 << 20)
    scenario = Scenario(
        seed=1,
        geometry=GEOMETRY,
        targets=(TargetScenario(buffer_bytes=2 << 20, disk_pages_s=SLOW_PAGES_S), fast, fast),
        file_bytes=(PAGES * GEOMETRY.page_bytes,),
        commit_rule=CommitRule.EACH,
        uplink_bytes_s=2e7,
        is_shedding=is_shedding,
    )
    simulation = Simulation(scenario)
    result = simulation.run()
    assert set(result.states) == {RosterState.DONE}
    fast_done = [simulation.oracle.hosts[index, 0].storage.committed_at[0] for index in (1, 2)]
    assert soonest < max(fast_done) < latest
    assert result.cast_seconds < 1.3 * PAGES / SLOW_PAGES_S


def test_only_the_relay_itself_is_left_behind() -> None:
    fast, pages = TargetScenario(buffer_bytes=2 << 20), PAGES // 6
    slow, deaf = replace(fast, port_bytes_s=4e5, port_queue_bytes=100_000), replace(fast, is_deaf=True)
    scenario = Scenario(
        seed=1,
        geometry=GEOMETRY,
        targets=(slow, fast, deaf, deaf),
        file_bytes=(pages * GEOMETRY.page_bytes,),
        commit_rule=CommitRule.EACH,
        uplink_bytes_s=2e7,
        is_shedding=True,
        has_relays=True,
        ack_wait_s=30.0,
    )
    simulation = Simulation(scenario)
    result = simulation.run()
    assert set(result.states) == {RosterState.DONE}
    done = [simulation.oracle.hosts[index, 0].storage.committed_at[0] for index in (1, 2, 3)]
    assert max(done) < 0.6 * result.cast_seconds


def test_a_slow_target_within_a_chain_is_left_behind_and_not_the_head_that_waits_for_it() -> None:
    deaf = TargetScenario(is_deaf=True)
    scenario = Scenario(
        seed=1,
        geometry=GEOMETRY,
        targets=(deaf, replace(deaf, disk_pages_s=30.0), deaf),
        file_bytes=(PAGES * GEOMETRY.page_bytes,),
        commit_rule=CommitRule.EACH,
        uplink_bytes_s=2e7,
        is_shedding=True,
        has_relays=True,
        ack_wait_s=15.0,
    )
    simulation = Simulation(scenario)
    result = simulation.run()
    assert set(result.states) == {RosterState.DONE}
    done = [simulation.oracle.hosts[index, 0].storage.committed_at[0] for index in (0, 2)]
    assert max(done) < 0.4 * result.cast_seconds
