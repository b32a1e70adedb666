"""Break the lines of help between words, for the width of the terminal."""

from __future__ import annotations

import re

WIDTH_MAX = 100  # columns; longer lines are hard to read


def columns() -> int:
    """Return how many columns a line of help may have."""
    import shutil  # help is rarely shown

    return min(WIDTH_MAX, shutil.get_terminal_size().columns)


def filled(text: str) -> str:
    """Return a text with each line that is too long broken between words.

    The rest goes below the second column if the line has columns two spaces apart, else below the start of the line.
    """
    return "\n".join(map(_broken, text.splitlines()))


def _broken(line: str) -> str:
    import textwrap

    start = re.match(r" *(?:\S+(?: \S+)?  +)?", line)
    indent = " " * (start.end() if start else 0)
    return textwrap.fill(line, columns(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
