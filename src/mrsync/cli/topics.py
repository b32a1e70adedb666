"""The command mrsync help TOPIC: explain an option, a section of options, a command, or the exit statuses."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from mrsync.cli.registry.completion import SHELLS
from mrsync.cli.registry.line_breaks import columns, filled
from mrsync.cli.registry.option import FILELIST, MRSYNC, SECTIONS, Option
from mrsync.cli.registry.options import OPTIONS, PROGRAMS
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
SPEAKING_MAX = 6  # options that a message names
_INDENT = " " * 8


def help_on(topics: Sequence[str]) -> Iterator[str]:
    """Yield the help on each topic, or the list of topics. Raise UsageError for an unknown topic."""
    if not topics:
        yield "mrsync help TOPIC explains one of these:\n"
        yield filled(f"  a command    {', '.join([*_COMMANDS, *_SMALL_COMMANDS])}")
        yield "  an option    by its long name or letter: commit, --commit, -w"
        yield filled(f"  a section    {'; '.join(SECTIONS)}")
        yield f"  {_EXIT}         the exit statuses"
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
    elif topic == _EXIT:
        yield from (filled(f"  {int(status):>2}  {meaning}") for status, meaning in MEANINGS.items())
    elif found := [section for section in SECTIONS if topic == section or topic in section.split()]:
        for option in OPTIONS:
            if option.section in found and MRSYNC in option.programs:
                yield from _lines(option)
    elif options:
        for option in options:
            yield from _lines(option)
    else:
        known = [*_COMMANDS, *_SMALL_COMMANDS, _EXIT, *SECTIONS, *(option.key for option in OPTIONS)]
        hint = did_you_mean(name, known) or _speaking_of(name)
        raise UsageError(f"there is no help on {topic}{hint} (see mrsync help)")


def _speaking_of(word: str) -> str:
    """Return "; options that speak of it: ..." with the options of mrsync whose help has this word, or ""."""
    has_word = re.compile(rf"\b{re.escape(word)}", re.IGNORECASE).search
    found = [
        each.names(MRSYNC)[-1] for each in OPTIONS if MRSYNC in each.programs and has_word(each.manual or each.help)
    ]
    return f"; options that speak of it: {', '.join(found[:SPEAKING_MAX])}" if word and found else ""


def _is_called(option: Option, topic: str) -> bool:
    names = {name for program in option.programs for name in option.all_names(program)}
    return not names.isdisjoint((topic, f"-{topic}", f"--{topic}"))


def _lines(option: Option) -> Iterator[str]:
    value = option.value().join(option.around_value())
    yield filled(f"{', '.join(option.all_names(option.programs[0]))}{value}    ({', '.join(option.programs)})")
    text = plain(option.manual or option.help)
    yield textwrap.fill(text, columns(), initial_indent=_INDENT, subsequent_indent=_INDENT)
