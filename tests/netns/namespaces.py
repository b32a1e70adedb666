"""A remote shell into the hosts of a lab, for what launches programs there."""

from __future__ import annotations

from pathlib import Path

from tests.netns.lab import Lab

SHELL = """#!/bin/sh
host=$1; shift
exec ip netns exec {lab}-$host sh -c "$*"
"""


def remote_shell(lab: Lab, folder: Path) -> str:
    """A program that takes HOST and COMMAND; every host has the master's files."""
    path = folder / "nsrsh"
    path.write_text(SHELL.format(lab=lab.name))
    path.chmod(0o755)
    return str(path)
