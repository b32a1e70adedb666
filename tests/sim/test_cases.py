"""Scenarios by hand: who ends how, and how soon."""

from __future__ import annotations

import pytest

from tests.sim.case import Case
from tests.sim.cases import CASES
from tests.sim.flow_cases import FLOW_CASES
from tests.sim.load_cases import LOAD_CASES
from tests.support.rotation import of_today


@pytest.mark.parametrize("case", of_today([*CASES, *FLOW_CASES, *LOAD_CASES]), ids=lambda case: case.what)
def test_scenario_keeps_every_promise(case: Case) -> None:
    case.run()
