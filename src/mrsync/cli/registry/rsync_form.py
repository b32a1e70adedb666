"""The parser of `mrsync SOURCE... TARGETS:DEST`: rsync's letters and defaults, and all long names of mrsync."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from mrsync.cli.registry import foreign_values
from mrsync.cli.registry.declared.foreign import DEFAULTS, FOREIGN, KEPT, Foreign
from mrsync.cli.registry.option import COUNT, FLAG, MRSYNC, SWITCH, Option
from mrsync.cli.registry.options import FORMS, PROGRAMS, options_of
from mrsync.cli.registry.parser import Help, Parser, Version, add_option, group_of

VERBOSITY_MAX = 2
_CLAIMED = {
    *(name for foreign in FOREIGN for name in foreign.names.split()),
    *(name for option in options_of(MRSYNC) for name in option.rsync.split()),
}


class _Set(argparse.Action):
    """Set the attributes that an option of rsync stands for. const: values by attribute, or a function of its value."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, value: Any, option: str | None = None) -> None:
        try:
            values: Mapping[str, Any] = self.const(value) if callable(self.const) else self.const
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from error
        for name, wanted in values.items():
            setattr(namespace, name, wanted)


class _Refuse(argparse.Action):
    """Raise UsageError for an option of rsync. const: the reason."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, value: Any, option: str | None = None) -> None:
        parser.error(f"{option} is not supported: {self.const}")


class _More(argparse.Action):
    """List names for the first -v, as rsync does. Each further -v increases the verbosity, which shows hosts."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, value: Any, option: str | None = None) -> None:
        if namespace.lists_names:
            setattr(namespace, self.dest, min(VERBOSITY_MAX, getattr(namespace, self.dest) + 1))
        namespace.lists_names = True


def make_rsync_parser() -> Parser:
    """Return the parser of a command line in rsync's form."""
    parser = Parser(MRSYNC, description=PROGRAMS[MRSYNC], allow_abbrev=False, add_help=False, usage=FORMS[MRSYNC][1])
    parser.add_argument("--help", action=Help, nargs="?", const=MRSYNC)
    parser.add_argument("-V", "--version", action=Version, nargs=0)
    parser.add_argument("positionals", nargs="*")
    groups: dict[str, Any] = {}
    for option in options_of(MRSYNC):
        if option.section not in groups:
            groups[option.section] = parser.add_argument_group(option.section)
        _add(group_of(groups, option, MRSYNC), option)
        parser.note(option)
    for foreign in FOREIGN:
        if foreign.conflicts and foreign.conflicts not in groups:
            groups[foreign.conflicts] = parser.add_mutually_exclusive_group()
        _add_foreign(groups.get(foreign.conflicts, parser), foreign)
    parser.set_defaults(rule_options=[], rules=None, remote_dir=None, is_rsync_form=True, **DEFAULTS)
    return parser


def settle_kept(options: Namespace) -> None:
    """Decide what is preserved that no option is about.

    A line with -r or one of -l, -p, -t, -o and -g is one of rsync's, which says all that it wants. Another line keeps
    everything.
    """
    says_all = options.recursive or options.asks_for_times or any(getattr(options, name) for name in KEPT)
    for name in KEPT:
        if getattr(options, name) is None:
            setattr(options, name, not says_all)


def rsync_names(option: Option) -> list[str]:
    """Return an option's names in this form: rsync's, then its own long names that have no other meaning in rsync."""
    own = [name for name in option.flags.split() if name.startswith("--") and name not in _CLAIMED]
    return list(dict.fromkeys([*option.rsync.split(), *own]))


def _add(group: Any, option: Option) -> None:
    names = rsync_names(option)
    if option.key == "verbose":  # takes a level in the other form
        group.add_argument(*names, dest=option.attribute, action=_More, nargs=0, default=option.default)
    elif option.key == "progress":  # the value is optional
        group.add_argument(
            *names, dest=option.attribute, nargs="?", const="auto", choices=option.choices, default=option.default
        )
    elif option.key == "log-format":  # also rsync's old name of --out-format
        words = {"dest": argparse.SUPPRESS, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
        group.add_argument(*names, action=_Set, const=foreign_values.log_format, **words)
        group.set_defaults(**{option.attribute: option.default})
    elif names:
        named = option._replace(flags=" ".join(names), letters={}, dest=option.attribute)
        add_option(group, named, MRSYNC)
        if option.rsync and option.how in (COUNT, FLAG, SWITCH) and not option.stores:
            default = DEFAULTS.get(option.attribute, False)
            words = {"action": "store_const", "const": default, "default": argparse.SUPPRESS}
            if negative := list(_negative(named)):
                group.add_argument(*negative, dest=option.attribute, help=argparse.SUPPRESS, **words)


def _negative(option: Option) -> Iterator[str]:
    """Return rsync's negated names of an option: --no-checksum, --no-c."""
    for name in option.rsync.split():
        negative = f"--no-{name.lstrip('-')}"
        if negative not in (*_CLAIMED, *option.all_names(MRSYNC)):
            yield negative


def _add_foreign(group: Any, foreign: Foreign) -> None:
    words: dict[str, Any] = {"dest": argparse.SUPPRESS, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    if foreign.counts:
        words |= {"dest": foreign.counts, "action": "count", "default": DEFAULTS[foreign.counts]}
    elif not foreign.metavar:
        words["nargs"] = 0
    if foreign.is_refused:
        words |= {"action": _Refuse, "const": foreign.why}
    elif not foreign.counts:
        words |= {"action": _Set, "const": foreign.sets}
    group.add_argument(*foreign.names.split(), **words)
