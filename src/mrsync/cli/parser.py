"""The parser of every command: what is wrong becomes one sentence."""

from __future__ import annotations

import argparse
from typing import NoReturn

from mrsync import __version__
from mrsync.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def make_parser(name: str, description: str) -> Parser:
    parser = Parser(name, description=description, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser
