"""Make the parser of a program from its options. Errors become one sentence."""

from __future__ import annotations

import argparse
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from mrsync import __version__
from mrsync.cli.registry.declared.foreign import FOREIGN, Foreign
from mrsync.cli.registry.line_breaks import filled
from mrsync.cli.registry.option import COUNT, FILELIST, FLAG, LIST, MRSYNC, ORDERED, REPORT, SWITCH, VALUE, Option
from mrsync.cli.registry.options import DOCUMENTS, DOCUMENTS_ONLINE, EXAMPLES, FORMS, PROGRAMS, options_of
from mrsync.cli.registry.statuses import meanings_of
from mrsync.errors import UsageError
from mrsync.spelling import did_you_mean
from mrsync.tuples import NamedTuple

_POSITIONALS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    MRSYNC: (("positionals", {"nargs": "*", "help": argparse.SUPPRESS}),),
    FILELIST: (
        ("output", {"metavar": "RSYNC_OUTPUT", "help": "a file with rsync's output; -: stdin"}),
        ("source", {"metavar": "SOURCE", "help": "the directory that rsync read, to resolve ambiguous lines"}),
    ),
    REPORT: (("file", {"metavar": "FILE.json", "help": "what --report FILE.json wrote; -: stdin"}),),
}
_ALL = "all"
_ACTIONS: dict[str, dict[str, Any]] = {
    VALUE: {},
    LIST: {"action": "append"},
    SWITCH: {"action": argparse.BooleanOptionalAction},
    COUNT: {"action": "count"},
}

_LACKS_VALUE = re.compile(r"argument ([^:]+): expected one argument")
_NO_VALUE = re.compile(r"argument (?:-\w/)?--([\w-]+).*: ignored explicit argument '(.*)'")


class Words(NamedTuple):
    """A command line, split. strangers: the unknown ones among the options."""

    options: list[str]
    operands: list[str]
    strangers: list[str]


class _Layout(argparse.RawDescriptionHelpFormatter):
    """Keep the lines of descriptions and epilogs, but break those that are too long between words."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return filled(text)


class Parser(ArgumentParser):
    """ArgumentParser that raises UsageError instead of exiting.

    As in rsync, an option takes the next word as its value even if that begins with a dash: `--chmod -w`.
    paths: attributes of options whose value is a path. singles: of those that cannot have two values.
    """

    def __init__(self, *arguments: Any, **words: Any) -> None:
        super().__init__(*arguments, **words)
        self.paths: set[str] = set()
        self.singles: set[str] = set()

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse arguments. Operands may be anywhere among the options."""
        args = sys.argv[1:] if args is None else args
        for word in args:
            _check_word(word)
        words = self.sort_out(args)
        self._check_singles(words.options)
        return super().parse_args([*words.options, *(["--", *words.operands] if words.operands else [])], namespace)

    def sort_out(self, words: Iterable[str]) -> Words:
        """Separate options from operands. Each option becomes one word with its value.

        Raise UsageError if a value is --.
        """
        found = Words([], [], [])
        remaining = deque(words)
        while remaining:
            word = remaining.popleft()
            if word == "--":
                found.operands.extend(remaining)
                break
            if word.startswith("--"):
                self._take_long(word, remaining, found)
            elif word.startswith("-") and word != "-":
                self._take_letters(word, remaining, found)
            else:
                found.operands.append(word)
        return found

    def _take_long(self, word: str, remaining: deque[str], found: Words) -> None:
        name, equals, _ = word.partition("=")
        action = self._option_string_actions.get(name)
        if action is None:
            found.strangers.append(word)
        found.options.append(word if action is None or equals else self._with_value(name, action, remaining))

    def _take_letters(self, word: str, remaining: deque[str], found: Words) -> None:
        """Split a word of letters: -Hcm is -H -c -m.

        The rest of the word is the value of the first letter that takes one.
        """
        for place, letter in enumerate(word[1:], 1):
            name, rest = f"-{letter}", word[place + 1 :]
            action = self._option_string_actions.get(name)
            if action is None:
                unknown = word if place == 1 or letter == "-" else f"-{word[place:]}"  # not --REST, which has a meaning
                found.strangers.append(unknown)
                found.options.append(unknown)
                return
            if action.nargs is None and rest:
                found.options.append(f"{name}={rest.removeprefix('=')}")
                return
            found.options.append(self._with_value(name, action, remaining))

    def _with_value(self, name: str, action: argparse.Action, remaining: deque[str]) -> str:
        """Return an option and its value as one word, which argparse cannot misinterpret: `--chmod=-w`, `-m=a`."""
        is_taken = remaining and (action.nargs is None or (isinstance(action, Help) and remaining[0] == _ALL))
        value = remaining.popleft() if is_taken else None
        if value == "--":  # argparse would drop this value
            self.error(f"argument {name}: -- is not a value")
        return name if value is None else f"{name}={value}"

    def note(self, option: Option) -> None:
        """Remember an option that was added to the parser."""
        if option.is_path:
            self.paths.add(option.attribute)
        if option.is_single:
            self.singles.add(option.attribute)

    def swallowed_by(self, word: str) -> str:
        """Return the option that stands where this one has its value, or "". word: an option, as `sort_out` has it."""
        name, _, value = word.partition("=")
        action = self._option_string_actions.get(name)
        is_free = action is None or not (action.choices or action.type)  # such as a pattern, which may be anything
        is_option = value.startswith("-") and {value.partition("=")[0], value[:2]} & self._option_string_actions.keys()
        return value if is_option and not is_free else ""

    def _check_singles(self, options: Iterable[str]) -> None:
        """Raise UsageError if an option that can have one value is given two."""
        given: dict[str, str] = {}
        for word in options:
            name, equals, value = word.partition("=")
            action = self._option_string_actions.get(name)
            if action is None or not equals or action.dest not in self.singles:
                continue
            before = given.setdefault(action.dest, value)
            if before != value:
                self.error(f"{name} is given twice, with {before} and with {value}")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Return the values of an option. An empty path is an unset variable of a script, and never what was meant."""
        if action.dest in self.paths and "" in arg_strings:
            raise argparse.ArgumentError(action, "the path is empty")
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError, with a suggestion if an option is unknown."""
        if message.startswith("unrecognized"):
            message = message.replace(" -- ", " ", 1)  # which parse_args has added
        if lone := _LACKS_VALUE.match(message):
            action = self._option_string_actions[lone[1].split("/")[-1]]
            value = action.metavar or "|".join(action.choices or ())
            message = f"{lone[1]} lacks its value, {value}: {(action.help or '').replace('%%', '%')}".rstrip(" :")
        if valued := _NO_VALUE.match(message):
            message = f"--{valued[1]} takes no value, as in --{valued[1]}={valued[2]}"
            if f"--no-{valued[1]}" in self._option_string_actions:
                message += f"; its opposite is --no-{valued[1]}"
        unknown = re.match(r"unrecognized arguments: (--?[^\s=]+)", message)
        foreign = self._foreign(unknown[1]) if unknown else None
        if unknown and foreign is not None:
            name = unknown[1] if unknown[1].startswith("--") else unknown[1][:2]
            message = f"{name} is for SOURCE... TARGETS:DEST only, not for -m"
            if foreign.is_refused:
                message = f"{name} is not supported: {foreign.why}"
        elif unknown and self.prog == MRSYNC and unknown[1] in ("-e", "--rsh"):
            message = f"{unknown[1]} is for SOURCE... TARGETS:DEST only; with -m the remote shell is -r"
        elif unknown and (owner := self._owner_of(unknown[1].lstrip("-"))):
            message = f"there is no option {unknown[1]}; did you mean {owner} {unknown[1].lstrip('-')}?"
        elif unknown:
            message = f"there is no option {unknown[1]}{did_you_mean(unknown[1], self._option_string_actions)}"
        elif (operands := message.removeprefix("unrecognized arguments: ")) != message and not unknown:
            hint = "; TARGETS are given by -m" if "-m" in self._option_string_actions else ""
            message = f"unexpected: {operands}{hint}"
        elif (names := message.removeprefix("the following arguments are required: ")) != message:
            message = f"{names} {'are' if ', ' in names else 'is'} missing"
        raise UsageError(f"{message} (see {self.prog} --help)")

    def _owner_of(self, value: str) -> str | None:
        """Return the longest name of an option that has this value, such as --progress of json."""
        owners = [action for action in self._actions if action.option_strings and value in (action.choices or ())]
        return max(owners[0].option_strings, key=len) if owners else None

    def _foreign(self, name: str) -> Foreign | None:
        """Return rsync's option with this name or first letter, if this program is the one for lines of rsync."""
        name = name if name.startswith("--") else name[:2]
        return next((one for one in FOREIGN if name in one.names.split()), None) if self.prog == MRSYNC else None


def _check_word(word: str) -> None:
    """Raise UsageError for a word that no command line has, but a settings file or a Python program may."""
    try:
        is_possible = b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        is_possible = False
    if not is_possible:
        name, sign, _ = word.partition("=")
        what = name if sign and name.isascii() and name.startswith("--") else ascii(word)
        raise UsageError(f"{what}: a value cannot have a NUL character or half a surrogate pair")


class InOrder(argparse.Action):
    """Record the option with its value in the list of options whose order matters."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, value: Any, option: str | None = None) -> None:
        namespace.rule_options = [*namespace.rule_options, (self.option_strings[-1], value)]


class Help(argparse.Action):
    """Show the common options for `--help`, and all options for `--help all`."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, value: Any, option: str | None = None) -> None:
        if value not in (self.const, _ALL):
            parser.error(f"argument {option}: give nothing or {_ALL}")
        make_parser(self.const, called=parser.prog, has_all=value == _ALL).print_help()
        parser.exit()


class Version(argparse.Action):
    """Show the version and the abilities of this host."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, value: Any, option: str | None = None) -> None:
        print(f"{parser.prog} {__version__}")
        if parser.prog == MRSYNC:
            from mrsync.cli.registry.abilities import ability_lines

            print(*ability_lines(), sep="\n")
        parser.exit()


def make_parser(program: str, *, called: str = "", has_all: bool = True) -> Parser:
    """Return the parser of a program.

    called: the name by which the user calls it, if different. has_all: False for only the common options, for help.
    """
    parser = Parser(
        called or program,
        description=PROGRAMS[program],
        epilog=_epilog(program, has_all),
        formatter_class=_Layout,
        allow_abbrev=False,
        add_help=False,
    )
    parser.usage = "\n       ".join(FORMS[program]).replace(program, called or program)
    parser.add_argument(
        "-h", "--help", action=Help, nargs="?", metavar=_ALL, const=program, help="this text; all: every option"
    )
    letter = ["-V"] if program == MRSYNC else []  # rsync's
    parser.add_argument(
        *letter, "--version", action=Version, nargs=0, help="show the version and the abilities of this host"
    )
    for name, words in _POSITIONALS.get(program, ()):
        parser.add_argument(name, **words)
    groups: dict[str, Any] = {}
    for option in options_of(program):
        if has_all or option.is_common:
            if option.section not in groups:
                groups[option.section] = parser.add_argument_group(option.section)
            add_option(group_of(groups, option, program) if has_all else groups[option.section], option, program)
            parser.note(option)
    parser.set_defaults(rule_options=[], rules=None, remote_dir=None, is_rsync_form=False)
    return parser


def group_of(groups: dict[str, Any], option: Option, program: str) -> Any:
    """Return the argparse group of an option: its section, or in that, the options that exclude each other.

    groups: by section, and by what excludes each other; one of the latter is added if it is missing.
    """
    section = groups[option.section]
    if not option.conflicts:
        return section
    if option.conflicts not in groups:
        groups[option.conflicts] = section.add_mutually_exclusive_group(required=program in option.required_by)
    return groups[option.conflicts]


def add_option(group: Any, option: Option, program: str) -> None:
    """Add an option to argparse."""
    words: dict[str, Any] = {"help": option.help.replace("%", "%%"), "dest": option.attribute}
    if option.takes_value:
        words |= {"metavar": option.metavar, "type": option.type, "choices": option.choices or None}
    if option.alone is not None:
        words |= {"nargs": "?", "const": option.alone}
    if program in option.required_by and not option.conflicts:
        words["required"] = True
    if option.how == FLAG:
        constant = option.stores[1] if option.stores else True
        words |= {"action": "store_const", "const": constant, "default": option.default if option.stores else False}
    elif option.how == ORDERED:
        words |= {"action": InOrder} | ({} if option.takes_value else {"nargs": 0})
    else:
        words |= {"default": option.default} | _ACTIONS[option.how]
    group.add_argument(*option.names(program), **words)


def documents() -> str:
    """Return where the documents are: here, as with the Debian package and in a checkout, or online."""
    checkout, is_checkout, _ = __file__.rpartition("/src/mrsync/")
    places = (DOCUMENTS, *([f"{checkout}/docs"] if is_checkout else []))
    return next((place for place in places if os.path.isfile(f"{place}/cli.md")), DOCUMENTS_ONLINE)


def _epilog(program: str, has_all: bool) -> str:
    if has_all:
        statuses = "\n".join(f"  {status:>2}  {meaning}" for status, meaning in meanings_of(program).items())
        return f"exit status:\n{statuses}\n\nDocuments: {documents()}"
    name = program.split()[0] if program == FILELIST else program
    return f"{_examples(program)}\n{name} --help all lists every option; mrsync help TOPIC explains one."


def _examples(program: str) -> str:
    lines = [f"  {command}\n      {meaning}\n" for command, meaning in EXAMPLES.get(program, {}).items()]
    return "".join(("examples:\n", *lines)) if lines else ""
