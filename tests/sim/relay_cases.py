"""Cases of sessions whose pages pass through targets: what comes of them, and how many copies leave the caster."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from mrsync.protocol.core.states import RosterState
from mrsync.protocol.targets.commit_decisions import CommitRule
from mrsync.wire.messages import NetworkShare
from tests.sim.case import ALL_HELD, DONE, GEOMETRY, GOOD, LOST, SMALLER
from tests.sim.reception import Violation
from tests.sim.scenario import Fate, Scenario, TargetScenario
from tests.sim.simulation import Result, Simulation

DEAF = replace(GOOD, is_deaf=True)
SHAPED = replace(DEAF, hop_queue_bytes=1_250_000, hop_room_bytes=262_144)  # its uplink makes it wait
COUNT = 8
MOVED = 4  # targets that get another parent or child if one is put to the end of a chain
OTHER_HALF = {False: tuple(range(COUNT // 2)), True: tuple(range(COUNT // 2, COUNT))}
STRUCK_AT_S = 1.8  # in the middle of the contents
UPLINK_BYTES_S = 12.5e6
FILES = (60 * GEOMETRY.page_bytes,) * 5
SMALL_FILES = (5 * GEOMETRY.page_bytes,) * 60


@dataclass(frozen=True)
class RelayCase:
    """copies_max: packets that leave the caster for each that is cast for the first time, repairs among them.

    held_seconds_max: until all that finish have everything; the session may have to wait for others.
    """

    what: str
    targets: tuple[TargetScenario, ...]
    states: tuple[RosterState, ...]
    seconds_max: float
    copies_max: float = 1.01
    hop_repairs_max: float = 0.0  # of the packets between targets
    details: tuple[tuple[str, Any], ...] = ()
    held_seconds_max: float = math.inf
    peers_changed_max: float = math.inf

    @property
    def scenario(self) -> Scenario:
        plain = Scenario(1, GEOMETRY, self.targets, file_bytes=FILES, has_relays=True, uplink_bytes_s=UPLINK_BYTES_S)
        return replace(plain, **dict(self.details))

    def seeded(self, seed: int) -> RelayCase:
        """The case with another seed."""
        return replace(self, details=(*self.details, ("seed", seed)))

    def run(self) -> Result:
        """Violation if it ends otherwise."""
        simulation = Simulation(self.scenario)
        result = simulation.run()
        copies = result.packets_sent / result.packets_first
        if result.states != self.states:
            raise Violation(f"{self.what}: {result.states}")
        if result.cast_seconds > self.seconds_max:
            raise Violation(f"{self.what}: took {result.cast_seconds:.3f} s")
        if result.held_seconds > self.held_seconds_max:
            raise Violation(f"{self.what}: not held by all before {result.held_seconds:.3f} s")
        if copies > self.copies_max:
            raise Violation(f"{self.what}: {copies:.3f} copies left the caster")
        if result.hop_repaired > self.hop_repairs_max * result.hop_first:
            raise Violation(f"{self.what}: {result.hop_repaired} of {result.hop_first} packets were passed on again")
        if result.peers_changed > self.peers_changed_max:
            raise Violation(f"{self.what}: peers changed {result.peers_changed} times")
        return result


def one(at: int, **details: Any) -> tuple[TargetScenario, ...]:
    """All deaf, and one of them as the details say."""
    return tuple(replace(DEAF, **details) if index == at else DEAF for index in range(COUNT))


def all_but(*lost: int) -> tuple[RosterState, ...]:
    return tuple(LOST if index in lost else DONE for index in range(COUNT))


def struck(at: int, fate: Fate, **details: Any) -> tuple[TargetScenario, ...]:
    return one(at, fate=fate, fate_at_s=STRUCK_AT_S, **details)


EVERYONE = all_but()
CASES = (
    RelayCase("a chain", (DEAF,) * COUNT, EVERYONE, 2.8),
    RelayCase("their firewalls let in only answers", (replace(DEAF, is_guarded=True),) * COUNT, EVERYONE, 2.8),
    RelayCase("several chains", (DEAF,) * COUNT, EVERYONE, 6.2, 3.05, details=(("chains_max", 3),)),
    RelayCase("some hear the group", (GOOD,) * 3 + (DEAF,) * 5, EVERYONE, 2.8),
    RelayCase(  # links are tried with packets that fit
        "the path of one takes smaller packets only",
        one(3, path_bytes=900),
        EVERYONE,
        2.5,
        details=(("smaller", SMALLER), ("file_bytes", FILES[:2])),
    ),
    RelayCase("one percent is lost on every hop", (replace(DEAF, loss=0.01),) * COUNT, EVERYONE, 3.0, 1.02, 0.013),
    RelayCase(  # a page with a hole is held up at each hop until the hole is mended
        "one percent is lost on every hop, and uplinks make senders wait",
        (replace(SHAPED, loss=0.01),) * COUNT,
        EVERYONE,
        3.1,
        1.02,
        0.013,
        details=(("share", NetworkShare.FAIR),),
    ),
    RelayCase(
        "a tenth is lost on every hop, and of what is said",
        (replace(DEAF, loss=0.1, report_loss=0.1),) * COUNT,
        EVERYONE,
        10.0,
        1.2,
        0.13,
    ),
    RelayCase(
        "one in the middle dies, which is noticed",
        struck(3, Fate.DEAD),
        all_but(3),
        3.2,
        1.003,
        details=(("are_deaths_noticed", True),),
    ),
    RelayCase("one in the middle dies silently", struck(3, Fate.DEAD), all_but(3), 8.5),
    RelayCase("the first one dies silently", struck(0, Fate.DEAD), all_but(0), 8.5, 1.2),
    RelayCase("the last one dies silently", struck(7, Fate.DEAD), all_but(7), 8.5),
    RelayCase(
        "four in a row die silently, as with a whole rack",
        tuple(replace(SHAPED, fate=Fate.DEAD, fate_at_s=STRUCK_AT_S) if 2 <= at < 6 else SHAPED for at in range(COUNT)),
        all_but(2, 3, 4, 5),
        8.5,
        held_seconds_max=3.9,
    ),
    RelayCase(
        "the first one and the next die silently",
        tuple(replace(SHAPED, fate=Fate.DEAD, fate_at_s=STRUCK_AT_S) if at < 2 else SHAPED for at in range(COUNT)),
        all_but(0, 1),
        8.5,
        1.2,
        held_seconds_max=3.9,
    ),
    RelayCase("one in the middle hears nothing any more", struck(3, Fate.ISOLATED), all_but(3), 8.5),
    RelayCase("one in the middle is not heard any more", struck(3, Fate.MUTE), all_but(3), 8.5),
    RelayCase("one in the middle is away for a second", struck(3, Fate.CUT, absence_s=1.0), EVERYONE, 3.5, 1.01, 0.05),
    RelayCase("one in the middle writes nothing any more", struck(3, Fate.HUNG), all_but(3), 9.0, 1.5, 0.1),
    RelayCase("one is not reached by the one before it", one(3, blocks=(2,)), EVERYONE, 4.5),
    RelayCase(
        "targets do not reach each other",
        (replace(DEAF, blocks=tuple(range(COUNT))),) * COUNT,
        EVERYONE,
        5.0,
        8.05,
        details=(("file_bytes", FILES[:1]),),
    ),
    RelayCase(  # one copy for each
        "two halves do not reach each other",
        tuple(replace(DEAF, blocks=OTHER_HALF[index < COUNT // 2]) for index in range(COUNT)),
        EVERYONE,
        4.5,
        2.01,
        details=(("file_bytes", FILES[:2]),),
    ),
    RelayCase("one passes nothing on, and says that it did", one(3, withholds_share=1.0), EVERYONE, 5.5, 1.01, 0.02),
    RelayCase("one passes some on, and says so of all", one(3, withholds_share=0.3), EVERYONE, 3.5, 1.01, 0.1),
    RelayCase("one passes on slowly", one(3, hop_pages_s=15.0), EVERYONE, 3.5, 1.01, 0.1),
    RelayCase(  # each is as bad behind the other: they would change places every second
        "two pass everything on a second late",
        tuple(replace(SHAPED, hop_late_s=1.0) if at in (2, 5) else SHAPED for at in range(COUNT)),
        EVERYONE,
        8.0,
        3.0,
        0.05,
        details=(("share", NetworkShare.FAIR),),
        peers_changed_max=COUNT + 3 * MOVED,
    ),
    RelayCase(  # three times as long as with the whole uplink, if it stays where it is
        "the uplink of one has a fifth of its rate left",
        tuple(replace(SHAPED, fate_at_s=STRUCK_AT_S, uplink_share=0.2) if at == 3 else SHAPED for at in range(COUNT)),
        EVERYONE,
        7.5,
        1.1,
        0.01,
        details=(("file_bytes", FILES * 2), ("share", NetworkShare.FAIR)),
        held_seconds_max=5.8,  # 4.3 with the whole uplink
    ),
    RelayCase(  # another order would help nobody
        "the uplinks of all have a fifth of their rate left",
        (replace(SHAPED, fate_at_s=STRUCK_AT_S, uplink_share=0.2),) * COUNT,
        EVERYONE,
        15.0,
        1.6,
        0.01,
        details=(("file_bytes", FILES * 2), ("share", NetworkShare.FAIR)),
        peers_changed_max=COUNT + MOVED,
    ),
    RelayCase(
        "the uplinks of three are slow for two seconds now and then",
        tuple(
            replace(SHAPED, fate_at_s=STRUCK_AT_S + at / 2, uplink_share=0.2, uplink_turn_s=2.0)
            if at in (1, 3, 6)
            else SHAPED
            for at in range(COUNT)
        ),
        EVERYONE,
        12.0,
        1.1,
        0.01,
        details=(("file_bytes", FILES * 3), ("share", NetworkShare.FAIR)),
        peers_changed_max=COUNT + 3 * MOVED,
    ),
    RelayCase(  # round trips of half a second: a page that was lost twice is no stall
        "all of them get the processor late, and lose packets",
        (replace(DEAF, wake_s=0.2, loss=0.01),) * COUNT,
        EVERYONE,
        11.0,
        1.014,
        0.013,
    ),
    RelayCase(  # a claim waits behind pages, and programs send late, which looks like a queue
        "random losses do not slow a fair chain of busy hosts down",
        (replace(DEAF, late_share=0.5, late_s=0.05, loss=0.01, hop_queue_bytes=1_250_000),) * COUNT,
        EVERYONE,
        3.7,
        1.02,
        0.013,
        details=(("share", NetworkShare.FAIR),),
    ),
    RelayCase(  # the kernels know when pages and claims came
        "many random losses do not slow it down either, however late programs read",
        (replace(DEAF, wake_s=0.05, loss=0.03),) * COUNT,
        EVERYONE,
        5.5,
        1.05,
        0.035,
        details=(("share", NetworkShare.FAIR), ("file_bytes", FILES[:2]), ("seed", 4)),
    ),
    RelayCase(  # to blame and to replace each other would make all of them later still
        "processors are scarce, and all answers are late",
        (DEAF,) * COUNT,
        EVERYONE,
        32.0,
        1.05,
        details=(
            ("file_bytes", (40 * GEOMETRY.page_bytes,)),
            ("ack_wait_s", 60.0),
            ("processors", 2),
            ("page_cpu_s", 0.006),
            ("message_cpu_s", 0.006),
        ),
    ),
    RelayCase(  # what a hop passes on in half a second shows only who had a processor
        "other programs take nearly all processors now and then, and nobody is blamed",
        (SHAPED,) * 12,
        (DONE,) * 12,
        25.0,
        1.05,
        details=(
            ("file_bytes", (250 * GEOMETRY.page_bytes,)),
            ("share", NetworkShare.FAIR),
            ("ack_wait_s", 20.0),
            ("processors", 2),
            ("other_programs", 200),
            ("fit_s", 1.0),
            ("page_cpu_s", 0.001),
            ("message_cpu_s", 0.0006),
        ),
    ),
    RelayCase(
        "the uplink of the first one is slow from the beginning",
        (replace(SHAPED, uplink_share=0.2), *(SHAPED,) * 7),
        EVERYONE,
        6.8,
        1.6,
        peers_changed_max=11,
        details=(("file_bytes", (600 * GEOMETRY.page_bytes,)), ("share", NetworkShare.FAIR)),
    ),
    RelayCase(
        "the link of the third one is slow both ways, which only the last one may be",
        tuple(
            replace(SHAPED, uplink_share=0.2, port_bytes_s=2.5e6, port_queue_bytes=250_000) if at == 2 else SHAPED
            for at in range(COUNT)
        ),
        EVERYONE,
        9.5,
        1.05,
        0.12,  # the queue of its port overflows until the parents know its rate
        details=(("file_bytes", (300 * GEOMETRY.page_bytes,)), ("share", NetworkShare.FAIR)),
    ),
    RelayCase("the last one is slow to write", one(7, disk_pages_s=50.0), EVERYONE, 8.0),
    RelayCase(
        "each wants other files",
        (replace(DEAF, need_share=0.5, loss=0.01),) * COUNT,
        EVERYONE,
        3.2,
        1.02,
        0.013,
        details=(("file_bytes", SMALL_FILES),),
    ),
    RelayCase(
        "all but the last one hold everything",
        (replace(ALL_HELD, is_deaf=True, loss=0.01),) * (COUNT - 1) + (replace(DEAF, loss=0.01),),
        EVERYONE,
        3.2,
        1.02,
        0.013,
    ),
    RelayCase(
        "all or nothing, and one dies",
        struck(3, Fate.DEAD),
        all_but(3),
        8.5,
        details=(("commit_rule", CommitRule.JOB),),
    ),
    RelayCase(
        "files change while they are cast",
        (replace(DEAF, loss=0.01),) * COUNT,
        EVERYONE,
        3.5,
        1.05,
        0.02,
        details=(("file_bytes", SMALL_FILES), ("void_share", 0.3), ("late_void_share", 0.5)),
    ),
)
