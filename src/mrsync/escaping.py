"""Escape text from elsewhere so that it is safe to print. Every layer uses this where text enters the program."""

from __future__ import annotations


def escape_controls(text: bytes | str) -> str:
    r"""Return the text on one line, with backslash escapes (\x1b, \u202e) for everything that is not printable.

    Besides control characters and line ends, these are marks that change the direction of writing, lone surrogates, and
    bytes that are not UTF-8.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text])
