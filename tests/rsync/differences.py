"""Run rsync and mrsync in one folder with equal trees, and find what differs without being meant to."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.programs import program
from tests.rsync.known import even_out
from tests.rsync.outcomes import Outcome, run

RSYNC_WAIT_S = 60  # its own --timeout does not end it where it hangs


def differing(
    words: Sequence[str], dest: str, folder: Path, port: int, *, has_status: bool = False, prefix: Sequence[str] = ()
) -> str:
    """Run both programs in a folder with equal trees in rsync/ and mrsync/. Return what differs, empty if nothing.

    has_status: compare exit statuses, too. prefix: of both commands. Differences that are meant do not count.
    """
    command = program("mrsync", "--rsh=local", f"--port={port}", "--progress=none")
    theirs = run([*prefix, "timeout", str(RSYNC_WAIT_S), "rsync"], words, f"rsync/{dest}", folder)
    ours = run([*prefix, *command], words, f"t:{folder}/mrsync/{dest}", folder)
    even_out(words, theirs, ours)
    found = list(_differences(theirs, ours))
    if has_status and theirs.status != ours.status:
        found.append(f"  status: {theirs.status} and {ours.status}")
    if not found:
        return ""
    said = [f"rsync {theirs.status}: {theirs.errors}", f"mrsync {ours.status}: {ours.errors}"]
    return "\n".join([subprocess.list2cmdline([*words, dest]), *found, *said])


def _differences(theirs: Outcome, ours: Outcome) -> Iterator[str]:
    yield from _differing("lines", theirs.lines, ours.lines)
    trees = [[f"{name} {' '.join(each.entries[name])}" for name in sorted(each.entries)] for each in (theirs, ours)]
    yield from _differing("trees", *trees)
    yield from _differing(
        "files with several names", *([str(group) for group in each.groups] for each in (theirs, ours))
    )


def _differing(what: str, theirs: Iterable[str], ours: Iterable[str]) -> Iterator[str]:
    first, second = list(theirs), list(ours)
    yield from (f"  {what}, rsync only: {each}" for each in first if each not in second)
    yield from (f"  {what}, mrsync only: {each}" for each in second if each not in first)
