"""Chains of relays: whole, hurt, lied to; and as long as a session may be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mrsync.protocol.core.states import RosterState
from tests.sim.drawing import draw_relays
from tests.sim.planted.fault import Fault
from tests.sim.planted.relays import RELAY_FAULTS
from tests.sim.relay_cases import CASES, DEAF, RelayCase
from tests.sim.scenario import Scenario
from tests.sim.simulation import Simulation
from tests.support.rotation import of_today

SEEDS = 5
SLEEPERS = 930104  # hosts that get the processor late, and whose buffers are small
LONG = 60  # the cost of a step grows with the targets; 1000 take minutes


@pytest.mark.parametrize("case", of_today(CASES), ids=lambda case: case.what)
def test_relay_scenario_keeps_every_promise(case: RelayCase) -> None:
    case.run()


@pytest.mark.parametrize("fault", of_today(RELAY_FAULTS), ids=lambda fault: fault.what)
def test_faults_of_relays_are_found(fault: Fault) -> None:
    case = next(case for case in CASES if case.what == fault.found_by)
    assert fault.is_found_in(case)


def test_a_long_chain_takes_little_longer_than_one_copy() -> None:
    scenario = CASES[0].scenario
    alone, chain = (_seconds(scenario, count) for count in (1, LONG))
    assert chain < 1.05 * alone + 1


@pytest.mark.parametrize("seed", [*range(905000, 905000 + SEEDS), SLEEPERS])
def test_drawn_relays(seed: int) -> None:
    Simulation(draw_relays(seed)).run()


def _seconds(scenario: Scenario, count: int) -> float:
    result = Simulation(replace(scenario, targets=(DEAF,) * count, file_bytes=scenario.file_bytes[:1])).run()
    assert set(result.states) == {RosterState.DONE}
    return result.cast_seconds
