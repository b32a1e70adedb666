"""Things that tests need and that take long to make: made once, kept with the virtual environment."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def made_once(name: str, make: Callable[[Path], None]) -> Path | None:
    """Return the directory of that name, which make(directory) has filled. None: it cannot be made here.

    make raises OSError or subprocess.SubprocessError if it cannot. Workers that want the same one wait for another.
    """
    place = Path(sys.prefix) / "made" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            try:
                make(place)
            except (OSError, subprocess.SubprocessError):
                return None
            (place / "complete").touch()
    return place
