"""The lines of --itemize-changes: as in rsync, but with the targets in front."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

from mrsync.cli.output.line_format import formatted
from mrsync.remote.folding import fold
from mrsync.run.cast.outcome import Outcome
from mrsync.spelling import counted

_ESCAPE_LIKE = re.compile(r"\\(?=#[0-9]{3})")


def change_lines(outcome: Outcome, line_format: str | None = None) -> Iterator[str]:
    """Yield lines such as "node[1-3]: >f.st...... path". Works only once for an outcome.

    line_format: of --out-format; None: as --itemize-changes.
    """
    folded: dict[tuple[int, ...], str] = {}
    for change in outcome.changes:
        who = folded.get(change.targets)
        if who is None:
            who = folded[change.targets] = fold([outcome.targets[target].host for target in change.targets])
        path, lead = escaped(change.path), escaped(change.lead)
        if line_format is None:
            yield f"{who}: {change.letters} {path}{lead}"
        elif (line := formatted(line_format, change, outcome.about, who, path, lead)) is not None:
            yield line if "%h" in line_format else f"{who}: {line}"
    yield from _untold(outcome)


def change_events(outcome: Outcome) -> Iterator[str]:
    """Yield the same as JSON, one line each, for `--progress json`."""
    for change in outcome.changes:
        hosts = [outcome.targets[target].host for target in change.targets]
        fields = {"event": "change", "targets": hosts, "change": change.letters, "path": os.fsdecode(change.path)}
        if change.lead:
            fields["leads_to"] = os.fsdecode(change.lead[4:])
        yield json.dumps(fields)


def escaped(path: bytes) -> str:
    r"""Escape a path like rsync: unprintable bytes except tabs as \#ooo, and backslashes that could be misread."""
    text = _ESCAPE_LIKE.sub(r"\#134", path.decode("utf-8", "surrogateescape"))
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() or c == "\t" else _octal(c) for c in text])


def _octal(character: str) -> str:
    return "".join([f"\\#{byte:03o}" for byte in character.encode("utf-8", "surrogateescape")])


def _untold(outcome: Outcome) -> Iterator[str]:
    for target in outcome.targets:
        if target.changes_untold:
            yield f"{target.host}: and {counted(target.changes_untold, 'more change')}"
