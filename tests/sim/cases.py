"""Cases: scenarios by hand, with the outcome and the time that each must have.

What a seed found is kept here, and not as a seed: a seed means another scenario as soon as one more thing is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mrsync.protocol.core.states import RosterState
from mrsync.protocol.targets.commit_decisions import CommitRule
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


CASES = (
    case("nothing to do", (GOOD,) * 4, (DONE,) * 4, 0.25, file_bytes=()),
    case("a small sync", (GOOD,) * 4, (DONE,) * 4, 0.26),
    case("loss", (LOSSY,) * 4, (DONE,) * 4, 0.4),
    case("nobody comes", (fated(Fate.ABSENT, 0),), (UNREACHABLE,), 6.2, Phase.ABORTED),
    case("one does not come", (fated(Fate.ABSENT, 0), GOOD), (UNREACHABLE, DONE), 6.3),
    case("one comes late, but not too late", (fated(Fate.LATE, 3.0), GOOD), (DONE, DONE), 3.3),
    case(
        "one comes during the comparison",
        (fated(Fate.LATE, 7.0), replace(GOOD, compare_s=4.0)),
        (DONE, DONE),
        10.3,
    ),
    case("one comes too late", (fated(Fate.LATE, 7.0), GOOD), (UNREACHABLE, DONE), 6.3),
    case("one dies while it compares", (fated(Fate.DEAD, 1.0, target=SLOW_TO_COMPARE), GOOD), (LOST, DONE), 7.5),
    case(
        "one starts again before the plan is made",
        (fated(Fate.RESTARTED, 0.4, 2.5, target=replace(GOOD, need_share=0.5)), replace(GOOD, compare_s=5.0)),
        (DONE, DONE),
        5.4,
        seed=4,
    ),
    case(
        "one starts again while its number is taken",
        (fated(Fate.RESTARTED, 0.1, 0.5), replace(GOOD, compare_s=5.0)),
        (LOST, DONE),
        6.6,
    ),
    case(
        "one is isolated while contents are cast to the others",
        (fated(Fate.ISOLATED, 0.4, target=LOSSY), LOSSY, LOSSY),
        (LOST, DONE, DONE),
        12.9,
        cast_s_max=7.0,  # a check at 0.6 finds that it waits for a repair; it has 6 s from then on, and the next check
        rate_bytes_s=1e7,
    ),
    case("one goes mute", (fated(Fate.MUTE, 0.4, target=LOSSY), GOOD), (LOST, DONE), 6.9, rate_bytes_s=1e7),
    case("one is cut off for a while", (fated(Fate.CUT, 0.4, 2.0), GOOD), (DONE, DONE), 2.9, rate_bytes_s=1e7),
    case(
        "one hangs, and the others go on",
        (fated(Fate.HUNG, 0.3), LOSSY, LOSSY),
        (LOST, DONE, DONE),
        6.9,
        rate_bytes_s=1e7,
        seed=3,
    ),
    case(
        "one of many is bad, and that ends it",
        (fated(Fate.DEAD, 0.3), GOOD),
        (LOST, LOST),
        6.6,
        Phase.ABORTED,
        quit_on_bad=True,
        rate_bytes_s=1e7,
    ),
    case(
        "a death is noticed",
        (fated(Fate.DEAD, 0.4), GOOD),
        (LOST, DONE),
        0.6,
        are_deaths_noticed=True,
        rate_bytes_s=1e7,
    ),
    case("the user has enough", (GOOD, GOOD), (LOST, LOST), 0.45, Phase.ABORTED, abort_at_s=0.35, rate_bytes_s=1e7),
    case(
        "one is isolated, and the others do not wait for it",
        (fated(Fate.ISOLATED, 0.4, target=LOSSY), LOSSY, LOSSY),
        (LOST, DONE, DONE),
        12.9,
        cast_s_max=9.3,
        rate_bytes_s=1e7,
        file_bytes=(1300 * GEOMETRY.page_bytes,),
    ),
    case(
        "one hangs, and the others get their repairs all the same",
        (fated(Fate.HUNG, 0.3), LOSSY, LOSSY),
        (LOST, DONE, DONE),
        9.0,
        rate_bytes_s=2e7,
        file_bytes=(500 * GEOMETRY.page_bytes,),
    ),
    case(
        "a death is noticed before its losses are repaired",
        (fated(Fate.DEAD, 0.4, target=LOSSY), GOOD, GOOD),
        (LOST, DONE, DONE),
        0.7,
        are_deaths_noticed=True,
        rate_bytes_s=1e7,
    ),
    case("strangers invent packets", (LOSSY,) * 3, (DONE,) * 3, 1.0, seed=5, forgeries_s=2000.0),
    case(
        "strangers repeat what a dead one said",
        (fated(Fate.DEAD, 0.4), GOOD),
        (LOST, DONE),
        7.0,
        forgeries_s=500.0,
        rate_bytes_s=1e7,
    ),
    case(
        "they need different files, so that they cannot decode for each other",
        (replace(LOSSY, need_share=0.5),) * 4,
        (DONE,) * 4,
        0.7,
        file_bytes=(GEOMETRY.page_bytes * 4,) * 50,
        seed=9,
    ),
    case("bursts take their time", (LOSSY,) * 4, (DONE,) * 4, 2.0, seed=4, has_halves=True, uplink_bytes_s=1e7),
    case(
        "more pages need repair than the caster keeps sealed",
        (replace(LOSSY, loss=0.1, buffer_bytes=425984),) * 3,
        (DONE,) * 3,
        6.0,
        cached_pages=200,
        file_bytes=(300 * GEOMETRY.page_bytes,),
    ),
    case(
        "one came late to a session that quits on a bad target",
        (fated(Fate.LATE, 1.0), GOOD),
        (DONE, DONE),
        1.3,
        quit_on_bad=True,
    ),
    case("packets are spoilt", (replace(LOSSY, corruption=0.01),) * 3, (DONE,) * 3, 1.0),
    case(
        "packets overtake each other",
        (replace(GOOD, jitter_share=0.3, jitter_s=0.003),) * 3,
        (DONE,) * 3,
        1.5,
        repaired_max=40,
        file_bytes=(200 * GEOMETRY.page_bytes,),
        rate_bytes_s=2e7,
    ),
    case(
        "strangers repeat what a dead caster said",
        (GOOD, GOOD),
        (RosterState.PRESENT,) * 2,
        13.0,
        Phase.CASTING,
        caster_dies_at_s=0.4,
        forgeries_s=500.0,
        rate_bytes_s=1e7,
    ),
    case(
        "files are sat out",
        (replace(LOSSY, sit_out_share=0.2, loss=0.2),) * 4,
        (DONE,) * 4,
        1.0,
        file_bytes=(GEOMETRY.page_bytes,) * 100,
        seed=5,
    ),
    case("all of it was here before", (ALL_HELD,) * 4, (DONE,) * 4, 0.3, first_max=OVERHEAD),
    case("half of it was here before", (HALF_HELD,) * 4, (DONE,) * 4, 0.4, first_max=OVERHEAD + 26 * GEOMETRY.packets),
    case("all of it was here before, but for one", (ALL_HELD, ALL_HELD, LOSSY), (DONE,) * 3, 0.4),
    case("here and there a page was here before", (replace(LOSSY, held_share=0.5),) * 4, (DONE,) * 4, 0.6),
    case(
        "one that lacks what the others have dies",
        (fated(Fate.DEAD, 0.4), ALL_HELD, HALF_HELD),
        (LOST, DONE, DONE),
        1.3,
        first_max=OVERHEAD + 155 * GEOMETRY.packets,
        are_deaths_noticed=True,
        rate_bytes_s=1e7,
        file_bytes=(20 * GEOMETRY.page_bytes,) * 10,
    ),
    case(
        "the only one that lacks anything dies",
        (fated(Fate.DEAD, 0.4), ALL_HELD),
        (LOST, DONE),
        0.7,
        first_max=OVERHEAD + 80 * GEOMETRY.packets,
        are_deaths_noticed=True,
        rate_bytes_s=1e7,
        file_bytes=(20 * GEOMETRY.page_bytes,) * 10,
    ),
    case(
        "more is to be said of what is wanted than one report holds",
        (replace(LOSSY, held_share=0.5), ALL_HELD),
        (DONE, DONE),
        0.8,
        geometry=SMALL,
        file_bytes=(3000 * SMALL.page_bytes,),
    ),
    case(
        "answers of the caster are lost",
        (replace(GOOD, loss=0.3, need_share=0.5),) * 2,
        (DONE,) * 2,
        1.5,
        file_bytes=(10,) * 20000,
    ),
    case(
        "each for itself: files are sat out and found changed, some only when a repair reads them again",
        (replace(LOSSY, sit_out_share=0.2, loss=0.02), GOOD, replace(GOOD, disk_pages_s=300.0)),
        (DONE,) * 3,
        4.0,
        file_bytes=(GEOMETRY.page_bytes,) * 300,
        commit_rule=CommitRule.EACH,
        cached_pages=40,
        late_void_share=0.5,
        void_share=0.05,
        seed=1,
    ),
    case(
        "all or nothing: all",
        (LOSSY,) * 4,
        (DONE,) * 4,
        0.6,
        file_bytes=(GEOMETRY.page_bytes,) * 100,
        commit_rule=CommitRule.JOB,
    ),
    case(
        "all or nothing: one sits a file out",
        (replace(LOSSY, sit_out_share=0.2), LOSSY),
        (DONE, DONE),
        0.6,
        file_bytes=(GEOMETRY.page_bytes,) * 100,
        commit_rule=CommitRule.JOB,
    ),
    case(
        "all or nothing: one dies",
        (fated(Fate.DEAD, 0.4), LOSSY, GOOD),
        (LOST, DONE, DONE),
        7.0,
        rate_bytes_s=1e7,
        commit_rule=CommitRule.JOB,
    ),
    case(
        "all or nothing: one never comes",
        (fated(Fate.ABSENT, 0), GOOD),
        (UNREACHABLE, DONE),
        6.3,
        commit_rule=CommitRule.JOB,
    ),
    case(
        "all or nothing: a file changes",
        (LOSSY, GOOD),
        (DONE, DONE),
        0.6,
        void_share=1.0,
        commit_rule=CommitRule.JOB,
    ),
    case(
        "files change while they are cast, some of them twice, and some vanish",
        (LOSSY, LOSSY, replace(LOSSY, need_share=0.5, sit_out_share=0.1)),
        (DONE,) * 3,
        1.5,
        file_bytes=(GEOMETRY.page_bytes,) * 100,
        void_share=0.3,
        vanish_share=0.2,
    ),
    case(
        "one dies while changed files are cast once more",
        (LOSSY, fated(Fate.DEAD, 0.9), GOOD),
        (DONE, LOST, DONE),
        9.0,
        file_bytes=(GEOMETRY.page_bytes,) * 100,
        void_share=0.5,
        rate_bytes_s=1e7,
    ),
    case(
        "all or nothing: a file changes, and is cast once more",
        (LOSSY, GOOD),
        (DONE, DONE),
        1.0,
        file_bytes=(GEOMETRY.page_bytes,) * 20,
        void_share=0.1,
        commit_rule=CommitRule.JOB,
    ),
    case(
        "all or nothing: a file vanishes",
        (LOSSY, GOOD),
        (DONE, DONE),
        1.0,
        file_bytes=(GEOMETRY.page_bytes,) * 20,
        void_share=0.1,
        vanish_share=0.5,
        commit_rule=CommitRule.JOB,
    ),
    case("one does not hear the group", (fated(Fate.DEAF, 0), GOOD, LOSSY), (DONE,) * 3, 1.5),
    case(
        "one goes deaf, and gets the rest by unicast",
        (fated(Fate.DEAF, 0.4, target=LOSSY), GOOD, GOOD),
        (DONE,) * 3,
        6.5,
        rate_bytes_s=1e7,
        file_bytes=(200 * GEOMETRY.page_bytes,),
    ),
    case(
        "a switch forgets everyone",
        (fated(Fate.PRUNED, 0.4),) * 3,
        (DONE,) * 3,
        3.0,
        rate_bytes_s=1e7,
        file_bytes=(100 * GEOMETRY.page_bytes,),
    ),
    case("no multicast at all", (LOSSY,) * 4, (DONE,) * 4, 1.0, is_unicast=True),
    case(
        "one path carries small packets only",
        (replace(LOSSY, path_bytes=900), GOOD, fated(Fate.DEAF, 0)),
        (DONE,) * 3,
        2.0,
        smaller=SMALLER,
    ),
    case(
        "one path carries nothing",
        (replace(GOOD, path_bytes=200), LOSSY),
        (REFUSED, DONE),
        1.5,
        smaller=SMALLER,
        seed=8,
    ),
    case(
        "strangers steal hellos of the deaf",
        (fated(Fate.DEAF, 0, target=LOSSY), fated(Fate.DEAF, 0.4, target=LOSSY), GOOD),
        (DONE,) * 3,
        12.0,
        seed=2,
        forgeries_s=1000.0,
        rate_bytes_s=1e7,
    ),
    case(
        "nobody clocks the caster, which is too fast for one",
        (replace(GOOD, packets_s=3000.0, buffer_bytes=425984), LOSSY, GOOD),
        (DONE,) * 3,
        4.0,
        has_monitor=False,
        rate_bytes_s=1e7,
        file_bytes=(100 * GEOMETRY.page_bytes,),
    ),
)
