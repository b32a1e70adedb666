"""Case: a scenario by hand, with the outcome and the time that it must have."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mrsync.protocol.core.states import RosterState
from mrsync.wire.geometry import Geometry, Step
from mrsync.wire.messages import Phase
from tests.sim.reception import Violation
from tests.sim.scenario import PACKET_ROOM_BYTES, Fate, Scenario, TargetScenario
from tests.sim.simulation import Result, Simulation

DONE, LOST, UNREACHABLE, REFUSED = (
    RosterState.DONE,
    RosterState.LOST,
    RosterState.UNREACHABLE,
    RosterState.REFUSED,
)
GEOMETRY = Geometry(1432, 44)
SMALL = Geometry(200, 4)
GOOD = TargetScenario()
LOSSY = TargetScenario(loss=0.05, report_loss=0.05)
SLOW_TO_COMPARE = TargetScenario(compare_s=4.0)
ALL_HELD = TargetScenario(held_share=1.0, holds_beginning=True)
HALF_HELD = replace(ALL_HELD, held_share=0.5)
OVERHEAD = 17  # packets of manifest and plan
ACK_WAIT_S = 6.0
SMALLER = tuple(Step(size + 28, size, Geometry(size - PACKET_ROOM_BYTES, 44)) for size in (1100, 900, 300))


@dataclass(frozen=True)
class Case:
    """What must come of a scenario; seconds_max is virtual time until the last process has ended."""

    what: str
    scenario: Scenario
    states: tuple[RosterState, ...]
    seconds_max: float
    phase: Phase = Phase.DONE
    repaired_max: int | None = None  # packets
    first_max: int | None = None  # packets, those of manifest and plan among them
    cast_s_max: float | None = None  # until the caster has finished, where catchers notice later
    rival_share_min: float = 0.0  # of the switch

    def seeded(self, seed: int) -> Case:
        """The case with another seed."""
        return replace(self, scenario=replace(self.scenario, seed=seed))

    def run(self) -> Result:
        """Violation if it ends otherwise."""
        result = Simulation(self.scenario, self.seconds_max).run()
        if (result.states, result.phase) != (self.states, self.phase):
            raise Violation(f"{self.what}: {result.phase!r} with {result.states}")
        if result.seconds > self.seconds_max:
            raise Violation(f"{self.what}: took {result.seconds:.3f} s")
        if self.cast_s_max is not None and result.cast_seconds > self.cast_s_max:
            raise Violation(f"{self.what}: the caster took {result.cast_seconds:.3f} s")
        if self.repaired_max is not None and result.packets_repaired > self.repaired_max:
            raise Violation(f"{self.what}: {result.packets_repaired} packets were sent again")
        if result.rival_share < self.rival_share_min:
            raise Violation(f"{self.what}: only {result.rival_share:.0%} were left to another sender")
        if self.first_max is not None and result.packets_first > self.first_max:
            raise Violation(f"{self.what}: {result.packets_first} packets were sent for the first time")
        return result


def case(
    what: str,
    targets: tuple[TargetScenario, ...],
    states: tuple[RosterState, ...],
    seconds_max: float,
    phase: Phase = Phase.DONE,
    repaired_max: int | None = None,
    first_max: int | None = None,
    cast_s_max: float | None = None,
    rival_share_min: float = 0.0,
    **details: object,
) -> Case:
    """A case with 50 pages of contents in five files, unless told otherwise."""
    plain = Scenario(seed=1, geometry=GEOMETRY, targets=targets, file_bytes=(10 * GEOMETRY.page_bytes,) * 5)
    scenario = replace(plain, **details)  # type: ignore[arg-type]
    return Case(what, scenario, states, seconds_max, phase, repaired_max, first_max, cast_s_max, rival_share_min)


def fated(fate: Fate, at_s: float, absence_s: float = 1.0, target: TargetScenario = GOOD) -> TargetScenario:
    return replace(target, fate=fate, fate_at_s=at_s, absence_s=absence_s)
