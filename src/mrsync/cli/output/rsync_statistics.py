"""The lines of rsync's --stats that have a meaning for many targets."""

from __future__ import annotations

from collections.abc import Iterator

from mrsync.cli.output.line_format import number
from mrsync.run.cast.outcome import Outcome, TargetState


def rsync_statistics(outcome: Outcome, human_level: int) -> Iterator[str]:
    """Yield lines with rsync's names. human_level: of --human-readable."""

    def shown(count: int) -> str:
        return number(count, human_level)

    kinds = ", ".join([f"{kind}: {shown(count)}" for kind, count in outcome.kinds if count])
    yield f"Number of files: {shown(sum(count for _, count in outcome.kinds))}{f' ({kinds})' if kinds else ''}"
    deleted = {each.deleted for each in outcome.targets if each.state in (TargetState.DONE, TargetState.PARTIAL)}
    if deleted:
        bounds = sorted({min(deleted), max(deleted)})
        yield f"Number of deleted files: {' to '.join(map(shown, bounds))}"
    yield f"Number of regular files transferred: {shown(outcome.files_planned)}"
    yield f"Total file size: {shown(outcome.bytes_total)} bytes"
    yield f"Total transferred file size: {shown(outcome.bytes_planned)} bytes"
    yield f"Total bytes sent: {shown(outcome.bytes_sent)}"
