"""The tables of docs/rsync.md: what each of rsync's options is in mrsync."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mrsync.cli.registry.declared.foreign import FOREIGN, Foreign
from mrsync.cli.registry.option import MRSYNC, Option
from mrsync.cli.registry.options import options_of
from mrsync.cli.registry.rsync_form import rsync_names

SAME, STANDS, ALWAYS, REFUSED = "same", "other", "always", "refused"
_TABLE = re.compile(r"(<!-- rsync: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_OF_ALL = {
    "--help": "the same; `-h` is `--human-readable`, as with rsync",
    "-V --version": "the same",
    "--port PORT": "the UDP port of casting; there is no daemon",
}


def rsync_tables_filled(document: str) -> str:
    """Return a document with the tables of rsync's options made anew that its comments ask for."""
    return _TABLE.sub(lambda match: f"{match[1]}{_table(match[2])}{match[3]}", document)


def covered() -> set[str]:
    """Return every name of rsync's that some table has."""
    names = {name for option in options_of(MRSYNC) for name in option.rsync.split()}
    names |= {name for text in _OF_ALL for name in text.split()}
    return names | {name for foreign in FOREIGN for name in foreign.names.split()}


def _table(kind: str) -> str:
    rows = _same_rows() if kind == SAME else map(_foreign_row, (each for each in FOREIGN if _kind(each) == kind))
    head = {SAME: "in mrsync", REFUSED: "why, or what to use instead"}.get(kind, "what it is")
    return "".join((f"| rsync | {head} |\n|---|---|\n", *rows))


def _kind(foreign: Foreign) -> str:
    return REFUSED if foreign.is_refused else STANDS if foreign.sets or foreign.counts else ALWAYS


def _same_rows() -> Iterator[str]:
    for option in options_of(MRSYNC):
        if option.rsync:
            yield f"| `{_shown(option.rsync, option.value())}` | {_text(option)} |\n"
    for names, text in _OF_ALL.items():
        yield f"| `{names.replace(' -', ', -')}` | {text} |\n"


def _text(option: Option) -> str:
    """Its help, and its own names where these are others."""
    others = [name for name in rsync_names(option) if name not in option.rsync.split()]
    return f"{option.help}; also `{'`, `'.join(others)}`" if others else option.help


def _foreign_row(foreign: Foreign) -> str:
    return f"| `{_shown(foreign.names, foreign.metavar)}` | {foreign.why} |\n"


def _shown(names: str, value: str = "") -> str:
    return f"{', '.join(names.split())}{f' {value}' if value else ''}".replace("|", "\\|")
