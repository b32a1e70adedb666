"""Suggest what a misspelled word was meant to be, and write numbers with their nouns."""

from __future__ import annotations

from collections.abc import Iterable

LIKENESS_MIN = 0.7  # of two words, from 0 to 1; a suggestion that is far off helps nobody


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most similar to an unknown one, or None if none is similar."""
    from difflib import get_close_matches  # only wrong command lines need it

    return next(iter(get_close_matches(word, sorted(known), 1, LIKENESS_MIN)), None)


def did_you_mean(word: str, known: Iterable[str], *, before: str = "", after: str = "") -> str:
    """Return "; did you mean X?" with the known word that is closest to an unknown one, or "" if none is similar.

    before, after: what the user would write around the word.
    """
    meant = closest(word, known)
    return f"; did you mean {before}{meant}{after}?" if meant else ""


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun, such as "1 file" or "3 entries". several: without it, one and an s."""
    return f"{number} {one if number == 1 else several or f'{one}s'}"
