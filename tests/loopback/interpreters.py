"""The Pythons of this machine that a catcher must run on."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

OLDEST_MINOR = 9
NEWEST_MINOR = 14
MINORS = range(OLDEST_MINOR, NEWEST_MINOR + 1)


@cache
def find_interpreter(minor: int, major: int = 3) -> str | None:
    """A Python of that version that starts, from PATH or from pyenv's versions."""
    on_path = shutil.which(f"python{major}.{minor}")
    versions = sorted((Path.home() / ".pyenv" / "versions").glob(f"{major}.{minor}.*/bin/python"))
    for candidate in [*([on_path] if on_path else []), *map(str, versions)]:
        asked = subprocess.run(
            [candidate, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True
        )
        if asked.stdout.strip() == str((major, minor)):
            return candidate
    return None
