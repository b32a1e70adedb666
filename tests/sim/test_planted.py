"""Every planted fault must be found; docs/testing.md tells which faults are not, and why that is no gap."""

from __future__ import annotations

import pytest

from tests.sim.cases import CASES
from tests.sim.planted import FAULTS, Fault
from tests.sim.reception import Violation
from tests.sim.scenario import draw
from tests.sim.simulation import Simulation


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_checkers_find(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.plant(monkeypatch)
    with pytest.raises(Violation):
        run(fault.found_by)


def run(found_by: str | int) -> None:
    if isinstance(found_by, int):
        Simulation(draw(found_by)).run()
    else:
        next(case for case in CASES if case.what == found_by).run()
