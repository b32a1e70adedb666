"""The options that say which files are taken, how they are compared and how they are put in place."""

from __future__ import annotations

import argparse

from mrsync.tree.policy import Policy
from mrsync.tree.selection import Selection


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """What mrsync and multicaster have in common."""
    add = parser.add_argument
    add("--delete", action=argparse.BooleanOptionalAction, default=True, help="delete what SOURCE lacks; default: yes")


def policy(options: argparse.Namespace) -> Policy:
    """What the targets are told."""
    return Policy(deletes=options.delete)


def selection(options: argparse.Namespace) -> Selection:
    """What is taken of the source."""
    return Selection()
