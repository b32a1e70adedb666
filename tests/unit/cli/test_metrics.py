"""Figures for Prometheus."""

from __future__ import annotations

import re

from mrsync.cli.metrics import metrics
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState

SAMPLE = re.compile(r'mrsync_[a-z_]+\{([a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\} [0-9.e+-]+')


def test_every_line_is_of_the_text_format() -> None:
    run = Outcome(1, b'/a"b\\c\nd\xff', b"/to", (TargetOutcome("n", TargetState.DONE, packets_lost=4),), entries=3)
    text = metrics(run, 1_700_000_000.5)
    assert text.endswith("\n")
    for line in text.splitlines():
        assert re.match(r"# (HELP|TYPE) mrsync_[a-z_]+ .", line) or SAMPLE.fullmatch(line), line
    assert "mrsync_end_time_seconds{" in text
    assert " 1700000000.5\n" in text
    assert 'state="done"} 1\n' in text
    assert 'state="lost"} 0\n' in text
