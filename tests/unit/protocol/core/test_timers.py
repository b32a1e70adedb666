"""TimerTable: due timers are taken once."""

from __future__ import annotations

from mrsync.protocol.core.timers import Timer, TimerTable


def test_the_earliest_deadline_counts() -> None:
    table = TimerTable()
    assert table.next_timeout() is None
    table.set(Timer.POLL, 5.0)
    table.set(Timer.STATUS, 3.0)
    assert table.next_timeout() == 3.0


def test_a_due_timer_is_taken_once() -> None:
    table = TimerTable()
    table.set(Timer.POLL, 5.0)
    assert not table.take_expired(Timer.POLL, 4.9)
    assert table.is_set(Timer.POLL)
    assert table.take_expired(Timer.POLL, 5.0)
    assert not table.take_expired(Timer.POLL, 99.0)
    assert not table.is_set(Timer.POLL)


def test_advance_never_delays() -> None:
    table = TimerTable()
    table.advance(Timer.REPORT, 5.0)
    table.advance(Timer.REPORT, 9.0)
    table.advance(Timer.REPORT, 4.0)
    assert table.next_timeout() == 4.0
    table.set(Timer.REPORT, 9.0)
    assert table.next_timeout() == 9.0


def test_stopped_timers_never_expire() -> None:
    table = TimerTable()
    for timer in Timer:
        table.set(timer, 1.0)
    table.stop(Timer.STATUS)
    table.stop(Timer.STATUS)
    assert not table.take_expired(Timer.STATUS, 9.0)
    table.stop_all()
    assert table.next_timeout() is None
