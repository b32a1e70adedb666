"""Text from elsewhere made fit to be shown: every layer may use it, where text enters the program."""

from __future__ import annotations


def escape_controls(text: bytes | str) -> str:
    r"""The text on one line, with backslash escapes (\x1b, \u202e) for what a terminal or a reader could misread.

    That is all that Python does not call printable: control characters (C0, C1), line ends, marks that turn the
    direction of writing, half surrogates; and bytes that are no UTF-8.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text])
