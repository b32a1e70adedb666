"""A file that was changed in this very tick of the clock is waited for, and no other one."""

from __future__ import annotations

import time

import pytest

from mrsync.tree.source.ctimes import settle


class Clock:
    """A clock that moves by sleeping only."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 10**18
        monkeypatch.setattr(time, "clock_gettime_ns", lambda _: self.now)
        monkeypatch.setattr(time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += round(seconds * 10**9)


@pytest.mark.parametrize(
    ("ahead_ns", "waits"), [(-1, False), (0, True), (4_000_000, True), (10**9, False), (-(10**9), False)]
)
def test_only_a_time_of_this_tick_is_waited_for(monkeypatch: pytest.MonkeyPatch, ahead_ns: int, waits: bool) -> None:
    clock = Clock(monkeypatch)
    ctime = clock.now + ahead_ns
    settle(ctime)
    assert (clock.now > 10**18) is waits
    assert clock.now > ctime or not waits
