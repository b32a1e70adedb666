"""The parser of every command: what is wrong becomes one sentence."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from mrsync import __version__
from mrsync.errors import UsageError

# Sections of --help, in the order in which they are asked for first.
WHAT, CHOICE = "what and where", "which files"
KEEPING, DELETION = "how files are compared and kept", "deletion and backups"
NETWORK, REMOTE, OUTPUT = "network", "remote shell", "output and settings"


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would exit.

    An option takes the word behind it for its value whatever that begins with, as rsync's do: `--chmod -w`.
    """

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        return super().parse_args(None if args is None else list(self._joined(args)), namespace)

    def _joined(self, words: Sequence[str]) -> Iterator[str]:
        """Each option and its value as one word, which argparse takes for nothing else: `--chmod=-w`, `-m=a`."""
        actions = self._option_string_actions
        remaining = iter(words)
        for word in remaining:
            if word == "--":
                yield word
                break
            *switches, last = self._split(word)
            yield from switches
            takes_value = last in actions and actions[last].nargs is None
            value = next(remaining, None) if takes_value else None
            if value == "--":  # argparse would drop it
                self.error(f"argument {last}: -- is no value")
            yield last if value is None else f"{last}={value}"
        yield from remaining

    def _split(self, word: str) -> list[str]:
        """The options that one word of letters stands for, -Hcm for -H -c -m; else the word as it is."""
        letters = [f"-{letter}" for letter in word[1:]]
        actions = self._option_string_actions
        if not word.startswith("-") or len(letters) < 2 or any(letter not in actions for letter in letters):
            return [word]
        return letters if all(actions[letter].nargs == 0 for letter in letters[:-1]) else [word]

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
