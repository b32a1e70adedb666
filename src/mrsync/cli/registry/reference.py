"""Make documents from the options: Markdown tables for docs/cli.md, and man pages in roff."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mrsync import __version__
from mrsync.cli.registry.option import SECTIONS, Option
from mrsync.cli.registry.options import (
    DESCRIPTIONS,
    DOCUMENTS,
    DOCUMENTS_ONLINE,
    EXAMPLES,
    FORMS,
    PROGRAMS,
    options_of,
)
from mrsync.cli.registry.statuses import MEANINGS, meanings_of

# <!-- options of PROGRAM: SECTION; SECTION --> ... <!-- end of options -->
_TABLE = re.compile(r"(<!-- options of ([^:]+?)(?:: ([^\n]+?))? -->\n).*?(<!-- end of options -->)", re.DOTALL)
_STATUSES = re.compile(r"(<!-- exit statuses -->\n).*?(<!-- end of exit statuses -->)", re.DOTALL)


def filled(document: str) -> str:
    """Return a document in which the tables between marking comments are up to date."""

    def table(match: re.Match[str]) -> str:
        sections = match[3].split("; ") if match[3] else SECTIONS
        return f"{match[1]}{option_table(match[2], sections)}{match[4]}"

    document = _TABLE.sub(table, document)
    return _STATUSES.sub(lambda match: f"{match[1]}{_status_table()}{match[2]}", document)


def option_table(program: str, sections: Sequence[str]) -> str:
    """Return a Markdown table of a program's options, by section."""
    rows = [
        f"| {_form(option, program)} | {option.manual or option.help} |\n"
        for option in options_of(program)
        if option.section in sections
    ]
    return "".join(("| option | meaning |\n|---|---|\n", *rows))


def man_page(program: str) -> str:
    """Return the man page of a program in roff."""
    return "".join(f"{line}\n" for line in _man_lines(program))


def _form(option: Option, program: str) -> str:
    """Return an option as a table shows it: `-m, --targets TARGETS`."""
    value = option.value().join(option.around_value())
    return f"`{', '.join(option.all_names(program))}{value}`".replace("|", "\\|")


def _status_table() -> str:
    rows = (f"| {int(status)} | {meaning} |\n" for status, meaning in MEANINGS.items())
    return "".join(("| status | meaning |\n|---|---|\n", *rows))


def _man_lines(program: str) -> Iterator[str]:
    name = program.replace(" ", "-")
    yield f'.TH {name.upper()} 1 "" "mrsync {__version__}" "User Commands"'
    yield from (".SH NAME", _roff(f"{name} - {PROGRAMS[program][0].lower()}{PROGRAMS[program][1:].rstrip('.')}"))
    yield from (".SH SYNOPSIS", "\n.br\n".join(map(_roff, FORMS[program])))
    if program in DESCRIPTIONS:
        yield from (".SH DESCRIPTION", "\n.PP\n".join(map(_roff, DESCRIPTIONS[program])))
    yield ".SH OPTIONS"
    section = ""
    for option in options_of(program):
        if option.section != section:
            section = option.section
            yield f".SS {_roff(section.capitalize())}"
        value = f"\\fI{_roff(option.value())}\\fR".join(option.around_value()) if option.takes_value else ""
        names = ", ".join(f"\\fB{_roff(name)}\\fR" for name in option.all_names(program))
        yield from (".TP", names + value, _roff(plain(option.manual or option.help)))
    if program in EXAMPLES:
        yield ".SH EXAMPLES"
        for command, meaning in EXAMPLES[program].items():
            yield from (".TP", f"\\fB{_roff(command)}\\fR", _roff(meaning))
    yield ".SH EXIT STATUS"
    for status, meaning in meanings_of(program).items():
        yield from (".TP", f"\\fB{int(status)}\\fR", _roff(meaning))
    yield from (".SH FILES", ".TP", "/etc/mrsync/config.toml, ~/.config/mrsync/config.toml")
    yield _roff("Settings: the long names of options with their values, in TOML.")
    others = ", ".join(f"\\fB{_roff(other.replace(' ', '-'))}\\fR(1)" for other in PROGRAMS if other != program)
    yield from (
        ".SH SEE ALSO",
        f"{others}, \\fBrsync\\fR(1)",
        f"{DOCUMENTS_ONLINE}, with the Debian package {DOCUMENTS}",
    )


def plain(markdown: str) -> str:
    """Return Markdown without markup. Links become their names."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown).replace("`", "")


def _roff(text: str) -> str:
    """Escape backslashes, hyphens and leading dots for roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
