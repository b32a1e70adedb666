"""Many seeds, each a run of both cores on a virtual clock; `python -m tests.sim --seeds 20000` runs more of them."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from mrsync.protocol.core.states import RosterState
from tests.sim.drawing import draw
from tests.sim.scenario import Fate
from tests.sim.simulation import Result, Simulation
from tests.sim.trace import HashedTrace, Record, untraced

SEEDS = 500 if os.environ.get("MRSYNC_ALL_SEEDS") else 20  # CI has no time for more
SEEDS_PER_TEST = 20
DRAWN = 500  # without a run


def run(seed: int, record: Record = untraced) -> Result:
    print(f"seed {seed}: python -m tests.sim --first {seed} --seeds 1")
    return Simulation(draw(seed), record=record).run()


def digest(seed: int) -> str:
    trace = HashedTrace()
    run(seed, trace.record)
    return trace.digest


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_cores_keep_their_word(first: int) -> None:
    results = [run(seed) for seed in range(first, first + SEEDS_PER_TEST)]
    assert sum(result.packets_lost for result in results) > 0
    states = Counter(state for result in results for state in result.states)
    assert states[RosterState.DONE] > SEEDS_PER_TEST


def test_seeds_draw_every_fate() -> None:
    fates = Counter(target.fate for seed in range(DRAWN) for target in draw(seed).targets)
    assert min(fates[fate] for fate in Fate) > DRAWN // 50


def test_same_seed_same_trace() -> None:
    once, again = ([digest(seed) for seed in (3, 17, 157)] for _ in range(2))
    assert once == again
    assert len(set(once)) == len(once), "other seeds, other traces"
