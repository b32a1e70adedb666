"""Arrivals: what becomes of each thing that a launched catcher writes, and of its end."""

from __future__ import annotations

from typing import cast

import pytest

from mrsync.remote.launcher import CatcherExited, Launcher, LaunchEvent, LineWritten
from mrsync.run.arrivals import LISTEN_S, Arrivals
from mrsync.run.bootstrap import WARNING, Readiness
from mrsync.run.observer import Notice

READY = Readiness("10.0.0.1", 4001)


class Port:
    """Arrivals of two targets, from a launcher that says what the test wants."""

    def __init__(self) -> None:
        self.events: list[LaunchEvent] = []
        self.listened = 0
        self.lost: list[tuple[int, str]] = []
        self.notices: list[Notice] = []
        self.answers: list[tuple[int, bool]] = []
        self.ready: list[tuple[int, Readiness]] = []
        self.words: list[int] = []
        self.arrivals = Arrivals(
            cast(Launcher, self),
            ["a", "b"],
            lambda target, reason: self.lost.append((target, reason)),
            self.notices.append,
            lambda target, is_ready: self.answers.append((target, is_ready)),
            lambda target, ready: self.ready.append((target, ready)),
            self.words.append,
        )

    def take_events(self) -> list[LaunchEvent]:
        self.listened += 1
        events, self.events = self.events, []
        return events

    def listen(self, *events: LaunchEvent) -> None:
        self.events += events
        self.arrivals.listen()


def test_a_ready_catcher_is_no_notice() -> None:
    port = Port()
    port.listen(LineWritten(1, READY.encode().encode()))
    assert (port.ready, port.answers, port.notices) == ([(1, READY)], [(1, True)], [])
    assert port.words == []
    assert port.arrivals.over_at is None  # the other one has not answered


def test_a_catcher_is_ready_once() -> None:
    port = Port()
    port.listen(*(LineWritten(1, Readiness("10.0.0.1", number).encode().encode()) for number in (4001, 4002, 4003)))
    assert (port.ready, port.answers, port.notices) == ([(1, READY)], [(1, True)], [])


def test_other_lines_are_notices_and_warnings_are_essential() -> None:
    port = Port()
    port.listen(LineWritten(0, b"compares\x1b[2J"), LineWritten(1, WARNING + b"no such user"))
    assert port.notices == [
        Notice(1, "compares\\x1b[2J", "a"),
        Notice(0, "warning: no such user", "b"),
    ]
    assert port.words == [0, 1]


def test_the_end_of_a_catcher_is_not_told_twice() -> None:
    port = Port()
    port.listen(LineWritten(0, b"multicatcher: refused: no space"), LineWritten(1, b"multicatcher: it lacks a call"))
    assert port.notices == [Notice(2, "refused: no space", "a"), Notice(1, "it lacks a call", "b")]


def test_a_catcher_that_fails_is_given_up_and_one_that_is_done_is_not() -> None:
    port = Port()
    port.listen(CatcherExited(0, 255, "ssh: connection refused"), LineWritten(1, READY.encode().encode()))
    port.listen(CatcherExited(1, 0, "ended"))
    assert port.lost == [(0, "ssh: connection refused")]
    assert port.answers == [(0, False), (1, True), (1, False)]


def test_a_catcher_that_ends_before_it_is_ready_is_given_up_whatever_its_status() -> None:
    port = Port()
    port.listen(CatcherExited(1, 0, "the remote shell passes no input on"))
    assert port.lost == [(1, "the remote shell passes no input on")]


@pytest.mark.parametrize("last", [LineWritten(1, READY.encode().encode()), CatcherExited(1, 1, "no python")])
def test_it_is_over_when_every_catcher_is_ready_or_gone(last: LaunchEvent) -> None:
    port = Port()
    port.listen(CatcherExited(0, 1, "no route"))
    assert port.arrivals.over_at is None
    port.listen(last)
    over_at = port.arrivals.over_at
    assert over_at is not None
    port.listen(CatcherExited(1, 0, ""))
    assert port.arrivals.over_at == over_at


def test_a_launcher_is_asked_once_a_second_though_nothing_woke_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("mrsync.run.arrivals.time.monotonic", lambda: clock[0])
    port = Port()
    port.arrivals.keep_time()
    clock[0] += LISTEN_S / 2
    port.arrivals.keep_time()
    assert port.listened == 1
    clock[0] += LISTEN_S / 2
    port.arrivals.keep_time()
    assert port.listened == 2
