"""Every planted fault must be found; docs/testing.md tells which faults are not, and why that is no gap."""

from __future__ import annotations

import pytest

from tests.sim.cases import CASES
from tests.sim.flow_cases import FLOW_CASES
from tests.sim.flow_planted import FLOW_FAULTS
from tests.sim.load_cases import LOAD_CASES
from tests.sim.load_planted import LOAD_FAULTS
from tests.sim.planted import FAULTS, Fault
from tests.sim.planted_shares import SHARE_FAULTS
from tests.sim.reception import Violation


@pytest.mark.parametrize("fault", [*FAULTS, *FLOW_FAULTS, *SHARE_FAULTS, *LOAD_FAULTS], ids=lambda fault: fault.what)
def test_checkers_find(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.plant(monkeypatch)
    case = next(case for case in (*CASES, *FLOW_CASES, *LOAD_CASES) if case.what == fault.found_by)
    with pytest.raises(Violation):
        case.run()
