"""The account: what becomes of the events of a run at its end."""

from __future__ import annotations

from mrsync.run.cast.account import phase_seconds
from mrsync.run.cast.outcome import Seconds
from mrsync.wire.messages import Phase


def test_phases_take_the_time_until_the_next_one() -> None:
    entered_at = {Phase.GATHERING: 10.0, Phase.COMPARING: 12.0, Phase.FINISHING: 15.0, Phase.DONE: 15.5}
    seconds = phase_seconds(entered_at, 10.0, 11.0, 11.5, 16.0)
    assert seconds == Seconds(total=6.0, launch=1.0, gather=2.0, manifest=1.5, compare=3.0, cast=0.0, commit=0.5)
    assert phase_seconds({Phase.GATHERING: 10.0}, 10.0, None, 10.0, 13.0) == Seconds(total=3.0, gather=3.0)
