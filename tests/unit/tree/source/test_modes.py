"""Modes change as with rsync, and a malformed change is refused in one sentence."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mrsync.errors import UsageError
from mrsync.tree.source.modes import changed_mode, parse_mode_changes
from tests.oracle import rsync

UMASK = 0o027


def modes(top: Path) -> dict[str, int]:
    return {str(path.relative_to(top)): path.lstat().st_mode for path in [top, *top.rglob("*")]}


def random_clause(chance: random.Random) -> str:
    limit = chance.choice(("", "", "D", "F"))
    if chance.random() < 0.15:
        return limit + chance.choice(("755", "0644", "2711", "7", "7777", "0"))
    who = "".join(chance.choices("ugoa", k=chance.randrange(3)))
    what = "".join(chance.choices("rwxXst", k=chance.randrange(4))) if chance.random() < 0.8 else chance.choice("ugo")
    return limit + who + chance.choice("+-=") + what


def rsync_version() -> tuple[int, ...]:
    found = re.search(r"version (\d+)\.(\d+)", subprocess.run(["rsync", "-V"], capture_output=True, text=True).stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to read what modes lock away")
def test_random_changes_are_those_of_rsync(tmp_path: Path) -> None:
    chance = random.Random(7)
    source = tmp_path / "source"
    source.mkdir()
    for number in range(80):
        path = source / str(number)
        path.mkdir() if number % 4 == 0 else path.touch()
        path.chmod(chance.choice((0o644, 0o755, 0o4711, 0o2770, 0o1777, 0, chance.randrange(0o10000))))
    (source / "link").symlink_to("1")
    before = os.umask(UMASK)
    try:
        for number in range(40):
            text = ",".join(random_clause(chance) for _ in range(chance.randrange(1, 4)))
            if rsync_version() < (3, 5) and re.search(r"[-+=][ugo](,|$)|a[ugoa]*[-+=][rwxXt]*s", text):
                continue  # older ones do not copy bits, and know a+s as u+s
            dest = tmp_path / str(number)
            dest.mkdir()
            rsync(source, dest, f"--chmod={text}")
            changes = parse_mode_changes(text, UMASK)
            wanted = {name: changed_mode(mode, changes) for name, mode in modes(source).items()}
            assert modes(dest) == wanted, text
            dest.chmod(0o700)
            shutil.rmtree(dest, ignore_errors=True)
    finally:
        os.umask(before)


@pytest.mark.parametrize("text", ["", "u", "8", "17777", "DF+x", "u+rq", "u+gw", "a+x,", "D", "x=y", "+x 7", "u7"])
def test_invalid_mode_changes_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--chmod "):
        parse_mode_changes(text, UMASK)
