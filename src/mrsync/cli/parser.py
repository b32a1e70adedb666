"""The parser of every command: what is wrong becomes one sentence."""

from __future__ import annotations

import argparse
from typing import NoReturn

from mrsync import __version__
from mrsync.errors import UsageError

# Sections of --help, in the order in which they are asked for first.
WHAT, CHOICE = "what and where", "which files"
KEEPING, DELETION = "how files are compared and kept", "deletion and backups"
NETWORK, REMOTE, OUTPUT = "network", "remote shell", "output and settings"


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would exit."""

    def section(self, title: str) -> argparse._ArgumentGroup:
        """The group of options with this title."""
        groups = (group for group in self._action_groups if group.title == title)
        return next(groups, None) or self.add_argument_group(title)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def make_parser(name: str, description: str) -> Parser:
    parser = Parser(name, description=description, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser
