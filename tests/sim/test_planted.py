"""Every planted fault must be found; docs/testing.md tells which faults are not, and why that is no gap.

CI has time for half of them each day.
"""

from __future__ import annotations

import pytest

from tests.sim.cases import CASES
from tests.sim.flow_cases import FLOW_CASES
from tests.sim.load_cases import LOAD_CASES
from tests.sim.planted.commits import COMMIT_FAULTS
from tests.sim.planted.fault import Fault
from tests.sim.planted.flow import FLOW_FAULTS
from tests.sim.planted.pages import PAGE_FAULTS
from tests.sim.planted.paths import PATH_FAULTS
from tests.sim.planted.queues import QUEUE_FAULTS
from tests.sim.planted.targets import TARGET_FAULTS
from tests.support.rotation import of_today

FAULTS = (*PAGE_FAULTS, *COMMIT_FAULTS, *TARGET_FAULTS, *PATH_FAULTS, *FLOW_FAULTS, *QUEUE_FAULTS)


@pytest.mark.parametrize("fault", of_today(FAULTS), ids=lambda fault: fault.what)
def test_planted_fault_is_found(fault: Fault) -> None:
    case = next(case for case in (*CASES, *FLOW_CASES, *LOAD_CASES) if case.what == fault.found_by)
    assert fault.is_found_in(case)
