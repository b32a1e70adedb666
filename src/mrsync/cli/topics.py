"""The command mrsync help TOPIC: explain an option, a section of options, a command, or the exit statuses."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from mrsync.cli.registry.completion import SHELLS
from mrsync.cli.registry.declared.foreign import FOREIGN, Foreign
from mrsync.cli.registry.line_breaks import columns, filled
from mrsync.cli.registry.option import FILELIST, MRSYNC, SECTIONS, Option
from mrsync.cli.registry.options import FORMS, OPTIONS, PROGRAMS
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.registry.reference import plain
from mrsync.cli.registry.statuses import MEANINGS
from mrsync.errors import UsageError
from mrsync.spelling import did_you_mean

_COMMANDS = {program.split()[-1]: program for program in PROGRAMS} | {"filelist": FILELIST}
_SMALL_COMMANDS = {  # without options of their own: (arguments, what it does)
    "demo": ("", "Copy a tree to three directories of this host, change it, copy it again, and verify the result."),
    "completion": (
        f" {'|'.join(SHELLS)}",
        'Print completions. For bash, put this into ~/.bashrc:\n  eval "$(mrsync completion bash)"',
    ),
    "config": (" --show [options of mrsync]", "Show every setting, its value, and where it comes from."),
    "help": (" [TOPIC ...]", "Explain options, commands, sections of options, or the exit statuses."),
}
_EXIT = "exit"
_EXIT_TOO = (_EXIT, "status", "exit status", "exit statuses")
_RSYNC = "rsync"
SPEAKING_MAX = 6  # options that a message names
_IN_RSYNC_FORM = "mrsync, in rsync's form"
_INDENT = " " * 8


def help_on(topics: Sequence[str]) -> Iterator[str]:
    """Yield the help on each topic, or the list of topics. Raise UsageError for an unknown topic."""
    if not topics:
        yield "mrsync help TOPIC explains one of these:\n"
        yield filled(f"  a command    {', '.join([*_COMMANDS, *_SMALL_COMMANDS])}")
        yield "  an option    by its long name or letter: commit, --commit, -w"
        yield filled(f"  a section    {'; '.join(SECTIONS)}")
        yield f"  {_EXIT}         the exit statuses; a number: one of them"
        yield f"  {_RSYNC}        the form of rsync's lines, and what its options mean there"
    for topic in topics:
        yield from _explain(topic)


def _explain(topic: str) -> Iterator[str]:
    name = topic.strip("-")
    options = [option for option in OPTIONS if _is_called(option, topic)]
    if topic in _COMMANDS and not topic.startswith("-"):
        yield make_parser(_COMMANDS[topic]).format_help()
    elif topic in _SMALL_COMMANDS:
        form, meaning = _SMALL_COMMANDS[topic]
        yield filled(f"usage: mrsync {topic}{form}\n\n{meaning}")
        for option in options:  # help and config are options, too
            yield ""
            yield from _lines(option)
    elif found := [status for status in MEANINGS if topic in (*_EXIT_TOO, str(int(status)))]:
        yield from (filled(f"  {int(status):>2}  {MEANINGS[status]}") for status in found)
    elif topic == _RSYNC:
        yield f"usage: {FORMS[MRSYNC][1]}\n"
        yield from (line for foreign in FOREIGN for line in _foreign_lines(foreign))
    elif sections := [section for section in SECTIONS if topic == section or topic in section.split()]:
        for option in OPTIONS:
            if option.section in sections and MRSYNC in option.programs:
                yield from _lines(option)
    elif lines := [line for option in options for line in _lines(option)] + list(_rsync_lines(topic, options)):
        yield from lines
    else:
        known = [*_COMMANDS, *_SMALL_COMMANDS, _EXIT, *SECTIONS, *(option.key for option in OPTIONS)]
        hint = did_you_mean(name, known) or _speaking_of(name)
        raise UsageError(f"there is no help on {topic}{hint} (see mrsync help)")


def _speaking_of(word: str) -> str:
    """Return "; options that mention it: ..." with the options of mrsync whose help has this word, or ""."""
    has_word = re.compile(rf"\b{re.escape(word.removesuffix('s'))}", re.IGNORECASE).search
    found = [
        each.names(MRSYNC)[-1] for each in OPTIONS if MRSYNC in each.programs and has_word(each.manual or each.help)
    ]
    return f"; options that mention it: {', '.join(found[:SPEAKING_MAX])}" if word and found else ""


def _is_called(option: Option, topic: str) -> bool:
    return _is_among(topic, [name for program in option.programs for name in option.all_names(program)])


def _is_among(topic: str, names: Iterable[str]) -> bool:
    return not {topic, f"-{topic}", f"--{topic}"}.isdisjoint(names)


def _lines(option: Option) -> Iterator[str]:
    names = option.all_names(option.programs[0])
    yield from _entry(names, option, ", ".join(option.programs))


def _entry(names: Sequence[str], option: Option, where: str) -> Iterator[str]:
    value = option.value().join(option.around_value())
    yield from _paragraph(f"{', '.join(names)}{value}    ({where})", option.manual or option.help)


def _rsync_lines(topic: str, explained: Sequence[Option]) -> Iterator[str]:
    """Yield what a name means in rsync's form, unless it is one of the options that are explained already."""
    for option in OPTIONS:
        if option not in explained and _is_among(topic, option.rsync.split()):
            yield from _entry(option.rsync.split(), option, _IN_RSYNC_FORM)
    for foreign in FOREIGN:
        if _is_among(topic, foreign.names.split()):
            yield from _foreign_lines(foreign)


def _foreign_lines(foreign: Foreign) -> Iterator[str]:
    names = ", ".join(foreign.names.split())
    value = f" {foreign.metavar}" if foreign.metavar else ""
    refused = "refused: " if foreign.is_refused else ""
    yield from _paragraph(f"{names}{value}    ({_IN_RSYNC_FORM})", refused + foreign.why)


def _paragraph(head: str, text: str) -> Iterator[str]:
    yield filled(head)
    yield textwrap.fill(plain(text), columns(), initial_indent=_INDENT, subsequent_indent=_INDENT)
