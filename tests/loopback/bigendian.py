"""A big-endian Python (s390x, under emulation) from Debian's packages, for targets of the other byte order."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.support.making import made_once
from tests.support.namespaces import command_outside

EMULATOR = "qemu-s390x-static"
MINOR = 11
PACKAGES = (
    *(f"{name}{MINOR}-minimal" for name in ("python3.", "libpython3.")), f"libpython3.{MINOR}-stdlib",
    "libc6", "zlib1g", "libexpat1", "libssl3", "libffi8", "libbz2-1.0", "liblzma5", "libcrypt1", "libuuid1",
    "libgcc-s1",
)  # fmt: skip
STEP_WAIT_S = 180

# The emulator passes UDP_GRO on but does not translate the sizes that come with merged packets.
SITE = """
import socket
class Socket(socket.socket):
    __slots__ = ()
    def setsockopt(self, level, option, *rest):
        if (level, option) == (17, 104):
            raise OSError(92, "Protocol not available")
        super().setsockopt(level, option, *rest)
    def getsockopt(self, level, option, *rest):
        if (level, option) == (17, 104):
            raise OSError(92, "Protocol not available")
        return super().getsockopt(level, option, *rest)
socket.socket = Socket
"""


@cache
def find_big_endian_python() -> Path | None:
    """A directory to put first in PATH; made once, by root on Debian. None: it cannot be had here."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None or os.geteuid() != 0:
        return None
    place = made_once("bigendian", _make)
    return None if place is None else place / "bin"


def _make(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    root, lists, downloads, programs = (place / name for name in ("root", "lists", "downloads", "bin"))
    for folder in (root, lists / "partial", downloads, programs):
        folder.mkdir(parents=True)
    if shutil.which(EMULATOR) is None:
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "qemu-user-static")
    foreign = ("-oAPT::Architecture=s390x", "-oAPT::Architectures=s390x", f"-oDir::State::Lists={lists}",
               "-oDir::State::status=/dev/null", "-oAPT::Sandbox::User=root")  # fmt: skip
    _run("apt-get", *foreign, "update", "-qq")
    _run("apt-get", *foreign, "download", "-qq", *PACKAGES, folder=downloads)
    for package in sorted(downloads.iterdir()):
        _run("dpkg", "-x", str(package), str(root))
    shutil.rmtree(downloads)
    shutil.rmtree(lists)
    (root / f"usr/lib/python3.{MINOR}/sitecustomize.py").write_text(SITE)
    python = programs / "python3"
    python.write_text(
        f'#!/bin/sh\n[ "$1" != -E ] || shift\nexport PYTHONHOME={root}/usr\n'
        f'exec {EMULATOR} -L {root} {root}/usr/bin/python3.{MINOR} "$@"\n'
    )
    python.chmod(0o755)
    _run(str(python), "-c", "import sys; sys.exit(sys.byteorder != 'big')")


def _run(*command: str, folder: Path | None = None) -> None:
    subprocess.run(
        command_outside(*command), cwd=folder, check=True, capture_output=True, timeout=STEP_WAIT_S,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )  # fmt: skip
