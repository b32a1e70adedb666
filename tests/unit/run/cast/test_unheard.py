"""Unheard: when the user is warned of catchers that have started, and that is done once."""

from __future__ import annotations

import pytest

from mrsync.run.bootstrap import Readiness
from mrsync.run.cast.unheard import ASK_S, SLOWNESS, TELL_MAX_S, TELL_S, Unheard


class Master:
    """An Unheard, and what it asks and warns of."""

    def __init__(self) -> None:
        self.asked: list[Readiness] = []
        self.warnings: list[str] = []
        self.unheard = Unheard(["n1", "n2", "n3"], 8887, 0.0, self.asked.append, self.warnings.append)

    def keep_time(self, start: float, end: float) -> None:
        """Call it often, as a loop does, from one time to another."""
        for tenth in range(round(10 * start), round(10 * end) + 1):
            self.unheard.keep_time(tenth / 10)


HERE, THERE = Readiness("10.0.0.1", 4001), Readiness("10.0.0.2", 4002)


def test_a_firewall_is_opened_at_once_and_again_every_second() -> None:
    master = Master()
    master.unheard.begin(0, HERE, 0.0)
    assert master.asked == [HERE]
    master.unheard.begin(1, THERE, 0.0)
    master.asked.clear()
    master.keep_time(0.0, 2 * ASK_S + 0.5)
    assert master.asked == 3 * [HERE, THERE]


def test_a_target_heard_in_time_is_neither_asked_nor_warned_about() -> None:
    master = Master()
    master.unheard.begin(0, HERE, 0.0)
    master.keep_time(0.0, TELL_S - ASK_S)
    master.unheard.end(0)
    master.unheard.end(2)  # it was never waited for
    master.asked.clear()
    master.keep_time(TELL_S - ASK_S, 3 * TELL_S)
    assert (master.asked, master.warnings) == ([], [])


def test_targets_that_are_late_or_soon_will_be_share_a_warning() -> None:
    master = Master()
    master.unheard.begin(0, HERE, 0.0)
    master.unheard.begin(1, THERE, 1.0)
    master.keep_time(0.0, TELL_S - ASK_S)
    assert master.warnings == []
    master.unheard.begin(2, THERE, TELL_S - ASK_S)  # it has hardly started, and took long for that
    master.keep_time(TELL_S - ASK_S, TELL_S + ASK_S)
    (warning,) = master.warnings
    assert warning.startswith("n[1-2]: started, but no UDP packet arrives at port 8887")
    master.keep_time(TELL_S + ASK_S, 4 * TELL_S)
    assert [warning.partition(":")[0] for warning in master.warnings] == ["n[1-2]", "n3"]


@pytest.mark.parametrize(
    ("ready_at", "other_heard_at", "told_s"),
    [(0.0, None, TELL_S), (3.0, None, 3 * SLOWNESS), (0.0, 3.0, 3 * SLOWNESS), (60.0, None, TELL_MAX_S)],
)
def test_where_hosts_are_slow_it_takes_longer(ready_at: float, other_heard_at: float | None, told_s: float) -> None:
    master = Master()
    master.unheard.begin(0, HERE, ready_at)
    if other_heard_at is not None:
        master.unheard.begin(1, THERE, 0.0)
        master.unheard.hear(1, other_heard_at)
    master.keep_time(ready_at, ready_at + told_s - ASK_S)
    assert master.warnings == []
    master.keep_time(ready_at + told_s, ready_at + told_s + ASK_S)
    assert len(master.warnings) == 1


def test_the_hint_names_the_port() -> None:
    assert "port 8887" in Master().unheard.hint
