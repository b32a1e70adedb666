"""docs/cli.md and the commands know the same options."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.programs import program

DOCUMENT = Path(__file__).parents[1] / "docs" / "cli.md"
COMMANDS = ("mrsync", "multicaster", "multicatcher", "rtt", "rttcatcher", "mrsync doctor", "mrsync filelist")
OPTION = re.compile(r"(?<![\w-])--?[A-Za-z0-9][A-Za-z0-9-]*")
OF_RSYNC = {"--link-dest", "--dry-run"}  # spoken of as rsync's


@cache
def help_lines(command: str) -> tuple[str, ...]:
    """The lines of --help that begin with an option."""
    name, *tool = command.split()
    shown = subprocess.run(
        program(name, *tool, "--help"), env={**os.environ, "COLUMNS": "200"}, capture_output=True, check=True, text=True
    )
    return tuple(line for line in shown.stdout.splitlines() if line.startswith("  -"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str) -> None:
    documented = set(OPTION.findall(DOCUMENT.read_text()))
    forms = [set(OPTION.findall(re.split(r" {2,}", line.strip())[0])) for line in help_lines(command)]
    assert len(forms) > 2
    assert [names for names in forms if not names & (documented | {"--help", "--version"})] == []


def test_every_documented_option_exists() -> None:
    known = {name for command in COMMANDS for line in help_lines(command) for name in OPTION.findall(line)}
    documented = {name for name in OPTION.findall(DOCUMENT.read_text()) if name.startswith("--")}
    assert documented - known - OF_RSYNC == set()
