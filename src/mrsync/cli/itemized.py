"""The lines of --itemize-changes, as rsync writes them, before each the targets that they are of."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

from mrsync.remote.targets import fold
from mrsync.run.cast.outcome import Outcome

_ESCAPE_LIKE = re.compile(r"\\(?=#[0-9]{3})")


def change_lines(outcome: Outcome) -> Iterator[str]:
    """node[1-3]: >f.st...... path; to be asked for once."""
    folded: dict[tuple[int, ...], str] = {}
    for change in outcome.changes:
        who = folded.get(change.targets)
        if who is None:
            who = folded[change.targets] = fold([outcome.targets[target].host for target in change.targets])
        yield f"{who}: {change.letters} {escaped(change.path)}{escaped(change.lead)}"
    yield from _untold(outcome)


def change_events(outcome: Outcome) -> Iterator[str]:
    """The same for `--progress json`, a line each."""
    for change in outcome.changes:
        hosts = [outcome.targets[target].host for target in change.targets]
        fields = {"event": "change", "targets": hosts, "change": change.letters, "path": os.fsdecode(change.path)}
        if change.lead:
            fields["leads_to"] = os.fsdecode(change.lead[4:])
        yield json.dumps(fields)


def escaped(path: bytes) -> str:
    r"""A path as rsync prints it: what is no character to show, but for tabs, as \#ooo, and so a backslash before #."""
    text = _ESCAPE_LIKE.sub(r"\#134", path.decode("utf-8", "surrogateescape"))
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() or c == "\t" else _octal(c) for c in text])


def _octal(character: str) -> str:
    return "".join([f"\\#{byte:03o}" for byte in character.encode("utf-8", "surrogateescape")])


def _untold(outcome: Outcome) -> Iterator[str]:
    for target in outcome.targets:
        if target.changes_untold:
            yield f"{target.host}: and {target.changes_untold} more changes"
