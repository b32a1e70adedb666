"""A target that lies with its own key: the others end as they would without it. Some of the seeds once failed."""

from __future__ import annotations

import pytest

from tests.sim.liars import Trial, scenario_of

FOUND = (57, 112, 495)  # other seals in a later hello; a result before the end, and then silence; as 57


@pytest.mark.parametrize("seed", [*FOUND, *range(20, 27)])
def test_others_get_what_they_would_get_without_it(seed: int) -> None:
    Trial(scenario_of(seed)).run()
