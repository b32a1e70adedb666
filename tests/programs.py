"""The programs under test as command lines: what the entry points of an installation do, from this working tree."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from mrsync.cli import main; sys.exit(main.{name}())"

Argument = str | bytes | int | float | os.PathLike[str]


def program(name: str, *arguments: Argument) -> list[str]:
    """mrsync, multicaster or multicatcher with these arguments."""
    return [sys.executable, "-c", START.format(name=name), str(SOURCE), *map(_text, arguments)]


def _text(argument: Argument) -> str:
    return os.fsdecode(argument) if isinstance(argument, bytes | os.PathLike) else str(argument)


def program_of_version(version: int, name: str, *arguments: Argument) -> list[str]:
    """Do the same, with another version of the protocol."""
    command = program(name, *arguments)
    at = command.index(START.format(name=name))
    other = f"import mrsync.wire.limits; mrsync.wire.limits.VERSION = {version}; from mrsync.cli"
    command[at] = command[at].replace("from mrsync.cli", other)
    return command
