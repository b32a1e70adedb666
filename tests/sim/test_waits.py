"""The commit rules: when the good ones get their files while one of them is slow."""

from __future__ import annotations

from mrsync.protocol.core.states import RosterState
from mrsync.protocol.targets.commit_decisions import CommitRule
from tests.sim.case import GEOMETRY, GOOD, fated
from tests.sim.scenario import Fate, Scenario
from tests.sim.simulation import Simulation

CUT_AT_S, CUT_S = 0.4, 2.0


def commit_times(rule: CommitRule) -> tuple[list[float], list[float]]:
    """When a good target and one that is cut off for a while put their files in place."""
    scenario = Scenario(
        seed=1,
        geometry=GEOMETRY,
        targets=(GOOD, fated(Fate.CUT, CUT_AT_S, CUT_S)),
        file_bytes=(GEOMETRY.page_bytes,) * 200,
        rate_bytes_s=2e7,
        commit_rule=rule,
    )
    simulation = Simulation(scenario)
    assert simulation.run().states == (RosterState.DONE, RosterState.DONE)
    good, cut = (list(simulation.oracle.hosts[index, 0].storage.committed_at.values()) for index in (0, 1))
    assert len(good) == len(cut) == 200
    return good, cut


def test_commit_each_does_not_wait_for_others() -> None:
    good, cut = commit_times(CommitRule.EACH)
    assert max(good) < CUT_AT_S + CUT_S < max(cut)


def test_by_the_rule_file_all_wait_for_the_slowest_file_by_file() -> None:
    good, _ = commit_times(CommitRule.FILE)
    assert min(good) < CUT_AT_S < CUT_AT_S + CUT_S < max(good)


def test_by_the_rule_end_all_wait_for_all() -> None:
    good, cut = commit_times(CommitRule.END)
    assert min(good) > CUT_AT_S + CUT_S
    assert max(good) - min(good) < 0.02
    assert max(cut) - min(good) < 0.1


def test_by_the_rule_job_all_wait_for_all() -> None:
    good, cut = commit_times(CommitRule.JOB)
    assert min(good) > CUT_AT_S + CUT_S
    assert max(good) - min(good) < 0.02  # the flip
    assert max(cut) - min(good) < 0.1
