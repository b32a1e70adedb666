"""A target that lies with its own key: the others end as they would without it. Some of the seeds once failed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mrsync.protocol.core.states import RosterState
from mrsync.wire.messages import Message, Report
from tests.sim.liars import LIAR, LyingHost, Trial, scenario_of

FOUND = (57, 112, 495)  # other seals in a later hello; a result before the end, and then silence; as 57


@pytest.mark.parametrize("seed", [*FOUND, *range(20, 24)])
def test_others_get_the_same_as_without_the_liar(seed: int) -> None:
    Trial(scenario_of(seed)).run()


class BusyHost(LyingHost):
    """Says for ever that it is at work, and tells nothing of its log."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.share, self.record_share = 1.0, 0.0

    def bent(self, message: Message) -> Message:
        if not isinstance(message, Report):
            return message
        return message._replace(activity=message.counter, frontier=0, log_offset=message.log_end, log_bytes=b"")


def test_a_target_that_works_for_ever_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trial, "liar", BusyHost)
    trial = Trial(replace(scenario_of(1), ack_wait_s=2.0, is_shedding=True))
    trial.run()
    busy = trial.master.caster.roster.find(LIAR)
    assert busy is not None
    assert busy.state is RosterState.LOST, busy.reason
    assert "held the others up" in busy.reason
