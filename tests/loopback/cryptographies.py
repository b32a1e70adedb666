"""Versions of the package cryptography as targets have them, each in a directory of its own."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.support.making import made_once
from tests.support.namespaces import command_outside

VERSIONS = ("3.4.8", "36.0.1", "38.0.4", "")  # Ubuntu 22.04, RHEL 9, Debian 12, the newest
INSTALL_WAIT_S = 180


@cache
def find_cryptography(version: str) -> Path | None:
    """The directory to put on sys.path for this version; pip brings it once. None: it cannot be had here."""
    wanted = f"cryptography=={version}" if version else "cryptography"

    def install(place: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "-q", "--only-binary", ":all:", "--target", str(place)]
        subprocess.run(command_outside(*command, wanted), capture_output=True, check=True, timeout=INSTALL_WAIT_S)

    return made_once(f"cryptography-{version or 'newest'}", install)
