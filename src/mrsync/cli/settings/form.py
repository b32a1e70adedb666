"""Decide which of two forms a command line has: -m TARGETS -s SOURCE with 4.0.1's letters, or rsync's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from mrsync.cli.registry.declared.foreign import DEFAULTS
from mrsync.cli.registry.option import MRSYNC
from mrsync.cli.registry.parser import Parser, Words, make_parser
from mrsync.cli.registry.rsync_form import make_rsync_parser
from mrsync.cli.settings.places import FORMS
from mrsync.errors import UsageError
from mrsync.run.settings import LOCAL
from mrsync.tuples import NamedTuple


class Form(NamedTuple):
    """A form. words: the command line, for `parser`. settings: the parser of settings files, with the same defaults."""

    words: list[str]
    parser: Parser
    settings: Parser


def form_of(words: Sequence[str]) -> Form:
    """Return the form of a command line. Raise UsageError.

    A line with operands (words that are neither options nor their values) has rsync's form. The exceptions are lines
    that make sense with 4.0.1's letters only, such as `-r rsh -I eth1 SOURCE TARGETS:DEST`. Those are parsed with these
    letters, but like rsync they delete only if they say so.
    """
    own = make_parser(MRSYNC)
    mine = own.sort_out(words)
    if not mine.operands:
        if mine.strangers and not _names_a_place(mine) and not make_rsync_parser().sort_out(words).strangers:
            raise UsageError(FORMS)  # options of rsync, and nothing else
        return Form(list(words), own, own)
    if not mine.strangers:
        _check_values(own, mine)
        _check_list(mine)
    elif _has_own_places(mine):
        own.error(f"unrecognized arguments: {mine.strangers[0]}")
    theirs = make_rsync_parser()
    read = theirs.sort_out(words)
    is_own = not mine.strangers and len(mine.operands) == 2 and ":" in mine.operands[1]
    if is_own and mine.operands != read.operands and (read.strangers or not _fits(read.operands, mine.operands)):
        own.set_defaults(delete=False)
        return Form(list(words), own, own)
    own.set_defaults(is_rsync_form=True, **DEFAULTS)
    return Form([*_from_environment(), *_with_local(words)], theirs, own)


def _fits(operands: Sequence[str], mine: Sequence[str]) -> bool:
    """Return whether operands, as rsync reads them, are SOURCEs and TARGETS:DEST.

    mine: SOURCE and TARGETS:DEST as 4.0.1 reads them. Where that SOURCE does not exist, one of rsync's is enough.
    """
    *sources, there = operands
    are_enough = all if os.path.lexists(mine[0]) else any
    return bool(sources) and ":" in there and are_enough(map(os.path.lexists, sources))


def _names_a_place(line: Words) -> bool:
    """Return whether a line names targets or the source by an option."""
    named = {word.partition("=")[0] for word in line.options}
    return not named.isdisjoint(("-m", "--targets", "-s", "--source"))


def _has_own_places(line: Words) -> bool:
    """Return whether a line names targets, source and destination by options, and none of its operands can be rsync's.

    line: split with the letters of the form -m TARGETS -s SOURCE.
    """
    named = {word.partition("=")[0] for word in line.options}
    is_named = all(named.intersection(names) for names in (("-m", "--targets"), ("-s", "--source")))
    return is_named and not any(":" in word for word in line.operands)


def _from_environment() -> Iterator[str]:
    """Yield the remote shell that rsync's variable names; an option on the command line counts more."""
    if shell := os.environ.get("RSYNC_RSH"):
        yield f"--rsh={shell}"


def _with_local(words: Sequence[str]) -> Iterable[str]:
    """Replace `-r local` by --rsh=local, as in the other form, unless a file here is named `local`."""
    places = [place for place, word in enumerate(words[1:], 1) if (words[place - 1], word) == ("-r", LOCAL)]
    if not places or os.path.lexists(LOCAL):
        return words
    return [*words[: places[0] - 1], f"--rsh={LOCAL}", *words[places[0] + 1 :]]


def _check_values(own: Parser, line: Words) -> None:
    """Raise UsageError if an option of the form -m TARGETS -s SOURCE takes another option as its value: --progress -s.

    line: split with the letters of that form. It has operands.
    """
    if not _names_a_place(line) or any(":" in word for word in line.operands):
        return
    for word in line.options:
        if option := own.swallowed_by(word):
            own.error(f"argument {word.partition('=')[0]}: expected one argument, before {option}")


def _check_list(line: Words) -> None:
    """Raise UsageError if there are operands beside -m TARGETS, such as more targets: the shell expands node[1-3].

    line: split with the letters of the form -m TARGETS -s SOURCE. It has operands; one with a slash is a path. In a
    line of rsync, -m means something else, and a directory may follow it.
    """
    given = dict(word.split("=", 1) for word in line.options if "=" in word)
    targets = given.get("-m", given.get("--targets"))
    if not targets or os.path.isdir(targets) or any(":" in word for word in (targets, *line.operands)):
        return
    unexpected = f"unexpected: {' '.join(line.operands)}"
    if any("/" in word for word in line.operands) or given.keys().isdisjoint(("-s", "--source")):
        raise UsageError(f"{unexpected}; with -m, SOURCE is given by -s, and DEST by -t (see mrsync --help)")
    hint = "; to leave targets out: --exclude-target" if "-x" in line.options else ""
    raise UsageError(
        f"{unexpected}; if these are targets, list them all in one word, and quote a range, as in -m 'node[1-3]', or "
        f"the shell replaces it by names of files{hint}"
    )
