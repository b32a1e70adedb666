"""What rsync or mrsync says and leaves behind."""

from __future__ import annotations

import os
import re
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

NOW = 1_700_000_000
CHANGE = re.compile(r"^(?:[<>ch.][fdLDS]|\*deleting).*")
RECENT = "recent"  # the time of what was changed by a run, or just before it


class Entry(NamedTuple):
    """What a path is: type and mode, owner, time, and its contents or the target of a link, shortened.

    attributes: extended attributes, ACLs among them.
    """

    mode: str
    owner: str
    time: str
    what: str
    attributes: str


class Outcome(NamedTuple):
    """The end of one program. entries: by path. groups: names of each file with several. said: all of its output."""

    status: int
    errors: str
    said: list[str]
    lines: list[str]
    entries: dict[str, Entry]
    groups: list[list[str]]


def run(command: Sequence[str], words: Sequence[str], dest: str, folder: Path) -> Outcome:
    """Run a program in a folder. In its words, TMP stands for a directory of its own."""
    top = folder / ("rsync" if dest.startswith("rsync") else "mrsync")
    how: dict[str, Any] = {"cwd": folder, "capture_output": True, "text": True, "errors": "surrogateescape"}
    ended = subprocess.run([*command, *(word.replace("TMP", f"{top}/tmp") for word in words), dest], check=False, **how)
    said = [line.removeprefix("t: ").rstrip() for line in ended.stdout.splitlines()]
    lines = sorted(line for line in said if CHANGE.match(line))
    entries, groups = _tree(top)
    return Outcome(ended.returncode, ended.stderr, said, lines, entries, groups)


def _attributes(path: Path) -> list[str]:
    return sorted(name for name in os.listxattr(path, follow_symlinks=False) if name.startswith(("user.", "system.")))


def _tree(top: Path) -> tuple[dict[str, Entry], list[list[str]]]:
    """Return what is in a directory, by path, and the names of each file that has several."""
    entries: dict[str, Entry] = {}
    groups: dict[int, list[str]] = {}
    for path in top.rglob("*"):
        if path == top / "dest" and path.is_dir():
            continue  # where it is none of the SOURCEs, the programs make it in ways of their own
        status = path.lstat()
        what = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        name = str(path.relative_to(top))
        if path.is_file() and not path.is_symlink() and status.st_nlink > 1:
            groups.setdefault(status.st_ino, []).append(name)
        time = RECENT if NOW + 100_000 < status.st_mtime < 2**31 else str(status.st_mtime_ns)
        owner = f"{status.st_uid}:{status.st_gid}"
        short = f"{what[:20]!r} {len(what)} {zlib.crc32(os.fsencode(what))}"
        attributes = {each: os.getxattr(path, each, follow_symlinks=False) for each in _attributes(path)}
        entries[name] = Entry(f"{status.st_mode:o}", owner, time, short, str(attributes))
    return entries, [sorted(names) for names in groups.values()]
