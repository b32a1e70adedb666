"""The lines of rsync's --stats, at every level of --human-readable."""

from __future__ import annotations

import pytest

from mrsync.cli.output.rsync_statistics import rsync_statistics
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState


@pytest.mark.parametrize(
    ("level", "total", "sent"),
    [
        (0, "1234567 bytes", "2000"),
        (1, "1,234,567 bytes", "2,000"),
        (2, "1.23M bytes", "2.00K"),
        (3, "1.18M bytes", "1.95K"),
    ],
)
def test_figures_have_rsyncs_names(level: int, total: str, sent: str) -> None:
    targets = tuple([TargetOutcome(f"n{count}", TargetState.DONE, deleted=count) for count in (3, 5)])
    kinds = (("reg", 2), ("dir", 1), ("link", 0))
    outcome = Outcome(0, b"", b"", targets, kinds=kinds, bytes_total=1_234_567, files_planned=2, bytes_sent=2000)
    assert list(rsync_statistics(outcome, level)) == [
        "Number of files: 3 (reg: 2, dir: 1)",
        "Number of deleted files: 3 to 5",
        "Number of regular files transferred: 2",
        f"Total file size: {total}",
        "Total transferred file size: 0 bytes",
        f"Total bytes sent: {sent}",
    ]
