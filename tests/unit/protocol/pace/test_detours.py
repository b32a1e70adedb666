"""Whether a path became longer, or packets queue on it."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.detours import CUTS, EXCESS_MIN, LASTING_S, Detours
from mrsync.protocol.pace.queueing import Queueing

WAY_S, LONGER_S, JITTER_S = 0.01, 0.04, 0.0025


def watched(*round_trips: float, step: float = 0.04) -> Detours:
    made = Detours()
    for at, rtt_s in enumerate(round_trips):
        made.add(rtt_s, rtt_s, WAY_S, JITTER_S, at * step)
    return made


def cut_often(made: Detours, times: int, step: float = 0.1) -> list[float]:
    return [made.on_cut(WAY_S, JITTER_S, at * step) for at in range(times)]


def test_cuts_that_change_nothing_show_a_longer_path() -> None:
    assert cut_often(watched(LONGER_S, LONGER_S + JITTER_S), CUTS) == [0, 0, LONGER_S]


def test_a_queue_gets_shorter_by_cuts() -> None:
    made = watched(LONGER_S)
    for at in range(CUTS):
        made.add(LONGER_S - at * 0.005, LONGER_S, WAY_S, JITTER_S, 0.1 * at)
        assert not made.on_cut(WAY_S, JITTER_S, 0.1 * at)


def test_cuts_far_apart_show_nothing() -> None:
    assert not any(cut_often(watched(LONGER_S), CUTS, step=1.0))


def test_what_cuts_could_not_show_is_no_longer_path() -> None:
    assert not any(cut_often(watched(WAY_S + 0.9 * EXCESS_MIN * JITTER_S), CUTS))


@pytest.mark.parametrize(("lasts_s", "longer_s"), [(0.9 * LASTING_S, 0), (1.1 * LASTING_S, LONGER_S)])
def test_what_others_seem_to_keep_for_long_is_a_longer_path(lasts_s: float, longer_s: float) -> None:
    made = watched(WAY_S, *[LONGER_S] * 3)
    assert made.on_lasting(WAY_S, JITTER_S, 0.04 + lasts_s) == longer_s


def test_a_queue_that_others_keep_varies() -> None:
    made = watched(*[LONGER_S, LONGER_S - 0.01] * 200)
    assert not made.on_lasting(WAY_S, JITTER_S, 16.0)


def test_the_longer_path_counts_at_once() -> None:
    queueing = Queueing()
    for at, rtt_s in enumerate((WAY_S, *[LONGER_S] * 9)):
        queueing.add(rtt_s, 0.01 * at)
    assert queueing.is_full
    assert [queueing.on_cut(0.1) for _ in range(CUTS)] == [False, False, True]
    assert queueing.way_s == LONGER_S
    assert not queueing.is_full
