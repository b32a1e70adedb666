"""State tables: complete, final where they say so, and illegal everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from itertools import product
from typing import Any

import pytest

from mrsync.protocol.core.states import (
    CATCHERS,
    PHASES,
    TARGETS,
    CatcherState,
    CatcherTrigger,
    RosterState,
    TargetTrigger,
    Trigger,
    step,
)
from mrsync.wire.messages import Phase

Table = Mapping[Any, Mapping[Any, Any]]
TABLES: list[tuple[Table, type[Enum], type[Enum], Any]] = [
    (PHASES, Phase, Trigger, Phase.GATHERING),
    (TARGETS, RosterState, TargetTrigger, RosterState.EXPECTED),
    (CATCHERS, CatcherState, CatcherTrigger, CatcherState.SEEKING),
]


@pytest.mark.parametrize(("table", "states", "triggers", "start"), TABLES)
def test_every_step_is_in_the_table_or_illegal(
    table: Table, states: type[Enum], triggers: type[Enum], start: Any
) -> None:
    assert set(table) == set(states)
    for state, trigger in product(states, triggers):
        if trigger in table[state]:
            assert step(table, state, trigger) is table[state][trigger]
        else:
            with pytest.raises(RuntimeError, match="illegal"):
                step(table, state, trigger)


@pytest.mark.parametrize(("table", "states", "triggers", "start"), TABLES)
def test_every_state_is_reached_and_every_trigger_used(
    table: Table, states: type[Enum], triggers: type[Enum], start: Any
) -> None:
    reached, waiting = {start}, [start]
    while waiting:
        for state in table[waiting.pop()].values():
            if state not in reached:
                reached.add(state)
                waiting.append(state)
    assert reached == set(states)
    assert {trigger for steps in table.values() for trigger in steps} == set(triggers)


def test_phases_go_forward_except_for_the_second_round() -> None:
    back = [
        (before, trigger) for before, steps in PHASES.items() for trigger, after in steps.items() if after <= before
    ]
    assert back == [(Phase.CASTING, Trigger.CHANGED)]


def test_outcomes_are_final() -> None:
    final = {state for state, steps in TARGETS.items() if not steps}
    assert final == set(RosterState) - {RosterState.EXPECTED, RosterState.PRESENT}
