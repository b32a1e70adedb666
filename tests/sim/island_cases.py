"""Cases of islands: networks that the group does not reach, in which one target casts on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from mrsync.protocol.core.states import RosterState
from tests.sim.case import DONE, GEOMETRY, GOOD, LOST
from tests.sim.relay_cases import DEAF, RelayCase
from tests.sim.scenario import Fate, TargetScenario

COUNT = 5
FILES = (40 * GEOMETRY.page_bytes,) * 2
STRUCK_AT_S = 1.4  # in the middle of the contents
ISLANDER = replace(DEAF, segment=0)
OTHER, FAR = (replace(DEAF, network=network, segment=network) for network in (1, 2))


def case(
    what: str,
    targets: tuple[TargetScenario, ...],
    states: tuple[RosterState, ...],
    seconds_max: float,
    copies_max: float = 1.01,
    hop_repairs_max: float = 0.0,
    held_seconds_max: float = math.inf,
    **details: Any,
) -> RelayCase:
    all_details = tuple({"has_islands": True, "file_bytes": FILES, "uplink_bytes_s": 5e6, **details}.items())
    return RelayCase(
        what, targets, states, seconds_max, copies_max, hop_repairs_max, all_details, held_seconds_max=held_seconds_max
    )


def one(at: int, **details: Any) -> tuple[TargetScenario, ...]:
    """An island, and one of it as the details say."""
    return tuple(replace(ISLANDER, **details) if index == at else ISLANDER for index in range(COUNT))


def struck(at: int, fate: Fate, **details: Any) -> tuple[TargetScenario, ...]:
    return one(at, fate=fate, fate_at_s=STRUCK_AT_S, **details)


def all_but(*lost: int) -> tuple[RosterState, ...]:
    return tuple(LOST if index in lost else DONE for index in range(COUNT))


EVERYONE = all_but()
CASES = (
    case("an island", (ISLANDER,) * COUNT, EVERYONE, 2.3),
    case("no island after all", (DEAF,) * COUNT, EVERYONE, 2.6),
    case("no island after all, and several chains", (DEAF,) * COUNT, EVERYONE, 4.8, 3.05, chains_max=3),
    case("an island behind some that hear the group", (GOOD,) * 2 + (FAR,) * 3, EVERYONE, 2.3),
    case("an island, one more, and another island", (ISLANDER,) * 3 + (OTHER,) + (FAR,) * 3, (DONE,) * 7, 2.3),
    case(
        "a twentieth is lost on the way to each",
        (replace(ISLANDER, loss=0.05),) * COUNT,
        EVERYONE,
        3.0,
        1.08,
        0.3,
        seed=3,  # one of those where a relay that goes on too early takes two seconds more
    ),
    case("the relay dies silently", struck(0, Fate.DEAD), all_but(0), 8.0, 1.8, 0.01),
    case(
        "the relay dies, which is noticed",
        struck(0, Fate.DEAD),
        all_but(0),
        3.0,
        1.6,
        0.01,
        are_deaths_noticed=True,
    ),
    case(  # one of them is the next relay
        "the relay and two others die silently",
        tuple(replace(ISLANDER, fate=Fate.DEAD, fate_at_s=STRUCK_AT_S) if at < 3 else ISLANDER for at in range(7)),
        (LOST,) * 3 + (DONE,) * 4,
        8.0,
        1.8,
        0.01,
        held_seconds_max=3.5,
    ),
    case("one that listens dies silently", struck(3, Fate.DEAD), all_but(3), 8.0, 1.01, 0.01),
    case("the relay is away for a second", struck(0, Fate.CUT, absence_s=1.0), EVERYONE, 3.5, 1.8, 0.2),
    case("one that listens is away for a second", struck(3, Fate.CUT, absence_s=1.0), EVERYONE, 3.5, 1.05, 1.0),
    case("the relay passes nothing on, and says that it did", one(0, withholds_share=1.0), EVERYONE, 4.5, 1.05, 0.1),
    case("one does not hear the others' multicast", one(3, segment=None), EVERYONE, 2.6, 1.01, 0.01),
    case("one that listens is slow to write", one(4, disk_pages_s=50.0), EVERYONE, 3.6, 1.01, 0.01),
    case("one that listens is very slow to write", one(4, disk_pages_s=10.0), EVERYONE, 12.0, 1.01, 0.01),
    case(
        "one that listens writes nothing any more",
        struck(3, Fate.HUNG),
        all_but(3),
        9.0,
        1.1,
        0.1,
        file_bytes=tuple(3 * size for size in FILES),
    ),
)
