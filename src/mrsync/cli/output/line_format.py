"""Lines of --out-format: one per change, in rsync's notation."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable

from mrsync.run.cast.ledger import Line
from mrsync.run.cast.outcome import About

TRANSFER = "%n%L"  # what --info=name means
NOTHING = ""  # only deletions are shown
_ESCAPE = re.compile(r"%('*)(-?\d{0,4})('*)([A-Za-z%])")
_UNSUPPORTED = {
    "b": "all targets share the cost of a file",
    "c": "there are no checksums of blocks",
    "C": "there are no checksums of whole files",
}
_FOR_DAEMONS = "amPu"


def problem_of(text: str) -> str | None:
    """Return why a format cannot be used, or None."""
    for match in _ESCAPE.finditer(text):
        if match[4] in _UNSUPPORTED:
            return f"%{match[4]}: {_UNSUPPORTED[match[4]]}"
    return None


def formatted(text: str, line: Line, about: Callable[[bytes], About], who: str, path: str, lead: str) -> str | None:
    """Return the line for a change, or None if rsync would print none.

    text: the format, as of --out-format. about: tells what the source has at a path. who: the folded targets. path,
    lead: those of the change, escaped.
    """
    deleted = line.letters.startswith("*deleting")
    escapes = {match[4] for match in _ESCAPE.finditer(text)}
    if deleted and not escapes & {"i", "o"}:
        return f"deleting {path}"
    if text == NOTHING or (not deleted and "i" not in escapes and not _is_told(line.letters)):
        return None
    values: dict[str, Callable[[], str | int]] = {
        "i": lambda: line.letters,
        "n": lambda: path,
        "f": lambda: path.rstrip("/"),
        "L": lambda: lead,
        "l": lambda: about(line.path).size,
        "M": lambda: _time(about(line.path).seconds, "-"),
        "B": lambda: stat.filemode(about(line.path).mode)[1:] if about(line.path).mode else "-" * 9,
        "U": lambda: about(line.path).uid,
        "G": lambda: about(line.path).gid,
        "h": lambda: who,
        "o": lambda: "del." if deleted else "send",
        "p": os.getpid,
        "%": lambda: "%",
        "t": lambda: _time(time.time(), " "),
    }

    def value(match: re.Match[str]) -> str:
        before, width, behind, letter = match.groups()
        if letter not in values:
            return "" if letter in _FOR_DAEMONS else match[0]
        found = values[letter]()
        shown = number(found, len(before + behind)) if isinstance(found, int) else found
        return _padded(shown, width)

    return _ESCAPE.sub(value, text)


def number(value: int, level: int) -> str:
    """Return a number at a level of --human-readable: 0 plain, 1 with commas, 2 in units of 1000, 3 of 1024."""
    unit = {2: 1000, 3: 1024}.get(min(level, 3), 0)
    if not unit or abs(value) < unit:
        return f"{value:,}" if level else str(value)
    amount = float(value)
    letters = iter("KMGTP")
    while True:
        amount, letter = amount / unit, next(letters)
        if abs(amount) < unit or letter == "P":
            return f"{amount:.2f}{letter}"


def _is_told(letters: str) -> bool:
    """Return whether a format without %i shows this change: any change, except of attributes of a non-directory."""
    return letters[0] != "." or letters[1] == "d"


def _padded(text: str, width: str) -> str:
    count = abs(int(width)) if width.strip("-") else 0
    return text.ljust(count) if width.startswith("-") else text.rjust(count)


def _time(seconds: float, between: str) -> str:
    return time.strftime(f"%Y/%m/%d{between}%H:%M:%S", time.localtime(seconds))
