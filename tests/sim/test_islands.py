"""Islands: whole, hurt, lied to, and none after all."""

from __future__ import annotations

import pytest

from tests.sim.drawing import draw_islands
from tests.sim.island_cases import CASES
from tests.sim.planted.fault import Fault
from tests.sim.planted.islands import ISLAND_FAULTS
from tests.sim.relay_cases import RelayCase
from tests.sim.simulation import Simulation
from tests.support.rotation import of_today

SEEDS = 4


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_islands(case: RelayCase) -> None:
    case.run()


@pytest.mark.parametrize("fault", of_today(ISLAND_FAULTS), ids=lambda fault: fault.what)
def test_checkers_find(fault: Fault) -> None:
    case = next(case for case in CASES if case.what == fault.found_by)
    assert fault.is_found_in(case)


@pytest.mark.parametrize("seed", range(908000, 908000 + SEEDS))
def test_drawn_islands(seed: int) -> None:
    Simulation(draw_islands(seed)).run()
