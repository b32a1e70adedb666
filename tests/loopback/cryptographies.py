"""Versions of the package cryptography as targets have them, each in a directory of its own."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

VERSIONS = ("3.4.8", "36.0.1", "38.0.4", "")  # Ubuntu 22.04, RHEL 9, Debian 12, the newest
PLACE = Path(sys.prefix) / "cryptography"  # kept with the virtual environment, for the next run
INSTALL_WAIT_S = 120


@cache
def find_cryptography(version: str) -> Path | None:
    """The directory to put on sys.path for this version; pip brings it once. None: it cannot be had here."""
    place = PLACE / (version or "newest")
    if not (place / "complete").exists():
        wanted = f"cryptography=={version}" if version else "cryptography"
        command = [sys.executable, "-m", "pip", "install", "-q", "--only-binary", ":all:", "--target", str(place)]
        try:
            done = subprocess.run([*command, wanted], capture_output=True, check=False, timeout=INSTALL_WAIT_S)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode:
            return None
        (place / "complete").touch()
    return place
