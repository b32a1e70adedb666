"""Grants: what a catcher lets the application do, and when."""

from __future__ import annotations

from typing import Any

import pytest

from mrsync.protocol.core.events import (
    CommitGranted,
    FinishGranted,
    Withdrawn,
)
from mrsync.wire.messages import (
    CommitSpan,
    Phase,
    Status,
)
from tests.unit.protocol.builders import page_header, status
from tests.unit.protocol.catching import (
    CONTENTS,
    events,
    joined,
)


def granting(
    counter: int, end: int, first: int = 0, exceptions: tuple[tuple[int, int], ...] = (), **more: Any
) -> Status:
    return status(counter, commit=CommitSpan(first, end, exceptions), **more)


def test_commits_come_once_and_without_gaps() -> None:
    catcher = joined(wanted=[])
    catcher.set_progress(0.0, ready=10)
    events(catcher)
    catcher.receive_message(granting(2, 4, exceptions=((1, 3),)), 7, 0.0)
    assert events(catcher) == [CommitGranted(0, 4, ((1, 3),))]
    catcher.receive_message(granting(3, 4, exceptions=((1, 3),)), 7, 0.0)
    assert events(catcher) == []
    catcher.receive_message(granting(4, 7, exceptions=((1, 3), (6, 7))), 7, 0.0)
    assert events(catcher) == [CommitGranted(4, 7, ((6, 7),))]
    catcher.receive_message(granting(5, 10, first=8), 7, 0.0)  # file 7 was never mentioned
    assert events(catcher) == []


def test_only_complete_files_are_committed() -> None:
    """Told more, it was dropped and has not heard of it; or its own progress is just behind."""
    catcher = joined(wanted=[])
    catcher.set_progress(0.0, ready=2)
    catcher.receive_message(granting(2, 5), 7, 0.0)
    assert events(catcher)[-1] == CommitGranted(0, 2, ())
    catcher.set_progress(0.0, ready=5)
    assert events(catcher) == [CommitGranted(2, 5, ())]


@pytest.mark.parametrize(("generation", "end"), [(0, 5), (1, 2)])
def test_files_read_once_may_be_committed_ahead(generation: int, end: int) -> None:
    catcher = joined(wanted=[(0, 3)], generation=1)
    assert catcher.reception.receive_page(page_header(CONTENTS, 0, 2, generation=generation), 0.0)
    catcher.reception.page_opened(CONTENTS, 0, generation)
    catcher.set_progress(0.0, ready=5)
    events(catcher)
    catcher.receive_message(status(2, commit=CommitSpan(0, 2, ((3, 4),), ahead=7)), 7, 0.0)
    assert events(catcher) == [CommitGranted(0, end, ((3, 4),) if end > 3 else ())]


def test_forged_generation_delays_no_commit() -> None:
    """Anybody may have invented it; only a page whose seal was good counts."""
    catcher = joined(wanted=[(0, 3)], generation=1)
    catcher.reception.receive_packets(page_header(CONTENTS, 0, 2, generation=1), 1 << 0, 0.0)
    catcher.set_progress(0.0, ready=5)
    events(catcher)
    catcher.receive_message(status(2, commit=CommitSpan(0, 2, (), ahead=7)), 7, 0.0)
    assert events(catcher) == [CommitGranted(0, 5, ())]


def test_withdraws_once() -> None:
    catcher = joined(wanted=[])
    events(catcher)
    catcher.receive_message(status(2, phase=Phase.WITHDRAWING), 7, 0.0)
    catcher.receive_message(status(3, phase=Phase.WITHDRAWING), 7, 0.0)
    assert events(catcher) == [Withdrawn()]


def test_finishes_once_all_is_committed() -> None:
    catcher = joined(wanted=[])
    catcher.set_progress(0.0, ready=10)
    catcher.receive_message(granting(2, 10, phase=Phase.FINISHING), 7, 0.0)
    catcher.set_progress(0.0, committed=9)
    assert FinishGranted() not in events(catcher)
    catcher.set_progress(0.0, committed=10)
    catcher.set_progress(0.0, committed=10)
    assert events(catcher) == [FinishGranted()]
